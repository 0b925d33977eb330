import { test } from 'tap';
import { readSlowly, until } from '../../support/bodies.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { described, large, pieces, whole } from '../store-suite.ts';
import { blob, made } from './s3-store-fixture.ts';

const dayMs = 24 * 3_600_000;

test('SlowDown is waited out; a throttled call is reported, and refused when it lasts', async (t) => {
  const events: string[] = [];
  const { s3, blobs } = await made(t, { events: { called: ({ outcome }) => events.push(outcome) } });
  const body = Buffer.from('body');
  s3.switches.slowDown = 1;
  await blobs.put(described(body), pieces(body));
  t.same(events, ['ok']);
  s3.switches.slowDown = 2;
  await t.rejects(blobs.open(described(body).digest), { code: 'UNAVAILABLE' });
  t.same(events, ['ok', 'throttled']);
});

test('a clock that is set, or set right, fails no call', async (t) => {
  const outcomes = new Set<string>();
  const { s3, blobs, store } = await made(t, {
    events: { called: ({ outcome }) => outcomes.add(outcome) },
    retries: 0,
  });
  s3.switches.checksTime = true;
  await blobs.put(blob, pieces(large));
  for (const skewMs of [dayMs, 0, -dayMs, 0]) {
    s3.switches.skewMs = skewMs;
    t.ok(await store.isUsable());
    const opened = [1, 2, 3, 4].map(() => blobs.open(blob.digest).then(whole));
    for (const bytes of await Promise.all(opened)) t.ok(large.equals(bytes));
    await blobs.put(blob, pieces(large));
    t.equal(await blobs.stat(described(Buffer.from(`${skewMs}`)).digest), undefined);
  }
  t.same(outcomes, new Set(['ok', 'absent']));
});

test('what S3 says no to for another reason is not sent again when the clock was set', async (t) => {
  const { s3, store } = await made(t, { retries: 0 });
  const key = 'v1/leases/x';
  await store.records.put(key, Buffer.from('1'), { ifVersion: 'absent' });
  s3.switches.skewMs = dayMs;
  const before = s3.requests.length;
  t.equal(await store.records.put(key, Buffer.from('2'), { ifVersion: 'absent' }), undefined);
  t.equal(s3.requests.length - before, 1);
});

test('a URL for clients is signed by the clock of S3, and anew once that was set', async (t) => {
  const { s3, store, blobs } = await made(t);
  s3.switches.checksTime = true;
  for (const skewMs of [dayMs, 0]) {
    s3.switches.skewMs = skewMs;
    t.ok(await store.isUsable());
    await blobs.put(blob, pieces(large));
    const answer = await fetch((await blobs.redirectUrl(blob.digest)) ?? '');
    t.ok(large.equals(Buffer.from(await answer.arrayBuffer())));
  }
});

test('a URL is signed anew also where a read alone has learnt the time of S3', async (t) => {
  const { s3, store, blobs } = await made(t);
  s3.switches.checksTime = true;
  await blobs.put(blob, pieces(large));
  t.ok(await blobs.redirectUrl(blob.digest));
  s3.switches.skewMs = dayMs;
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
  const answer = await fetch((await blobs.redirectUrl(blob.digest)) ?? '');
  t.ok(large.equals(Buffer.from(await answer.arrayBuffer())));
  s3.switches.skewMs = 0;
  t.ok(await store.isUsable());
});

test('an object that became shorter throws, whole or by range, and never ends normally', async (t) => {
  const { s3, blobs } = await made(t);
  await blobs.put(blob, pieces(large));
  s3.switches.truncatesObjects = 1000;
  const cut = (start: number, end: number) => blobs.open(blob.digest, { range: { start, end } }).then(whole);
  await t.rejects(cut(0, blob.size - 1), { code: 'UPSTREAM_INVALID' });
  await t.rejects(cut(999, 1000), { code: 'UPSTREAM_INVALID' });
  await t.rejects(cut(2000, 3000), { code: 'UPSTREAM_INVALID' });
  t.match((await blobs.open(blob.digest))?.descriptor, { size: 1000 });
});

test('a connection that breaks or stalls in the middle throws', async (t) => {
  const { s3, blobs } = await made(t, { stallMs: 50 });
  await blobs.put(blob, pieces(large));
  s3.switches.dropsAfter = 100_000;
  await t.rejects(blobs.open(blob.digest).then(whole), { code: 'UNAVAILABLE' });
  s3.switches.dropsAfter = undefined;
  s3.switches.stallsAfter = 100_000;
  await t.rejects(blobs.open(blob.digest).then(whole), { code: 'UNAVAILABLE' });
});

