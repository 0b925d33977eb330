import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import { serviceRig } from '../../support/service.ts';
import { recordedIo } from '../io.ts';
import { saying, type Told } from './rig.ts';

async function stage(t: Test) {
  const rig = await serviceRig(t);
  const directory = await mkdtemp(join(tmpdir(), 'quayside-explain-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return {
    ...rig,
    directory,
    async explain(...words: readonly string[]) {
      const io = recordedIo();
      const code = await run(['explain', '--admin', `http://${rig.service.adminAddress}`, ...words], io);
      return { code, out: io.out(), err: io.err() };
    },
  };
}

test('a running server explains an image, in the same words', async (t) => {
  const { double, explain } = await stage(t);
  const { digest } = double.addImage('openshift/ci', 'ocp_4.5_base');
  const { code, out, err } = await explain('ocp/4.5:base');
  t.equal(err, '');
  t.equal(code, 0, out);
  t.match(out, new RegExp(`^ 4 ✓ tag .*quay.io has ${digest}$`, 'm'));
  t.match(out, /^ 6 ✓ upstream/m);
});

test('a request that failed is explained by its id', async (t) => {
  const { url, explain } = await stage(t);
  const answer = await fetch(`${url}/v2/quay.io/team/app/manifests/nope`);
  t.equal(answer.status, 404);
  const { code, out, err } = await explain(answer.headers.get('x-request-id') ?? '');
  t.equal(code, 1, err);
  t.match(out, /^quay\.io\/team\/app:nope$/m);
  t.match(out, /404 MANIFEST_UNKNOWN/);
  t.match(out, /^ 4 ✗ tag {10}there is no quay\.io\/team\/app:nope$/m);
});

test('refusals of the server are said, and end with 2', async (t) => {
  const { explain } = await stage(t);
  const unknown = await explain('AAAAAAAA-1');
  t.equal(unknown.code, 2);
  t.match(unknown.err, /is remembered under that id/);
  const as = await explain('--as', 'ann', 'ocp/4.5:base');
  t.equal(as.code, 2);
  t.match(as.err, /as needs the right to impersonate/);
  t.equal((await explain('--checkout', '/tmp', 'a')).code, 2);
});

test('a server that does not answer, or is too busy to, cannot tell, and ends with 3', async (t) => {
  const { explain, stop } = await stage(t);
  await stop();
  const { code, err } = await explain('ocp/4.5:base');
  t.equal(code, 3, err);
  t.match(err, /ocp\/4\.5:base: 127\.0\.0\.1:\d+ cannot be asked/);
});

test('a registries.conf of the caller becomes step 1', async (t) => {
  const { double, explain, directory } = await stage(t);
  double.addImage('openshift/ci', 'ocp_4.5_base');
  const file = join(directory, 'registries.conf');
  await writeFile(
    file,
    `[[registry]]
location = "quay-proxy.ci.openshift.org/openshift/ci"
[[registry.mirror]]
location = "cache.example.com/openshift/ci"
[[registry.mirror]]
location = "quay.io/openshift/ci"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "quay.io/openshift/ci"
`,
  );
  const { code, out } = await explain(
    file,
    'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base',
    '-o',
    'json',
  );
  t.equal(code, 0, out);
  const text = saying(JSON.parse(out) as Told, 'client');
  t.match(
    text,
    /^ok\n3 mirrors, then the registry itself\n1\. cache\.example\.com\/openshift\/ci: not asked: it is neither/,
  );
  t.match(text, /2\. quay\.io\/openshift\/ci: not asked by the node: pull-from-mirror = "digest-only"/);
  t.match(text, /3\. quay\.io\/openshift\/ci: quay\.io: has it: sha256:/);
  await writeFile(file, 'x = [');
  t.equal((await explain(file, 'quay.io/openshift/ci:ocp_4.5_base')).code, 1);
});
