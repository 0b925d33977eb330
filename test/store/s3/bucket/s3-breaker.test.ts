import { test } from 'tap';
import { S3Breaker } from '../../../../src/store/s3/bucket/s3-breaker.ts';
import { until } from '../../../support/bodies.ts';
import { createManualClock } from '../../../support/manual-clock.ts';
import { described, large, pieces, whole } from '../../store-suite.ts';
import { blob, holdBlob, made } from '../s3-store-fixture.ts';

const impatient = { failures: 2, probeAfterMs: 20, retries: 0 };
/** From a call to the head of its answer, by the clock of the test. */
const firstByteTimeoutMs = 60_000;

test('an S3 that never answers is left alone after a few failures, and its waiting calls are cut', async (t) => {
  const changes: boolean[] = [];
  const events = {
    availabilityChanged: ({ isAvailable }: { isAvailable: boolean }) => changes.push(isAvailable),
  };
  const clock = createManualClock();
  const { s3, store, blobs } = await made(t, { ...impatient, firstByteTimeoutMs, events, clock });
  await blobs.put(blob, pieces(large));
  const before = s3.requests.length;
  s3.switches.silent = true;
  const first = [store.records.get('v1/leases/1'), store.records.get('v1/leases/2')];
  const body = Buffer.alloc(900_000, 'a long upload');
  const upload = blobs.put(described(body), pieces(body));
  const ended = [
    ...first.map((call) => t.rejects(call, { code: 'UNAVAILABLE' })),
    t.rejects(upload, { code: 'UNAVAILABLE' }),
  ];
  await until(() => s3.requests.length === before + 3, 'the three calls');
  // The upload alone would be given 56 s more.
  await clock.pass(firstByteTimeoutMs);
  await Promise.all(ended);
  const asked = s3.requests.length;
  await t.rejects(blobs.open(blob.digest), { code: 'UNAVAILABLE' });
  await t.rejects(
    blobs.stat(blob.digest),
    { code: 'UNAVAILABLE' },
    'what is known to be there cannot be had',
  );
  t.equal(await store.isUsable(), false);
  t.notOk(
    s3.requests.slice(asked).some(({ key }) => !key.includes('probes/')),
    'nothing but probes',
  );
  s3.switches.silent = false;
  await until(async () => {
    await clock.pass(1_000);
    return changes.length === 2;
  }, 'the mended breaker');
  t.same(changes, [false, true]);
  t.equal(await store.isUsable(), true);
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
});

test('a read of a blob, which an upstream has too, is given up in a quarter of the time', async (t) => {
  const clock = createManualClock();
  const { s3, blobs } = await made(t, { failures: 9, retries: 3, firstByteTimeoutMs, clock });
  await blobs.put(blob, pieces(large));
  const before = s3.requests.length;
  s3.switches.silent = true;
  const read = t.rejects(blobs.open(blob.digest), { code: 'UNAVAILABLE' });
  await until(() => s3.requests.length > before, 'the read');
  await clock.pass(firstByteTimeoutMs / 4);
  await read;
});

test('a slow S3 that answers other calls is not a silent one', async (t) => {
  const clock = createManualClock();
  const breaker = new S3Breaker({ probe: async () => false, clock });
  const [read, longest] = [breaker.begin(3_000, undefined, 750), breaker.begin(3_000, undefined, 750)];
  for (let calls = 0; calls < 3; calls += 1) {
    await clock.pass(500);
    breaker.begin(3_000).ended('answered');
  }
  t.notOk(read.signal.aborted, 'after 1.5 s');
  await clock.pass(749);
  t.notOk(read.signal.aborted);
  await clock.pass(1);
  t.match(read.signal.reason, { message: 'S3 answered nothing for 750 ms' });
  longest.ended('unknown');
  read.ended('failed');
  t.equal(clock.running, 0);
});

test('what S3 delivers too slowly is given up, and opens the breaker for other objects too', async (t) => {
  const { s3, store, blobs } = await made(t, {
    ...impatient,
    leastBytesPerSecond: 64 * 1024,
  });
  const other = Buffer.from(large).fill('o', 0, 1);
  holdBlob(s3, blob.digest, large);
  holdBlob(s3, described(other).digest, other);
  s3.switches.bytesPerSecond = 10_000;
  const slow = [blobs.open(blob.digest).then(whole), blobs.open(described(other).digest).then(whole)];
  await Promise.all(slow.map((read) => t.rejects(read, { code: 'UNAVAILABLE' })));
  t.equal(await store.isUsable(), false);
});

test('one bad object, read again and again, closes the way to no other', async (t) => {
  const { s3, blobs } = await made(t, impatient);
  holdBlob(s3, blob.digest, large);
  s3.switches.dropsAfter = 10;
  for (let time = 0; time < 4; time += 1)
    await t.rejects(blobs.open(blob.digest).then(whole), { code: 'UNAVAILABLE' });
  s3.switches.dropsAfter = undefined;
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
});

test('readers who hold every connection do not open the breaker', async (t) => {
  const changes: unknown[] = [];
  const events = { availabilityChanged: (event: unknown) => void changes.push(event) };
  const clock = createManualClock();
  const limits = { ...impatient, firstByteTimeoutMs, maxSockets: 1 };
  const { s3, blobs } = await made(t, { ...limits, events, clock });
  holdBlob(s3, blob.digest, large);
  const held = await blobs.open(blob.digest);
  const others = [1, 2, 3].map(() => t.rejects(blobs.open(blob.digest), { code: 'UNAVAILABLE' }));
  // Each has its deadline, and a look at whether S3 answers at all.
  await until(() => clock.running === 2 * others.length, 'the three calls');
  await clock.pass(firstByteTimeoutMs);
  await Promise.all(others);
  t.same(changes, []);
  await held?.close();
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
});

test('a refusal or a caller that leaves is no failure of S3', async (t) => {
  const { s3, store } = await made(t, impatient);
  for (const name of ['1', '2', '3']) t.equal(await store.records.get(`v1/leases/${name}`), undefined);
  s3.switches.silent = true;
  for (const name of ['1', '2', '3']) {
    const signal = AbortSignal.timeout(5);
    await t.rejects(store.blobs.open(described(Buffer.from(name)).digest, { signal }));
  }
  s3.switches.silent = false;
  t.equal(await store.records.get('v1/leases/4'), undefined);
});

test('the pauses between probes double, up to 5 times the first', async (t) => {
  const clock = createManualClock();
  const times: number[] = [];
  const probe = async (): Promise<boolean> => {
    times.push(clock.now() / 1_000);
    return times.length === 8;
  };
  const breaker = new S3Breaker({ probe, failures: 1, clock });
  breaker.begin(1_000).ended('failed');
  t.throws(() => breaker.check(), { code: 'UNAVAILABLE' });
  await clock.pass(200_000);
  t.same(times, [1, 3, 7, 12, 17, 22, 27, 32]);
  breaker.check();
  t.equal(clock.running, 0);
});