test('a reader slower than any limit is not cut off', async (t) => {
  const { blobs } = await made(t, { stallMs: 250, firstByteTimeoutMs: 1_000 });
  await blobs.put(blob, pieces(large));
  const content = await blobs.open(blob.digest);
  t.ok(content !== undefined && large.equals(await readSlowly(content.body, 1_100)));
});

test('no reader pins a socket: unread, left early, aborted, cut off', async (t) => {
  const { s3, blobs } = await made(t, { maxSockets: 1 });
  await blobs.put(blob, pieces(large));
  await (await blobs.open(blob.digest))?.close();
  for await (const _ of (await blobs.open(blob.digest))?.body ?? []) break;
  const reader = new AbortController();
  const aborted = await blobs.open(blob.digest, { signal: reader.signal });
  reader.abort(new Error('the reader is gone'));
  await t.rejects(whole(aborted));
  s3.switches.dropsAfter = 10;
  await t.rejects(blobs.open(blob.digest).then(whole));
  s3.switches.dropsAfter = undefined;
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
  t.ok((await s3.connections()) <= 2);
});

test('readers who hold every connection hold up nothing but readers', async (t) => {
  const { store, blobs } = await made(t, { maxSockets: 1, clock: createManualClock() });
  await blobs.put(blob, pieces(large));
  const held = await blobs.open(blob.digest);
  const other = Buffer.from('other');
  await blobs.put(described(other), pieces(other));
  t.type(await store.records.put('v1/leases/x', other), 'string');
  t.equal(await store.isUsable(), true);
  t.ok(large.equals(await whole(held)));
});

test('a store that is down says that it cannot tell, and is not usable', async (t) => {
  const told: unknown[] = [];
  const events = { usabilityChanged: (event: unknown) => void told.push(event) };
  const { s3, store, blobs } = await made(t, { probeAfterMs: 20, events });
  s3.switches.down = true;
  await t.rejects(blobs.stat(blob.digest), { code: 'UNAVAILABLE' });
  await t.rejects(blobs.open(blob.digest), { code: 'UNAVAILABLE' });
  await t.rejects(store.records.get('v1/leases/x'), { code: 'UNAVAILABLE' });
  t.equal(await store.isUsable(), false);
  await until(() => told.length > 0, 'a probe that fails');
  s3.switches.down = false;
  await until(() => store.isUsable(), 'a probe that succeeds');
  t.match(told, [{ isUsable: false, error: { code: 'UNAVAILABLE', cause: Error } }, { isUsable: true }]);
});

test('a probe of a versioned bucket leaves no version behind, where it may delete them', async (t) => {
  for (const refusesVersions of [false, true]) {
    const { s3, store, operations } = await made(t);
    Object.assign(s3.switches, { isVersioned: true, refusesVersions });
    t.equal(await store.isUsable(), true);
    t.same(
      [...s3.versions].map(([, { object }]) => object === undefined),
      refusesVersions ? [false, true] : [],
    );
    t.equal(s3.objects.size, 0);
    t.same(operations().filter((each) => each === 'DeleteObject').length, refusesVersions ? 2 : 1);
  }
});

test('a store that does not answer in time is given up', async (t) => {
  const { s3, blobs } = await made(t, { firstByteTimeoutMs: 30, retries: 0 });
  s3.switches.slowMs = 200;
  await t.rejects(blobs.stat(blob.digest), { code: 'UNAVAILABLE' });
});

test('a conditional write whose answer got lost is known to be ours', async (t) => {
  const { s3, store } = await made(t);
  s3.switches.losesPutAnswers = 1;
  const version = await store.records.put('v1/leases/x', Buffer.from('replica 1'), { ifVersion: 'absent' });
  t.equal(version, (await store.records.get('v1/leases/x'))?.version);
  t.equal(
    await store.records.put('v1/leases/x', Buffer.from('replica 1'), { ifVersion: 'absent' }),
    undefined,
  );
});

test('a server that only knows bare ETags compares versions all the same', async (t) => {
  const { s3, store } = await made(t);
  s3.switches.wantsBareEtags = true;
  const version = (await store.records.put('v1/leases/x', Buffer.from('1'))) ?? '';
  const next = await store.records.put('v1/leases/x', Buffer.from('2'), { ifVersion: version });
  t.equal(next, (await store.records.get('v1/leases/x'))?.version);
  t.equal(await store.records.put('v1/leases/x', Buffer.from('3'), { ifVersion: version }), undefined);
});
