import { test } from 'tap';
import { mirrorRig } from './mirror-rig.ts';

const layers = { layers: [300_000] };

test('a registry that fails each upload gets the bytes of a blob four times in all', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const image = from.addImage('team/app', 'v1', layers);
  to.switches.failsUploads = { code: 502 };
  const { code, err } = await run(`${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.equal(code, 1);
  t.match(err, /error: blob sha256:.* of .*\/a: the upstream answers with a failure: it was sent 4 times\n/);
  t.equal(to.seen('PATCH').length, 4);
  t.equal(from.seen(`GET /v2/team/app/blobs/${image.layers[0]?.digest}`).length, 4);
});

test('an image is tried again when a registry refused what carries no blob', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1', layers);
  to.switches.status = { of: 'manifests', code: 502, times: 10 };
  const { code, err } = await run(`${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.equal(code, 0, err);
  t.match(err, /warning: manifest .*; trying again in \d+m?s\n/);
  t.equal(to.seen('PATCH').length, 1);
});
