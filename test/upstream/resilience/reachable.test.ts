import { test } from 'tap';
import { app, eventsInto, lines, rig, v1 } from '../rig.ts';

test('an upstream that answers a ping is reachable, a 401 too', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.switches.requiresToken = {};
  t.equal(await upstream.isReachable(), true);
  t.same(lines(registry), ['GET /v2/ 401']);
});

test('one ping serves all who ask meanwhile', async (t) => {
  const { registry, upstream } = await rig(t);
  t.same(await Promise.all(Array.from({ length: 5 }, () => upstream.isReachable())), Array(5).fill(true));
  t.equal(registry.requests.length, 1);
});

test('an answer of the last seconds is as good as a ping', async (t) => {
  let now = 1_000_000;
  const { registry, upstream } = await rig(t, { now: () => now });
  await upstream.manifest(app, v1);
  now += 2_900;
  t.equal(await upstream.isReachable(), true);
  t.same(lines(registry), ['GET manifests 404']);
  now += 200;
  t.equal(await upstream.isReachable(), true);
  t.same(lines(registry), ['GET manifests 404', 'GET /v2/ 200']);
});

test('a failure takes back what the answers before it said', async (t) => {
  const { registry, upstream } = await rig(t, { retries: 0 });
  await upstream.manifest(app, v1);
  registry.switches.down = true;
  await upstream.manifest(app, v1).catch(() => {});
  t.equal(await upstream.isReachable(), false);
});

test('an upstream that fails or is gone is not reachable', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.switches.status = { of: 'everything', code: 502 };
  t.equal(await upstream.isReachable(), false);
  registry.switches.down = true;
  t.equal(await upstream.isReachable(), false);
});

test('who asks may leave before the ping comes back', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.switches.delayMs = 5_000;
  await t.rejects(upstream.isReachable({ signal: AbortSignal.timeout(30) }), { name: 'TimeoutError' });
});

test('why an upstream does not answer is told once, and that it answers again', async (t) => {
  const told: unknown[] = [];
  const reachabilityChanged = (event: unknown) => void told.push(event);
  const { registry, upstream } = await rig(t, { events: { ...eventsInto([]), reachabilityChanged } });
  registry.switches.status = { of: 'everything', code: 502 };
  for (let time = 0; time < 2; time += 1) t.equal(await upstream.isReachable(), false);
  delete registry.switches.status;
  t.equal(await upstream.isReachable(), true);
  t.match(told, [
    { upstream: 'registry.test', isReachable: false, error: { message: 'status 502 to GET /v2/' } },
    { isReachable: true },
  ]);
  t.equal(told.length, 2);
});

test('a breaker that opened elsewhere opens here only after one question of our own', async (t) => {
  const states: string[] = [];
  const breakerChanged = ({ state }: { readonly state: string }) => void states.push(state);
  const { registry, upstream } = await rig(t, { events: { ...eventsInto([]), breakerChanged } });
  upstream.breakerElsewhere?.(true);
  t.equal(await upstream.isReachable(), true);
  t.equal(registry.seen('/v2/').length, 1);
  t.same(states, []);
  registry.switches.status = { of: 'everything', code: 502 };
  upstream.breakerElsewhere?.(true);
  while (states.length === 0) await new Promise(setImmediate);
  t.same(states, ['open']);
  t.equal(await upstream.isReachable(), false);
  delete registry.switches.status;
  upstream.breakerElsewhere?.(false);
  t.equal(await upstream.isReachable(), true);
});
