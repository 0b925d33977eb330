import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import type { RegistryDouble } from '../../support/registry-double.ts';
import { mirrorRig } from './mirror-rig.ts';

const bytes = Buffer.from('the base of some other system');
const digest = digestOf(bytes);

/** `team/windows:v1`, whose only layer is to be had at those URLs. */
function addForeign(registry: RegistryDouble, ...urls: string[]): void {
  const config = Buffer.from('{}');
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: { digest: registry.addBlob('team/windows', config), size: config.length },
    layers: [
      {
        mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
        digest,
        size: bytes.length,
        urls,
      },
    ],
  };
  registry.addManifest(
    'team/windows',
    Buffer.from(JSON.stringify(manifest)),
    mediaTypes.dockerManifest,
    'v1',
  );
}

function urlAt({ url }: RegistryDouble): string {
  return `${url}/v2/elsewhere/blobs/${digest}`;
}

test('a foreign layer is copied, as oc does it, from the registry where that has it', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addForeign(from, 'https://elsewhere.invalid/layer');
  from.addBlob('team/windows', bytes);
  const { code, err } = await run(`${from.host}/team/windows:v1`, `${to.host}/copy`);
  t.equal(code, 0, err);
  t.ok(to.blobOf('copy', digest)?.equals(bytes));
  t.notMatch(err, 'foreign');
});

test('a foreign layer that the registry lacks is fetched from its urls', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addForeign(from, `${from.url}/v2/gone/blobs/${digest}`, urlAt(from));
  from.addBlob('elsewhere', bytes);
  const { code, err } = await run(`${from.host}/team/windows:v1`, `${to.host}/copy`);
  t.equal(code, 0, err);
  t.ok(to.blobOf('copy', digest)?.equals(bytes));
});

test('foreign layers of a directory are fetched likewise', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addForeign(from, 'https://10.0.0.1/layer');
  await run('--foreign-layers=skip', `${from.host}/team/windows:v1`, 'file://windows');
  const { code, err } = await run('file://windows:v1', `${to.host}/copy`);
  t.equal(code, 1);
  t.match(err, /and at its urls: .*a private address.*--foreign-layers=skip/);
});

test('foreign layers that are to be skipped are counted in the closing lines', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addForeign(from, urlAt(from));
  from.addBlob('elsewhere', bytes);
  const { code, err } = await run(
    '--foreign-layers=skip',
    `${from.host}/team/windows:v1`,
    `${to.host}/a`,
    `${to.host}/b`,
  );
  t.equal(code, 0, err);
  t.equal(to.blobOf('a', digest), undefined);
  t.same(from.seen(digest), []);
  t.match(err, 'info: foreign layers: 2 skipped: clients fetch them from their own urls\n');
});

test('a url inside is asked nothing, unless it is the registry', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addForeign(from, urlAt(to));
  to.addBlob('elsewhere', bytes);
  const { code, err } = await run(`${from.host}/team/windows:v1`, `${to.host}/copy`);
  t.equal(code, 1);
  t.match(err, /and at its urls: .*a private address/);
  t.same(to.seen(`GET /v2/elsewhere/blobs/${digest}`), []);
  t.equal(to.tagOf('copy', 'v1'), undefined);
});

test('what a url has under another digest is never copied', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addForeign(from, urlAt(from));
  from.addBlob('elsewhere', Buffer.from('the base of some evil  system'), digest);
  const { code } = await run(`${from.host}/team/windows:v1`, `${to.host}/copy`);
  t.equal(code, 1);
  t.equal(to.blobOf('copy', digest), undefined);
  t.equal(to.tagOf('copy', 'v1'), undefined);
});
