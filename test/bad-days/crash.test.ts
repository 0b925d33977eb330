import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { stringify } from 'yaml';
import { digestOf } from '../../src/oci/digest.ts';
import { blobKey } from '../../src/store/keys.ts';
import { type Program, type Stage, stage, until } from '../support/program.ts';
import { type RegistryDouble, registryDouble } from '../support/registry-double.ts';
import { type S3Double, s3Double } from '../support/s3-double.ts';
import { contentFiles, digestOrCut, holdsOnly } from './rig.ts';

const script = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));
const layerBytes = 1_500_000;

test('killed in the middle of a download, and as soon as a client has the last byte, it holds whole blobs only', async (t) => {
  const { start, double, layer, path, store } = await prepared(t);
  const first = await start('first');
  double.switches.stallsAfter = { bytes: 700_000, times: 1 };
  const answer = await fetch(first.url + path);
  const body = digestOrCut(answer);
  await until('the stall', () => double.requests.at(-1)?.bytesSent === 700_000);
  await until('the spool file', async () => (await contentFiles(store)).length === 1);
  await first.program.stop('SIGKILL');
  t.equal(await body, 'cut');
  t.match(await contentFiles(store), [/^spool\//]);
  const second = await start('second');
  await holdsOnly(store);
  await second.program.said('"leftovers":');
  t.equal(await digestOrCut(await fetch(second.url + path)), layer.digest);
  await holdsOnly(store, [blobKey(layer.digest)]);

  const image = double.addImage('openshift/ci', 'more', { layers: [layerBytes] });
  const more = `/v2/openshift/ci/blobs/${image.layers[0]?.digest}`;
  await digestOrCut(await fetch(`${second.url}/v2/openshift/ci/manifests/more`));
  await digestOrCut(await fetch(second.url + more));
  await second.program.stop('SIGKILL');
  for (const file of await contentFiles(store)) {
    if (!file.startsWith('v1/')) continue;
    const bytes = await readFile(join(store, file));
    t.equal(basename(file), digestOf(bytes).slice('sha256:'.length));
  }
  const third = await start('third');
  t.equal(await digestOrCut(await fetch(third.url + more)), image.layers[0]?.digest);
  const manifest = await fetch(`${third.url}/v2/openshift/ci/manifests/more`);
  t.equal(await digestOrCut(manifest), image.digest);
});

test('killed in the middle of an upload to S3, and of a copy from there, it shows nothing of either', async (t) => {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  const { start, double, path, layer, disk } = await prepared(t, { s3, layerBytes: 7_000_000 });
  const first = await start('first');
  double.switches.stallsAfter = { bytes: 6_500_000, times: 1 };
  const body = digestOrCut(await fetch(first.url + path));
  await until('the first part', () => s3.requests.some(({ operation }) => operation === 'UploadPart'));
  await first.program.stop('SIGKILL');
  t.equal(await body, 'cut');
  t.notOk([...s3.objects.keys()].some((key) => key.includes('blobs')));
  const second = await start('second');
  t.equal(await digestOrCut(await fetch(second.url + path)), layer.digest);
  await until('the object', () => [...s3.objects.keys()].some((key) => key.endsWith(blobKey(layer.digest))));
  await second.program.stop('SIGKILL');

  const third = await start('third', { hasDisk: true });
  s3.switches.stallsAfter = 700_000;
  const copied = digestOrCut(await fetch(third.url + path));
  await until('a part', async () => (await contentFiles(disk)).some((file) => file.startsWith('tmp/')));
  await third.program.stop('SIGKILL');
  t.equal(await copied, 'cut');
  t.match(await contentFiles(disk), [/^tmp\//]);
  s3.switches.stallsAfter = undefined;
  const fourth = await start('fourth', { hasDisk: true });
  await fourth.program.said('"leftovers":');
  await holdsOnly(disk);
  t.equal(await digestOrCut(await fetch(fourth.url + path)), layer.digest);
  await holdsOnly(disk, [blobKey(layer.digest)]);
  t.equal(await digestOrCut(await fetch(fourth.url + path)), layer.digest);
});

test('a disk that is full in the middle of a download costs no pull, and leaves nothing', async (t) => {
  const { start, layer, path, store } = await prepared(t);
  const { url, program } = await start('limited', { largestFileBytes: 512 * 1024 });
  for (const attempt of ['first', 'second']) {
    t.equal(await digestOrCut(await fetch(url + path)), layer.digest, attempt);
  }
  await program.said('"msg":"a download was not stored"');
  await holdsOnly(store);
  t.same(await program.stop('SIGTERM'), { code: 0, signal: null });
});

interface Prepared {
  readonly s3?: S3Double;
  readonly layerBytes?: number;
}

interface StartOptions {
  /** A disk before S3. */
  readonly hasDisk?: boolean;
  readonly largestFileBytes?: number;
}

/**
 * A registry with one image, and a way to start the real program before it, any number of times on
 * one store.
 */
async function prepared(t: Test, options: Prepared = {}) {
  const scene = await stage('crash');
  t.teardown(scene.close);
  const double = await registryDouble();
  t.teardown(() => double.close());
  const image = double.addImage('openshift/ci', 'tools', { layers: [options.layerBytes ?? layerBytes] });
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('the image has no layer');
  const config = join(scene.directory, 'quayside.yaml');
  return {
    async start(name: string, { hasDisk = false, largestFileBytes }: StartOptions = {}) {
      await writeFile(config, stringify(settingsOf(scene, double, options.s3, hasDisk)));
      return started(scene, config, name, largestFileBytes);
    },
    double,
    layer,
    path: `/v2/openshift/ci/blobs/${layer.digest}`,
    store: join(scene.directory, 'store'),
    disk: join(scene.directory, 'disk'),
  };
}

function settingsOf(
  { directory }: Stage,
  { url }: RegistryDouble,
  s3: S3Double | undefined,
  hasDisk: boolean,
) {
  const disk = hasDisk ? { disk: { path: join(directory, 'disk') } } : {};
  const bucket = { bucket: 'blobs', endpoint: s3?.endpoint, pathStyle: true, partBytes: '5MiB' };
  return {
    listen: '127.0.0.1:0',
    admin: { listen: false },
    shutdownDelayMs: 0,
    spool: { path: join(directory, 'store', 'spool') },
    store: s3 === undefined ? { filesystem: { path: join(directory, 'store') } } : { s3: bucket, ...disk },
    upstreams: { 'quay.io': { url, allowPrivateAddresses: true } },
  };
}

/**
 * Starts the program; where files are limited, a write beyond fails as on a full disk. The signal
 * that comes with it is ignored, and the test runner's hooks, which would end the process at it,
 * stay out.
 */
async function started(
  scene: Stage,
  config: string,
  name: string,
  largestFileBytes?: number,
): Promise<{ readonly program: Program; readonly url: string }> {
  const serve = [process.execPath, script, 'serve', '--config', config];
  const blocks = Math.floor((largestFileBytes ?? 0) / 512);
  const limit = `trap '' XFSZ; unset NODE_OPTIONS; ulimit -f ${blocks}; exec "$@"`;
  const [command = '', ...args] =
    largestFileBytes === undefined ? serve : ['sh', '-c', limit, 'sh', ...serve];
  const env = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'a-secret-key' };
  const program = await scene.start(command, args, { name, env });
  const banner = await program.said('docker pull');
  const [, address = ''] = /^ {2}listening +(http:\S+)/m.exec(banner) ?? [];
  return { program, url: address.replace(/\/$/, '') };
}
