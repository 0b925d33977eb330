import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRetryAfter, pauseAfter, retried, TryAgain } from '../../../src/upstream/resilience/retry.ts';
import { app, eventsInto, lines, refusalOf, rig, v1 } from '../rig.ts';

const now = Date.parse('2026-11-22T12:00:00Z');

for (const code of [408, 429, 500, 502, 503, 504]) {
  test(`${code} is tried again`, async (t) => {
    const { registry, upstream, events } = await rig(t);
    registry.addImage('team/app', 'v1');
    registry.switches.status = { of: 'manifests', code, times: 2 };
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    t.same(lines(registry), [`GET manifests ${code}`, `GET manifests ${code}`, 'GET manifests 200']);
    t.equal(events.filter((line) => line === 'retried status').length, 2);
  });
}

for (const [code, expected] of [
  [400, 'UPSTREAM_INVALID'],
  [403, 'DENIED'],
] as const) {
  test(`${code} is final`, async (t) => {
    const { registry, upstream } = await rig(t);
    registry.switches.status = { of: 'manifests', code };
    t.equal((await refusalOf(upstream.manifest(app, v1))).code, expected);
    t.equal(registry.requests.length, 1);
  });
}

test('a failure that stays is told after the last try', async (t) => {
  const { registry, upstream } = await rig(t, { retries: 2 });
  registry.switches.status = { of: 'everything', code: 503 };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
  t.equal(registry.requests.length, 3);
});

test('throttling that stays is told as such, with the wait', async (t) => {
  const { registry, upstream } = await rig(t);
  Object.assign(registry.switches, { throttles: 100, retryAfter: '120' });
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, { code: 'TOOMANYREQUESTS', retryAfterSeconds: 120 });
  t.equal(registry.requests.length, 1, 'a wait of two minutes is not ours');
});

test('throttling without a wait is tried again', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.throttles = 3;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});

test('a short Retry-After is waited for', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  Object.assign(registry.switches, { throttles: 1, retryAfter: '1' });
  const startedAt = performance.now();
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.ok(performance.now() - startedAt >= 990);
});

test('a connection that is cut is tried again', async (t) => {
  const { registry, upstream, events } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.dropsRequests = 2;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.ok(events.includes('retried network'));
});

test('a kept connection that is just being cut is no failure', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: { failures: 1 } });
  registry.addImage('team/app', 'v1');
  await upstream.manifest(app, v1);
  await setImmediate();
  registry.switches.dropsRequests = 1;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.notOk(events.some((line) => line.startsWith('breaker') || line.startsWith('retried')));
});

test('an answer that does not begin in time is a failure', async (t) => {
  const { registry, upstream } = await rig(t, { firstByteTimeoutMs: 100, retries: 0 });
  registry.switches.delayMs = 5_000;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
});

test('a caller who leaves ends the tries, with the caller’s own reason', async (t) => {
  const caller = new AbortController();
  const leaves = () => caller.abort(new Error('the caller has left'));
  const { registry, upstream } = await rig(t, { events: { ...eventsInto([]), retried: leaves } });
  registry.switches.status = { of: 'everything', code: 503 };
  const asked = upstream.manifest(app, v1, { signal: caller.signal });
  await t.rejects(asked, { message: 'the caller has left' });
  t.equal(registry.requests.length, 1);
});

test('a closed upstream refuses, and ends what is under way', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.switches.delayMs = 5_000;
  const asked = upstream.manifest(app, v1);
  await upstream.close();
  t.equal((await refusalOf(asked)).code, 'UNAVAILABLE');
  t.equal((await refusalOf(upstream.tags(app, ''))).code, 'UNAVAILABLE');
});

test('a pause that would end too late is not begun', async (t) => {
  const told: string[] = [];
  const refusal = new RegistryError('UNAVAILABLE', 'the upstream is in trouble');
  const work = () => Promise.reject(new TryAgain('network', refusal));
  const options = { retries: 5, random: () => 1, retried: (reason: string) => void told.push(reason) };
  await t.rejects(retried(work, { ...options, endsAt: performance.now() + 240 }), refusal);
  t.same(told, []);
});

test('pauses double, and any part of them may be taken', async (t) => {
  t.equal(
    pauseAfter(0, undefined, () => 1),
    250,
  );
  t.equal(
    pauseAfter(3, undefined, () => 1),
    2_000,
  );
  t.equal(
    pauseAfter(30, undefined, () => 1),
    5_000,
  );
  t.equal(
    pauseAfter(3, undefined, () => 0),
    0,
  );
});

test('a wait that is asked for is never shortened', async (t) => {
  t.equal(
    pauseAfter(0, 10, () => 0),
    10_000,
  );
  t.equal(
    pauseAfter(0, 10, () => 1),
    10_250,
  );
  t.equal(
    pauseAfter(0, 60, () => 0),
    undefined,
  );
});

test('Retry-After is a number or a date', async (t) => {
  t.equal(parseRetryAfter('7', now), 7);
  t.equal(parseRetryAfter('Sun, 22 Nov 2026 12:00:30 GMT', now), 30);
  t.equal(parseRetryAfter('Sun, 22 Nov 2026 11:00:00 GMT', now), 0);
  t.equal(parseRetryAfter('86400', now), 300);
  t.equal(parseRetryAfter('soon', now), undefined);
  t.equal(parseRetryAfter(undefined, now), undefined);
});
