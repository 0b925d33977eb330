import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wholeOf } from '../../../src/load/images/random-blobs.ts';
import { hexOf } from '../../../src/oci/digest.ts';
import {
  type GeneratedImage,
  generatedArtifact,
  pushImage,
  referrersIndex,
  referrersTag,
} from '../../support/images.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { onePlatform } from '../fixtures/images.ts';
import { type Quayside, quayside, upstreamName } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

/**
 * Attachments on docker-registry 2.8, which has no referrers API: all clients read the fallback
 * tag.
 */
export const artifactsTag: Scenario = {
  name: 'artifacts-tag',
  needs: ['docker-registry', 'oras'],
  async play(scene) {
    const upstream = await registry(scene);
    const attached = await generated();
    const { subject, artifacts } = attached;
    await pushImage(upstream.url, 'team/app', 'one', subject);
    for (const artifact of artifacts) await pushImage(upstream.url, 'team/app', undefined, artifact);
    const tag = referrersTag(subject.root.descriptor.digest);
    await pushImage(upstream.url, 'team/app', tag, referrersIndex(artifacts));
    await facts(scene, await quayside(scene.stage, { upstream: upstream.url }), attached);
  },
};

/**
 * The same on a registry that has the API. No packaged one has it, so the upstream is our own
 * double.
 */
export const artifactsApi: Scenario = {
  name: 'artifacts-api',
  needs: ['oras'],
  async play(scene) {
    const upstream = await registryDouble();
    scene.stage.defer(() => upstream.close());
    const attached = await generated();
    await given(upstream, attached.subject, 'one');
    for (const artifact of attached.artifacts) await given(upstream, artifact);
    await facts(scene, await quayside(scene.stage, { upstream: upstream.url }), attached);
  },
};

interface Attached {
  readonly subject: GeneratedImage;
  readonly artifacts: readonly GeneratedImage[];
}

interface Index {
  readonly mediaType: string;
  readonly manifests: readonly { readonly digest: string; readonly artifactType?: string }[];
}

const [signatureType, sbomType] = ['application/vnd.example.signature', 'application/vnd.example.sbom+json'];

async function generated(): Promise<Attached> {
  const subject = await onePlatform('artifacts', 'oci', 1);
  const { descriptor } = subject.root;
  const artifacts = [signatureType, sbomType].map((artifactType) =>
    generatedArtifact({ subject: descriptor, artifactType }),
  );
  return { subject, artifacts };
}

async function given(double: RegistryDouble, image: GeneratedImage, ...tags: string[]): Promise<void> {
  for (const blob of image.blobs) double.addBlob('team/app', await wholeOf(blob.body()));
  double.addManifest('team/app', image.root.bytes, image.root.descriptor.mediaType, ...tags);
}

async function facts(
  { stage, fact, path }: Scene,
  proxy: Quayside,
  { subject, artifacts }: Attached,
): Promise<void> {
  const { digest } = subject.root.descriptor;
  const digests = artifacts.map(({ root }) => root.descriptor.digest);
  const [, sbom] = artifacts;
  assert.ok(sbom !== undefined);
  const reference = `${proxy.prefix}/team/app`;
  const referrers = async (of: string, query = ''): Promise<Index> => {
    const answer = await fetch(`${proxy.url}/v2/${upstreamName}/team/app/referrers/${of}${query}`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/vnd.oci.image.index.v1+json');
    return (await answer.json()) as Index;
  };

  await fact('the referrers of an image are both attachments', async () => {
    const { manifests, mediaType } = await referrers(digest);
    assert.equal(mediaType, 'application/vnd.oci.image.index.v1+json');
    assert.deepEqual(new Set(manifests.map((each) => each.digest)), new Set(digests));
  });
  await fact('the referrers of what has none are an empty index', async () =>
    assert.deepEqual((await referrers(`sha256:${'1'.repeat(64)}`)).manifests, []),
  );
  await fact('oras discovers both attachments', async () => {
    const args = ['discover', '--plain-http', '--format', 'json', `${reference}:one`];
    const { stdout } = await stage.run(path('oras'), args);
    for (const each of digests) assert.ok(stdout.includes(each), each);
  });
  await fact('oras discovers one kind of attachment', async () => {
    const args = [
      'discover',
      '--plain-http',
      '--artifact-type',
      sbomType,
      '--format',
      'json',
      `${reference}:one`,
    ];
    const { stdout } = await stage.run(path('oras'), args);
    assert.deepEqual(
      digests.map((each) => stdout.includes(each)),
      [false, true],
    );
  });
  await fact('oras fetches an attachment by its digest, byte for byte', async () => {
    const args = ['manifest', 'fetch', '--plain-http', `${reference}@${sbom.root.descriptor.digest}`];
    const { bytes } = await stage.run(path('oras'), args);
    assert.deepEqual(bytes, Buffer.from(sbom.root.bytes));
  });
  await fact('oras copies the image with its attachments into a layout', async () => {
    const layout = join(stage.directory, 'layout');
    const args = [
      'copy',
      '--recursive',
      '--from-plain-http',
      '--to-oci-layout',
      `${reference}:one`,
      `${layout}:one`,
    ];
    await stage.run(path('oras'), args);
    const file = join(layout, 'blobs/sha256', hexOf(sbom.root.descriptor.digest));
    assert.deepEqual(await readFile(file), Buffer.from(sbom.root.bytes));
  });
}
