import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { pruningTags } from '../../../src/cli/prune/tags.ts';
import { imageStreamDouble } from '../../support/image-stream-double.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const repository = 'openshift/ci';
const now = Date.parse('2026-11-29T12:00:00Z');
const named = '20261101000000_prune_ocp_4.20_cli';
const free = '20261102000000_prune_ocp_4.20_cli';
const former = '20251102000000_prune_ocp_4.20_oc';

/** QCI, and a cluster whose stream names what a promotion has left there. */
async function streamsRig(t: Test) {
  const registry = await registryDouble();
  const api = await imageStreamDouble();
  t.teardown(() => Promise.all([registry.close(), api.close()]));
  const dir = t.testdir({ 'auth.json': '{}', kubeconfig: api.kubeconfig });
  const digest = registry.addImage(repository, named, { layers: [1] }).digest;
  registry.addImage(repository, free, { layers: [2] });
  const old = registry.addImage(repository, former, { layers: [3] }).digest;
  const reference = (of: string) => `quay-proxy.ci.openshift.org/openshift/ci@${of}`;
  api.putObject('ocp/4.20', {
    spec: {
      tags: [{ name: 'cli', from: { kind: 'DockerImage', name: reference(digest) }, reference: true }],
    },
    status: {
      tags: [
        {
          tag: 'cli',
          items: [
            { created: '2026-11-01T00:00:00Z', image: '', dockerImageReference: reference(digest) },
            { created: '2020-01-01T00:00:00Z', image: '', dockerImageReference: reference(old) },
          ],
        },
      ],
    },
  });
  const config = join(dir, 'quayside.yaml');
  await writeFile(
    config,
    `store: { filesystem: { path: ${dir}/store } }
upstreams: { quay.io: { url: "${registry.url}" } }
hosts: { cache.example.com: { auth: cluster, access: imagestream, upstream: quay.io } }
clusters: { app.ci: { kubeconfigFile: ${dir}/kubeconfig, streams: { namespaces: [other] } } }
`,
  );
  async function run(...args: string[]) {
    const io = recordedIo();
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const code = await pruningTags(() => now)(['--config', config, ...args], { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  return { registry, api, digest, run, tag: (name: string) => registry.tagOf(repository, name) };
}

test('a digest that a stream of any namespace names, now or in its history, keeps its tag', async (t) => {
  const { run, tag, digest } = await streamsRig(t);
  const { code, out, err } = await run('--confirm');
  t.equal(code, 0, err);
  t.match(out, `Kept ${named}: image stream tag ocp/4.20:cli names ${digest}`);
  t.match(out, `Kept ${former}: image stream tag ocp/4.20:cli names`);
  t.ok(tag(named) && tag(former));
  t.equal(tag(free), undefined);
});

test('where the float names the digest too, the tag that keeps it goes', async (t) => {
  const { run, tag, registry } = await streamsRig(t);
  const { manifest } = registry.addImage(repository, named, { layers: [1] });
  registry.addManifest(repository, manifest, 'application/vnd.oci.image.manifest.v1+json', 'ocp_4.20_cli');
  t.match(await run('--confirm'), { code: 0 });
  t.equal(tag(named), undefined);
  t.ok(tag('ocp_4.20_cli') && tag(former));
});

test('while the cluster refuses to list streams nothing that they might name is deleted', async (t) => {
  const { run, tag, api } = await streamsRig(t);
  api.switches.answersStatus = 403;
  t.match(await run('--confirm'), {
    code: 1,
    out: new RegExp(`Kept ${free}: cannot tell whether one names`),
  });
  t.ok(tag(named) && tag(free) && tag(former));
});
