import { join } from 'node:path';
import { test } from 'tap';
import { mirroring } from '../../../src/cli/mirror/mirror.ts';
import { testAuthority } from '../../support/certificates.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';
import { mirrorRig } from './mirror-rig.ts';

const layers = { layers: [300_000] };

test('a registry that fails each upload gets the bytes of a blob four times in all', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const image = from.addImage('team/app', 'v1', layers);
  to.switches.failsUploads = { code: 502 };
  const { code, err } = await run(`${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.equal(code, 1);
  t.match(err, /error: blob sha256:.* of .*\/a: the registry answers with status 502: it was sent 4 times\n/);
  t.equal(to.seen('PATCH').length, 4);
  t.equal(from.seen(`GET /v2/team/app/blobs/${image.layers[0]?.digest}`).length, 4);
});

test('a failure by 429 is a line that people find by repository, status and code, with its time', async (t) => {
  const { from, to, dir } = await mirrorRig(t);
  from.addImage('team/app', 'v1', layers);
  Object.assign(from.switches, { status: { of: 'blobs', code: 429 }, retryAfter: '300' });
  const mirror = mirroring({ longestWaitMs: 0, random: () => 0 });
  const io = recordedIo();
  const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
  t.equal(await mirror(['--insecure', `${from.host}/team/app:v1=${to.host}/a:1`], { ...io, env }), 1);
  const start = `error: unable to push ${from.host}/team/app: failed to retrieve blob sha256:`;
  const line = io
    .err()
    .split('\n')
    .find((text) => text.startsWith(start));
  t.match(line, /toomanyrequests \(HTTP 429\): .*: throttled until \d{4}-\d\d-\d\dT/);
  t.match(io.err(), /\n# throttled: .*throttled until/);
});

test('a token server that does not take the question is told with its status', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.switches.requiresToken = { status: 400 };
  const { err } = await run(`${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.match(err, "the registry's token server answers a token request with 400");
  from.switches.requiresToken = { status: 403 };
  t.match(
    (await run(`${from.host}/team/app:v1`, `${to.host}/a:1`)).err,
    /token server refuses the configured credentials/,
  );
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

test('a registry that refuses connections is reported by its host, with the reason and what to do', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  await from.close();
  const { code, err } = await run(`${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.equal(code, 1);
  t.match(
    err,
    `error: manifest v1 of ${from.host}/team/app: the registry does not accept connections: check host and port, and that something listens there (ECONNREFUSED)\n`,
  );
  t.notMatch(err, 'trying again');
});

test('an unknown host is reported at once, for images and for lists of tags', async (t) => {
  const { to, run } = await mirrorRig(t);
  const unknown = `${'a'.repeat(64)}.test/team/app`;
  const reason = "the registry's host name cannot be resolved: check the spelling of the host name, and DNS";
  const one = await run(`${unknown}:v1`, `${to.host}/a:1`);
  t.match(one.err, `error: manifest v1 of ${unknown}: ${reason} (ENOTFOUND)\n`);
  const many = await run(unknown, `${to.host}/a`);
  t.match(many.err, `error: the tags of ${unknown} cannot be listed: ${reason} (ENOTFOUND)\n`);
  t.notMatch(one.err + many.err, 'trying again');
});

test('a certificate that is not trusted is told at once', async (t) => {
  const { to, runIn } = await mirrorRig(t);
  const registry = await registryDouble({ tls: testAuthority().issued() });
  t.teardown(() => registry.close());
  const { err } = await runIn(recordedIo(), '--insecure=false', `${registry.host}/a:1`, `${to.host}/a:1`);
  const advice = 'name the authority that signed it (--certificate-authority, caFile)';
  t.match(
    err,
    `manifest 1 of ${registry.host}/a: the registry's certificate cannot be verified; caFile names other authorities: ${advice} (`,
  );
  t.notMatch(err, 'trying again');
});

test('a registry that speaks no TLS is told at once', async (t) => {
  const { from, to, runIn } = await mirrorRig(t);
  const { err } = await runIn(recordedIo(), '--insecure=false', `${from.host}/a:1`, `${to.host}/a:1`);
  t.match(err, 'the registry does not answer with TLS: --insecure allows plain HTTP (ERR_SSL');
  t.notMatch(err, 'trying again');
});
