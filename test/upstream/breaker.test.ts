import { test } from 'tap';
import { admitted, type BreakerState, closedBreaker, settled } from '../../src/upstream/breaker.ts';
import { app, refusalOf, rig, v1 } from './rig.ts';

const options = { failures: 3, openMs: 5_000 };
const open: BreakerState = { phase: 'open', failures: 3, openedAt: 1_000 };

test('it opens after so many failures in a row', async (t) => {
  let state = closedBreaker;
  for (let failure = 0; failure < 2; failure += 1) state = settled(state, 'failure', 1_000, options);
  t.equal(state.phase, 'closed');
  t.same(settled(state, 'failure', 1_000, options), open);
});

test('a success in between starts the count again', async (t) => {
  const state = settled({ phase: 'closed', failures: 2, openedAt: 0 }, 'success', 1_000, options);
  t.same(state, closedBreaker);
});

test('while open nothing is admitted, then one request', async (t) => {
  t.equal(admitted(open, 5_999, options), undefined);
  const trying = admitted(open, 6_000, options);
  t.equal(trying?.phase, 'half-open');
  t.equal(trying && admitted(trying, 6_000, options), undefined);
});

test('the one request decides', async (t) => {
  const trying: BreakerState = { ...open, phase: 'half-open' };
  t.equal(settled(trying, 'success', 6_100, options).phase, 'closed');
  t.same(settled(trying, 'failure', 6_100, options), { phase: 'open', failures: 4, openedAt: 6_100 });
});

test('a caller who leaves decides nothing, and the next request may try', async (t) => {
  const after = settled({ ...open, phase: 'half-open' }, 'unknown', 6_100, options);
  t.equal(admitted(after, 6_100, options)?.phase, 'half-open');
});

test('an upstream that fails is left alone, and asked again seconds later', async (t) => {
  let now = 1_000_000;
  const { registry, upstream, events } = await rig(t, { now: () => now, retries: 0, breaker: options });
  registry.addImage('team/app', 'v1');
  registry.switches.status = { of: 'everything', code: 500 };
  for (let request = 0; request < 3; request += 1) await refusalOf(upstream.manifest(app, v1));
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, { code: 'UNAVAILABLE', retryAfterSeconds: 5 });
  t.equal(registry.requests.length, 3);
  t.equal(await upstream.isReachable(), false);
  now += 5_000;
  delete registry.switches.status;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same(
    events.filter((line) => line.startsWith('breaker')),
    ['breaker open', 'breaker half-open', 'breaker closed'],
  );
});

test('throttling and refusals do not open it', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: { failures: 1 } });
  for (const code of [429, 404, 403, 401]) {
    registry.switches.status = { of: 'everything', code };
    await upstream.manifest(app, v1).catch(() => {});
  }
  t.equal(registry.requests.length, 4);
  t.notOk(events.some((line) => line.startsWith('breaker')));
});

test('a CDN in trouble does not keep us from manifests', async (t) => {
  const { registry, upstream } = await rig(t, { retries: 0, breaker: { failures: 1 } });
  const image = registry.addImage('team/app', 'v1');
  registry.switches.redirectsBlobs = true;
  registry.switches.status = { of: 'cdn', code: 503 };
  t.equal((await refusalOf(upstream.openBlob(app, image.config))).code, 'UNAVAILABLE');
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});
