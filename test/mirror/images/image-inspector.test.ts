import { test } from 'tap';
import { createImageInspector } from '../../../src/mirror/images/image-inspector.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import type { RegistryReader } from '../../../src/oci/registry-reader.ts';

const amd64 = digestOf(Buffer.from('amd64'));
const entry = (architecture: string, digest: string) => ({
  mediaType: mediaTypes.ociManifest,
  digest,
  size: 2,
  platform: { os: 'linux', architecture },
});
const index = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [entry('arm64', digestOf(Buffer.from('arm64'))), entry('amd64', amd64)],
  }),
);
const descriptor = { digest: digestOf(index), size: index.byteLength, mediaType: mediaTypes.ociIndex };
const { signal } = new AbortController();

function rig(manifest: RegistryReader['manifest']) {
  const asked: string[] = [];
  const source: RegistryReader = {
    name: 'quay.io',
    manifest(repository, reference, options) {
      asked.push(`${options?.method} ${repository} ${reference.digest ?? reference.tag}`);
      return manifest(repository, reference, options);
    },
    statBlob: async () => undefined,
    openBlob: async () => undefined,
    tags: async () => undefined,
    referrers: async () => undefined,
  };
  const hosts: string[] = [];
  const look = createImageInspector((registry) => {
    hosts.push(registry);
    return source;
  });
  return { look, asked, hosts };
}

const found: RegistryReader['manifest'] = async (_repository, _reference, options) => ({
  kind: 'found',
  descriptor,
  warnings: [],
  ...(options?.method === 'GET' ? { bytes: index } : {}),
});

test('what a pull spec stands for is one HEAD to its registry', async (t) => {
  const { look, asked, hosts } = rig(found);
  t.same(await look.stat(parseImageReference('quay.io/openshift/ci:ci_a_latest'), signal), descriptor);
  await look.stat(parseImageReference('alpine'), signal);
  t.same(asked, ['HEAD openshift/ci ci_a_latest', 'HEAD library/alpine latest']);
  t.same(hosts, ['quay.io', 'docker.io']);
});

test('the digest for linux/amd64 is found in the index', async (t) => {
  const { look } = rig(found);
  t.equal(await look.amd64(parseImageReference('quay.io/openshift/ci:ci_a_latest'), signal), amd64);
});

test('an image that is not there is none; a registry that does not say is a failure', async (t) => {
  const absent = rig(async () => ({ kind: 'absent' }));
  t.equal(await absent.look.stat(parseImageReference('quay.io/a/b:c'), signal), undefined);
  t.equal(await absent.look.amd64(parseImageReference('quay.io/a/b:c'), signal), undefined);
  const slow = rig(async () => {
    throw new RegistryError('TOOMANYREQUESTS', 'slow down', { retryAfterSeconds: 7 });
  });
  const failure: unknown = await slow.look
    .stat(parseImageReference('quay.io/a/b:c'), signal)
    .catch((error: unknown) => error);
  t.match(failure, { kind: 'throttled', retryAfterSeconds: 7 });
});
