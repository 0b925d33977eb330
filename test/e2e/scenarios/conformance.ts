import assert from 'node:assert/strict';
import { pushImage } from '../../support/images.ts';
import { conformanceRun } from '../fixtures/conformance-suite.ts';
import { onePlatform } from '../fixtures/images.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { type RegistryOptions, registry } from '../fixtures/registry.ts';
import { splitWrites } from '../fixtures/split-writes.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** Every answer is asked for anew, as a client that has just written expects it. */
const afresh = { tags: { freshMs: 0, refreshBehindMs: 0, negativeMs: 0 } };

/**
 * Whether deleted content is gone at once is not asked: the cache serves what the upstream has
 * shown for as long as it is stored (SECURITY.md).
 */
const cached = {
  OCI_API_BLOBS_ATOMIC: 'false',
  OCI_API_MANIFESTS_ATOMIC: 'false',
};

/** Reads and nothing else, of content that the upstream holds. */
const readOnly = {
  OCI_API_PUSH: 'false',
  OCI_API_BLOBS_DELETE: 'false',
  OCI_API_MANIFESTS_DELETE: 'false',
  OCI_API_TAGS_DELETE: 'false',
};

/** The conformance suite of the distribution spec, through Quayside. */
export const conformance: Scenario = {
  name: 'conformance',
  needs: ['conformance', 'docker-registry', 'distribution'],
  async play(scene) {
    await readsOnly(scene);
    await writesPast(scene, 'docker-registry');
    await writesPast(scene, 'distribution');
  },
};

async function readsOnly(scene: Scene): Promise<void> {
  const upstream = await registry(scene, { program: 'distribution' });
  const proxy = await quayside(scene.stage, { upstream: upstream.url });
  const image = await onePlatform('conformance', 'oci', 1);
  const tags = ['a', 'b', 'c', 'd'];
  for (const tag of tags) await pushImage(upstream.url, 'team/app', tag, image);
  const env = {
    ...readOnly,
    OCI_RO_DATA_TAGS: tags.join(' '),
    OCI_RO_DATA_MANIFESTS: image.root.descriptor.digest,
    OCI_RO_DATA_BLOBS: image.blobs.map(({ descriptor }) => descriptor.digest).join(' '),
  };
  for (const state of ['cold', 'warm'])
    await scene.fact(`the read-only suite passes, ${state}`, async () => {
      const run = { url: proxy.url, name: state, repository: `${upstreamName}/team/app`, env };
      const { passed, failed } = await conformanceRun(scene, run);
      assert.deepEqual([...failed.keys()], []);
      assert.ok(passed.size >= 10, `only ${passed.size} cases ran`);
    });
}

/** The whole suite: what it writes goes to the registry, what it reads comes through Quayside. */
async function writesPast(scene: Scene, program: NonNullable<RegistryOptions['program']>): Promise<void> {
  const behind = await registry(scene, { program, name: `behind-${program}`, deletes: true });
  const proxy = await quayside(scene.stage, {
    upstream: behind.url,
    name: `before-${program}`,
    store: { memory: {} },
    config: { ...afresh, spool: { path: `${scene.stage.directory}/spool-${program}` } },
  });
  const split = await splitWrites(scene.stage, { reads: proxy.url, writes: behind.url });
  await scene.fact(`no case that passes at ${program} fails through Quayside`, async () => {
    const direct = await conformanceRun(scene, { url: behind.url, name: `direct-${program}`, env: cached });
    const through = await conformanceRun(scene, { url: split, name: `through-${program}`, env: cached });
    assert.ok(direct.passed.size > 200, `only ${direct.passed.size} cases passed at the registry itself`);
    const lost = [...direct.passed].filter(([name, count]) => (through.passed.get(name) ?? 0) < count);
    assert.deepEqual(lost, []);
  });
}
