import { open } from 'node:fs/promises';
import { mock } from 'node:test';
import { type Test, test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import type { LogLine } from '../support/service.ts';
import { type BadDay, badDay, digestOrCut, holdsOnly, sampleOf } from './rig.ts';
import { overS3, stored } from './s3-rig.ts';

/** From now on, no file takes a byte more; until the test ends, or it is called. */
async function diskFull(t: Test): Promise<() => void> {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const full = async (): Promise<never> => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  const spies = ['write', 'writeFile'].map((name) => mock.method(prototype, name, full));
  const emptied = (): void => {
    for (const spy of spies) spy.mock.restore();
  };
  t.teardown(emptied);
  return emptied;
}

async function lineOf(rig: BadDay, msg: string, requestId?: string): Promise<LogLine> {
  const isIt = (line: LogLine) =>
    line.msg === msg && (requestId === undefined || line['requestId'] === requestId);
  await until(() => rig.log.some(isIt), `the line ${msg}`);
  return rig.log.find(isIt) as LogLine;
}

const asked = (id: string): RequestInit => ({ headers: { 'x-request-id': id } });

test('a full disk is a full disk in log and metrics, and no failure of the upstream', async (t) => {
  const rig = await badDay(t);
  await digestOrCut(await rig.get('manifests/tools'));
  await holdsOnly(rig.directory, [blobKey(rig.image.digest)]);
  const emptied = await diskFull(t);
  t.equal(await digestOrCut(await rig.getLayer(asked('full-1'))), rig.layer.digest, 'the pull goes on');
  t.match(await lineOf(rig, 'a download was not stored'), {
    level: 'warn',
    reason: 'disk-full',
    digest: rig.layer.digest,
    upstream: 'quay.io',
    requestId: 'full-1',
    message: 'the spool cannot be written: its disk is full',
    err: { cause: { code: 'ENOSPC' } },
  });
  const metrics = await rig.metrics();
  t.equal(sampleOf(metrics, 'quayside_fills_not_kept_total{reason="disk-full"}'), 1);
  t.equal(sampleOf(metrics, 'quayside_fills_total{outcome="failed"}'), undefined);
  emptied();
  t.equal((await rig.get('manifests/tools')).status, 200, 'no manifest is withheld');
});

test('a record that a full disk does not take is counted as that', async (t) => {
  const rig = await badDay(t);
  await diskFull(t);
  t.equal((await rig.get('manifests/tools')).status, 200);
  t.match(await lineOf(rig, 'the disk of the store is full (ENOSPC); pulls continue and are not stored'), {
    fault: 'disk-full',
    operation: 'write',
  });
  t.match(await rig.metrics(), /store_failures_total\{operation="write",cause="disk-full"\} [1-9]/);
});

test('a download that the upstream broke says so, with digest, upstream, reason and request', async (t) => {
  const rig = await badDay(t, { upstream: { retries: 0 } });
  rig.double.switches.servesWrongBytes = true;
  t.equal(await digestOrCut(await rig.getLayer(asked('bad-1'))), 'cut');
  t.match(await lineOf(rig, 'a download was not stored'), {
    level: 'info',
    reason: 'failed',
    digest: rig.layer.digest,
    upstream: 'quay.io',
    requestId: 'bad-1',
    message: 'the content does not match its digest or size',
  });
});

test('what came from the upstream because S3 lost it is no hit of the store', async (t) => {
  const { s3, rig } = await overS3(t);
  await stored({ s3, rig });
  const warm = await rig.getLayer(asked('warm-1'));
  t.equal(warm.headers.get('quayside-cache'), 'hit; store');
  t.equal(await digestOrCut(warm), rig.layer.digest);
  s3.switches.losesObjects = true;
  const before = await rig.metrics();
  const answer = await rig.getLayer(asked('lost-1'));
  t.equal(answer.headers.get('quayside-cache'), 'miss; fill');
  t.equal(await digestOrCut(answer), rig.layer.digest);
  t.match(await lineOf(rig, 'request', 'lost-1'), { status: 200, hit: 'fill' });
  const reads = 'quayside_cache_reads_total{kind="blob",hit="store"}';
  t.equal(sampleOf(await rig.metrics(), reads), sampleOf(before, reads));
});

test('what S3 broke in the middle is of the upstream in log and metrics', async (t) => {
  const { s3, rig } = await overS3(t);
  await stored({ s3, rig });
  s3.switches.dropsAfter = 200_000;
  const answer = await rig.getLayer(asked('half-1'));
  t.equal(await digestOrCut(answer), rig.layer.digest);
  // The first download may still be on its way into S3: then the rest joins it.
  t.match(await lineOf(rig, 'request', 'half-1'), { status: 200, hit: /^(?:fill|joined)$/ });
  const metrics = await rig.metrics();
  const sent = (source: string) => sampleOf(metrics, `quayside_sent_bytes_total{source="${source}"}`) ?? 0;
  t.ok(sent('fill') + sent('joined') > 100_000);
});
