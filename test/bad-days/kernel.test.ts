import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import type { ServiceRigOptions } from '../support/service.ts';
import { type BadDay, badDay, digestOrCut, holdsOnly, sampleOf, temporary } from './rig.ts';
import { overS3, stored } from './s3-rig.ts';

/** Many times what is read or sent at once. */
const blobBytes = 4 * 1024 * 1024;
/** More than the kernel takes for a client that reads nothing. */
const unreadBytes = 16 * 1024 * 1024;

/** The service with a large blob in its store that it found right. */
async function warm(t: Test, options: ServiceRigOptions = {}, largeBytes = blobBytes) {
  const rig = await badDay(t, options);
  const [large] = rig.double.addImage('openshift/ci', 'large', { layers: [largeBytes] }).layers;
  if (large === undefined) throw new Error('the image has no layer');
  const path = `blobs/${large.digest}`;
  t.equal(await digestOrCut(await rig.get(path)), large.digest);
  await holdsOnly(rig.directory, [blobKey(large.digest)]);
  // Who comes while the download still closes its file is sent what that has in memory.
  await until(async () => sampleOf(await rig.metrics(), 'quayside_fills_running') === 0);
  return Object.assign(rig, { large, path });
}

async function byKernel({ metrics }: Pick<BadDay, 'metrics'>): Promise<number> {
  return sampleOf(await metrics(), 'quayside_kernel_sent_bytes_total') ?? 0;
}

/** Whether it can on this machine: the tests say nothing where it cannot. */
async function isOn({ metrics }: Pick<BadDay, 'metrics'>): Promise<boolean> {
  return sampleOf(await metrics(), 'quayside_kernel_send_state{state="on"}') === 1;
}

/** Asks for it and reads nothing. */
function unread(url: string, path: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).pause();
  socket.on('error', () => undefined);
  socket.write(`GET /v2/openshift/ci/${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

test('the kernel sends a stored blob, whole and in part, and log and metrics say so', async (t) => {
  const rig = await warm(t);
  if (!(await isOn(rig))) return;
  t.ok(rig.log.some(({ msg }) => /^the kernel sends blobs to clients/.test(String(msg))));
  t.equal(await digestOrCut(await rig.get(rig.path)), rig.large.digest);
  const whole = await byKernel(rig);
  t.ok(whole > blobBytes / 2, `${whole} bytes`);
  const range = { headers: { range: 'bytes=1000-3000000' } };
  const part = await (await rig.get(rig.path, range)).bytes();
  t.ok(rig.large.bytes.subarray(1_000, 3_000_001).equals(part));
  t.ok((await byKernel(rig)) > whole);
});

test('with sendfile: false the process sends it, and log and metrics say so', async (t) => {
  const rig = await warm(t, { settings: { sendfile: false } });
  t.equal(await digestOrCut(await rig.get(rig.path)), rig.large.digest);
  t.equal(await byKernel(rig), 0);
  t.equal(sampleOf(await rig.metrics(), 'quayside_kernel_send_state{state="off"}'), 1);
  t.ok(rig.log.some(({ msg }) => /sendfile is false$/.test(String(msg))));
});

test('the kernel sends copies on a disk before a bucket', async (t) => {
  const disk = join(await temporary(t), 'disk');
  const { s3, rig } = await overS3(t, { disk });
  if (!(await isOn(rig))) return;
  await stored({ s3, rig });
  // The first read is hashed.
  for (const _ of [1, 2]) t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.ok((await byKernel(rig)) > 0);
});

test('the kernel sends the written part of a download to those who come later', async (t) => {
  const rig = await badDay(t);
  if (!(await isOn(rig))) return;
  const [large] = rig.double.addImage('openshift/ci', 'large', { layers: [blobBytes] }).layers;
  const path = `blobs/${large?.digest}`;
  rig.double.switches.stallsAfter = { bytes: 3 * 1024 * 1024, times: 1 };
  const first = rig.get(path).then(digestOrCut);
  const spooled = async () => sampleOf(await rig.metrics(), 'quayside_spool_bytes') ?? 0;
  await until(async () => (await spooled()) > 2.75 * 1024 * 1024, 'the first bytes');
  const second = rig.get(path).then(digestOrCut);
  await until(async () => (await byKernel(rig)) > 1.25 * 1024 * 1024, 'what the kernel sends');
  t.same(await Promise.all([first, second]), [large?.digest, large?.digest]);
  t.equal(rig.double.seen(`GET /v2/openshift/ci/${path}`).length, 2, 'the second is the one that resumes');
});

test('a client of a stored blob that reads nothing is cut after the limit, and its slot is free again', async (t) => {
  const limits = { idleClientMs: '300ms', blobs: { maxRunning: 1, maxInQueue: 0 } };
  const rig = await warm(t, { settings: { limits } }, unreadBytes);
  const clients = [1, 2].map(() => unread(rig.url, rig.path));
  t.teardown(() => clients.forEach((client) => void client.destroy()));
  const cut = async () => sampleOf(await rig.metrics(), 'quayside_idle_clients_cut_total');
  await until(async () => (await cut()) === 1, 'the client cut');
  await until(async () => (await rig.get(rig.path)).status === 200, 'a free slot');
});

test('a blob that is deleted while it is sent arrives whole, and the next pull fetches it again', async (t) => {
  const rig = await warm(t, {}, unreadBytes);
  const answer = await rig.get(rig.path);
  const before = rig.double.requests.length;
  await rm(join(rig.directory, blobKey(rig.large.digest)));
  t.equal(await digestOrCut(answer), rig.large.digest);
  t.equal(rig.double.requests.length, before);
  t.equal(await digestOrCut(await rig.get(rig.path)), rig.large.digest);
  t.ok(rig.double.requests.length > before);
});
