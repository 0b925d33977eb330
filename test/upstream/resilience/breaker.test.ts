import { mock } from 'node:test';
import { test } from 'tap';
import { parseRepository, type Repository } from '../../../src/oci/reference.ts';
import {
  admitted,
  type BreakerState,
  closedBreaker,
  settled,
} from '../../../src/upstream/resilience/breaker.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { until } from '../../support/bodies.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { app, lines, refusalOf, rig, v1 } from '../rig.ts';

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

const other = parseRepository('team/other');

/** Asks so often, by turns, for a tag of these repositories, and is refused each time. */
async function refused(upstream: Upstream, count: number, repositories: readonly Repository[]) {
  for (let at = 0; at < count; at += 1)
    await refusalOf(upstream.manifest(repositories[at % repositories.length] ?? app, v1));
}

const ofBreaker = (events: readonly string[]) => events.filter((line) => line.startsWith('breaker'));

test('an upstream that fails is left alone, and asked again seconds later', async (t) => {
  let now = 1_000_000;
  const { registry, upstream, events } = await rig(t, { now: () => now, retries: 0, breaker: options });
  registry.addImage('team/app', 'v1');
  registry.switches.status = { of: 'everything', code: 500 };
  await refused(upstream, 3, [app, other]);
  await until(() => events.includes('breaker open'));
  const refusal = await refusalOf(upstream.manifest(app, v1));
  t.match(refusal, { code: 'UNAVAILABLE', retryAfterSeconds: 5 });
  t.equal(registry.requests.length, 4, 'the last is /v2/');
  t.equal(await upstream.isReachable(), false);
  now += 5_000;
  delete registry.switches.status;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same(ofBreaker(events), ['breaker open', 'breaker half-open', 'breaker closed']);
});

test('a clock that is set back does not keep an upstream closed for longer', async (t) => {
  const { registry, upstream, events } = await rig(t, {
    retries: 0,
    breaker: { ...options, openMs: 60_000 },
  });
  registry.switches.status = { of: 'everything', code: 500 };
  await refused(upstream, 3, [app, other]);
  await until(() => events.includes('breaker open'));
  mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  t.teardown(() => mock.timers.reset());
  const { retryAfterSeconds = Number.POSITIVE_INFINITY } = await refusalOf(upstream.manifest(app, v1));
  t.ok(retryAfterSeconds <= 60);
});

test('a repository that alone fails is left alone by itself, and asked again seconds later', async (t) => {
  let now = 1_000_000;
  const { registry, upstream, events } = await rig(t, { now: () => now, retries: 0, breaker: options });
  registry.addImage('team/app', 'v1');
  registry.addImage('team/other', 'v1');
  registry.switches.status = { of: 'manifests', code: 500, times: 3 };
  await refused(upstream, 5, [app]);
  await until(() => lines(registry).includes('GET /v2/ 200'));
  t.equal(registry.requests.length, 4, 'and the registry itself is asked, once');
  t.equal((await upstream.manifest(other, v1)).kind, 'found');
  t.equal(await upstream.isReachable(), true);
  now += 5_000;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same(ofBreaker(events), []);
});

test('however many repositories fail, others of a registry that answers are asked for', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: options });
  registry.addImage('team/well', 'v1');
  registry.switches.status = { of: 'manifests', code: 500, times: 8 };
  await refused(upstream, 8, ['a', 'b', 'c', 'd'].map(parseRepository));
  t.equal((await upstream.manifest(parseRepository('team/well'), v1)).kind, 'found');
  t.same(ofBreaker(events), []);
});

test('a repository that fails while the registry is tried again does not keep it closed to others', async (t) => {
  let now = 1_000_000;
  const { registry, upstream, events } = await rig(t, { now: () => now, retries: 0, breaker: options });
  registry.addImage('team/other', 'v1');
  registry.switches.status = { of: 'everything', code: 500 };
  await refused(upstream, 3, [app, other]);
  await until(() => events.includes('breaker open'));
  now += 5_000;
  registry.switches.status = { of: 'manifests', code: 500, times: 1 };
  await refused(upstream, 1, [app]);
  await until(() => events.includes('breaker closed'));
  t.equal((await upstream.manifest(other, v1)).kind, 'found');
});

test('a token server that answers is no sign of life of its registry', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: options });
  const realm = await registryDouble();
  t.teardown(() => realm.close());
  registry.switches.requiresToken = { realm: `${realm.url}/token` };
  realm.switches.requiresToken = { expiresIn: 0 };
  await refused(upstream, 1, [app]);
  await registry.close();
  await refused(upstream, 3, [app]);
  t.same(ofBreaker(events), ['breaker open']);
  t.equal(await upstream.isReachable(), false);
});

test('a registry of which one repository alone is asked for is left alone when it answers nothing at all', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: options });
  registry.switches.status = { of: 'everything', code: 502 };
  await refused(upstream, 3, [app]);
  await until(() => events.includes('breaker open'));
  const { length } = registry.requests;
  await refused(upstream, 2, [app, other]);
  t.equal(registry.requests.length, length);
});

test('an upstream that takes no connection is left alone, whatever was asked for', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: options });
  await upstream.manifest(app, v1);
  await registry.close();
  await refused(upstream, 3, [app]);
  t.same(ofBreaker(events), ['breaker open']);
});

test('answers that cannot be read, and end-points that are not there, do not open it', async (t) => {
  const { registry, upstream, events } = await rig(t, { retries: 0, breaker: { failures: 1 } });
  registry.addImage('team/app', 'v1');
  registry.switches.headBytes = 300_000;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
  delete registry.switches.headBytes;
  registry.switches.status = { of: 'tags', code: 501 };
  t.equal((await refusalOf(upstream.tags(app, ''))).code, 'UNAVAILABLE');
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same(ofBreaker(events), []);
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
