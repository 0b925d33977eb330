import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import type { S3Double } from '../support/s3-double.ts';
import { type BadDay, digestOrCut, isPulled, temporary } from './rig.ts';
import { overS3, stored } from './s3-rig.ts';

/** The GetObjects of blobs so far. */
function gets({ requests }: S3Double): number {
  return requests.filter(({ operation, key }) => operation === 'GetObject' && key.includes('/blobs/')).length;
}

async function copies(disk: string): Promise<readonly string[]> {
  const files = await readdir(disk, { recursive: true, withFileTypes: true }).catch(() => []);
  return files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
}

/** Resolves once the layer has its copy, and no download is under way. */
async function kept(rig: BadDay, disk: string): Promise<void> {
  const copy = join(disk, blobKey(rig.layer.digest));
  await until(async () => (await copies(disk)).includes(copy), 'the copy');
  await until(async () => (await rig.metrics()).includes('quayside_fills_running 0'), 'the end of the fill');
}

test('a pull that was stored in S3 leaves its layer on the disk, and the next one costs S3 nothing', async (t) => {
  const disk = join(await temporary(t), 'disk');
  const { s3, rig } = await overS3(t, { disk });
  await stored({ s3, rig });
  await kept(rig, disk);
  s3.requests.length = 0;
  t.ok(await isPulled(rig));
  t.equal(gets(s3), 0);
  t.match(await rig.metrics(), /^quayside_disk_reads_total\{result="hit"\} [1-9]/m);
});

test('many clients of a layer that only S3 has are one GetObject, and the next process asks none', async (t) => {
  const disk = join(await temporary(t), 'disk');
  const first = await overS3(t);
  await stored(first);
  await first.rig.stop();
  const { s3, rig } = await overS3(t, { ...first, disk });
  s3.requests.length = 0;
  const digests = await Promise.all(
    Array.from({ length: 60 }, async () => digestOrCut(await rig.getLayer())),
  );
  t.same(new Set(digests), new Set([rig.layer.digest]));
  t.equal(gets(s3), 1);
  await until(async () => (await copies(disk)).length === 1, 'the copy');
  await rig.stop();
  const { rig: next } = await overS3(t, { ...first, disk });
  s3.requests.length = 0;
  t.equal(await digestOrCut(await next.getLayer()), rig.layer.digest);
  t.equal(gets(s3), 0);
});

test('a layer on the disk is pulled while S3 is down', async (t) => {
  const disk = join(await temporary(t), 'disk');
  const { s3, rig } = await overS3(t, { disk });
  await stored({ s3, rig });
  await kept(rig, disk);
  const asked = rig.double.requests.length;
  s3.switches.down = true;
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.same(rig.double.requests.slice(asked), []);
});

test('a copy whose bit flipped while no process ran is cut off once, and S3 has it still', async (t) => {
  const disk = join(await temporary(t), 'disk');
  const first = await overS3(t, { disk });
  const { layer } = first.rig;
  await stored(first);
  const path = join(disk, blobKey(layer.digest));
  await kept(first.rig, disk);
  await first.rig.stop();
  const file = await open(path, 'r+');
  await file.write(Buffer.from([(layer.bytes[1_000] ?? 0) ^ 1]), 0, 1, 1_000);
  await file.close();
  const { s3, rig } = await overS3(t, { ...first, disk });
  const asked = rig.double.requests.length;
  t.equal(await digestOrCut(await rig.getLayer()), 'cut');
  t.equal(await digestOrCut(await rig.getLayer()), layer.digest);
  t.equal(rig.double.requests.length, asked);
  t.ok([...s3.objects.keys()].some((key) => key.endsWith(blobKey(layer.digest))));
});

test('a disk that is no directory costs no pull; log, metrics and conditions say so', async (t) => {
  const disk = join(await temporary(t), 'disk');
  await writeFile(disk, 'a file where a directory should be');
  const { s3, rig } = await overS3(t, { disk });
  t.ok(await isPulled(rig), 'cold');
  await until(() => [...s3.objects.keys()].length > 0);
  t.ok(await isPulled(rig), 'warm');
  const conditions = await rig.look();
  t.match(
    conditions.find(({ type }) => type === 'DiskUsable'),
    { status: 'False', message: /pulls continue from S3/ },
  );
  t.ok(rig.log.some(({ msg }) => /^the disk before the bucket cannot be written/.test(msg)));
  t.match(await rig.metrics(), /^quayside_disk_failures_total\{operation="write",cause="other"\} [1-9]/m);
  await rm(disk);
});
