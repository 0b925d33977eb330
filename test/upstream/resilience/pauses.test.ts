import { test } from 'tap';
import type { UpstreamEvents } from '../../../src/upstream/upstream.ts';
import { app, blobIn, eventsInto, lines, pulled, refusalOf, rig, v1 } from '../rig.ts';

type Throttled = Parameters<NonNullable<UpstreamEvents['throttled']>>[0];

function events(told: Throttled[]): UpstreamEvents {
  return { ...eventsInto([]), throttled: (event) => void told.push(event) };
}

test('what one request was told holds for all of its kind, and is told to others once', async (t) => {
  const told: Throttled[] = [];
  const { registry, upstream } = await rig(t, { events: events(told), retries: 0 });
  registry.addImage('team/app', 'v1');
  const { digest, bytes } = blobIn(registry, 100);
  Object.assign(registry.switches, { throttles: 2, retryAfter: '60' });
  const [first] = await Promise.all([upstream.manifest(app, v1), upstream.manifest(app, v1)].map(refusalOf));
  t.match(first, { code: 'TOOMANYREQUESTS', retryAfterSeconds: 60 });
  const asked = registry.requests.length;
  const next = await refusalOf(upstream.manifest(app, v1));
  t.match(next, {
    code: 'TOOMANYREQUESTS',
    retryAfterSeconds: 60,
    message: 'the upstream throttles requests',
  });
  t.equal(registry.requests.length, asked);
  t.same(await pulled(upstream, digest), bytes, 'blobs are another kind');
  t.same(told, [{ upstream: 'registry.test', kind: 'manifest', seconds: 60 }]);
});

test('what another replica was told holds here, and is told to no others', async (t) => {
  const told: Throttled[] = [];
  const { registry, upstream } = await rig(t, { events: events(told) });
  upstream.pausedElsewhere?.({ kind: 'manifest', seconds: 120 });
  upstream.pausedElsewhere?.({ kind: 'manifest', seconds: 1 });
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, { code: 'TOOMANYREQUESTS', retryAfterSeconds: 120, detail: { upstreamStatus: 429 } });
  t.same([lines(registry), told], [[], []]);
});

test('a pause is over after its time', async (t) => {
  let now = Date.parse('2026-11-22T12:00:00Z');
  const { registry, upstream } = await rig(t, { now: () => now });
  registry.addImage('team/app', 'v1');
  upstream.pausedElsewhere?.({ kind: 'manifest', seconds: 120 });
  now += 119_000;
  const waiting = new AbortController();
  const asked = upstream.manifest(app, v1, { signal: waiting.signal });
  waiting.abort(new Error('the client has left'));
  await t.rejects(asked, { message: 'the client has left' }, 'one that ends soon is waited for');
  t.same(lines(registry), []);
  now += 1_000;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});

test('who has another source does not wait for a pause', async (t) => {
  const { registry, upstream } = await rig(t);
  upstream.pausedElsewhere?.({ kind: 'manifest', seconds: 1 });
  const refusal = await refusalOf(upstream.manifest(app, v1, { isUrgent: true }));
  t.equal(refusal.code, 'TOOMANYREQUESTS');
  t.same(lines(registry), []);
});
