import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createUrlBlobs } from '../../../src/upstream/client/url-blobs.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { blobIn, bytesOfBlob, refusalOf } from '../rig.ts';

async function rig(t: Test, options: Partial<Parameters<typeof createUrlBlobs>[0]> = {}) {
  const registry = await registryDouble();
  const blobs = createUrlBlobs({
    name: 'registry.test',
    url: registry.url,
    allowsHttp: true,
    random: () => 0,
    retries: 1,
    ...options,
  });
  t.teardown(() => Promise.all([blobs.close(), registry.close()]));
  const { digest, bytes } = blobIn(registry, 1_000);
  return { registry, blobs, bytes, digest, url: `${registry.url}/v2/team/app/blobs/${digest}` };
}

test('the first url that has it is read, from where it is wanted', async (t) => {
  const { blobs, bytes, digest, url, registry } = await rig(t);
  const urls = [`${registry.url}/v2/gone/blobs/${digest}`, 'nonsense', url, 'https://never.invalid/'];
  const opened = await blobs.open({ digest, size: 1_000, urls }, { start: 10 });
  t.same(await bytesOfBlob(opened), bytes.subarray(10));
});

test('no url gets our login, not even one at the registry', async (t) => {
  const authFile = join(t.testdir({}), 'auth.json');
  const { blobs, digest, url, registry } = await rig(t, { credentials: { authFile } });
  const auth = Buffer.from('robot:secret').toString('base64');
  await writeFile(authFile, JSON.stringify({ auths: { 'registry.test': { auth } } }));
  registry.switches.requiresBasic = { user: 'robot', password: 'secret' };
  const refusal = await refusalOf(blobs.open({ digest, size: 1_000, urls: [url] }));
  t.match(refusal, { code: 'BLOB_UNKNOWN', message: /refuses access/ });
  t.same(
    registry.requests.map(({ headers }) => headers.authorization),
    [undefined],
  );
});

test('plain HTTP is asked only when that was allowed', async (t) => {
  const { blobs, digest, url, registry } = await rig(t, { allowsHttp: false });
  t.match(await refusalOf(blobs.open({ digest, size: 1_000, urls: [url] })), {
    code: 'BLOB_UNKNOWN',
    message: /plain http/,
  });
  t.same(registry.requests, []);
});

test('a redirect from a url to an address inside is refused', async (t) => {
  const { blobs, digest, url, registry } = await rig(t);
  registry.switches.redirectsBlobs = true;
  t.match(await refusalOf(blobs.open({ digest, size: 1_000, urls: [url] })), {
    code: 'BLOB_UNKNOWN',
    message: /private address/,
  });
  t.same(
    registry.requests.map(({ cdn }) => cdn),
    [false],
  );
});

test('a url that fails in a way that passes is no proof that the blob is gone', async (t) => {
  const { blobs, digest, url, registry } = await rig(t);
  registry.switches.status = { of: 'blobs', code: 503 };
  const urls = [url, 'https://10.0.0.1/layer'];
  t.equal((await refusalOf(blobs.open({ digest, size: 1_000, urls }))).code, 'UNAVAILABLE');
});
