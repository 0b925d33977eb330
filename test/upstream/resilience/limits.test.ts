import { test } from 'tap';
import { createRateLimiter } from '../../../src/upstream/resilience/limits.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { app, blobIn, bytesOfBlob, pulled, refusalOf, rig, v1 } from '../rig.ts';

test('a request that finds the queue full is refused for two seconds', async (t) => {
  const { registry, upstream } = await rig(t, { maxConcurrent: 1, maxQueued: 0 });
  const layer = blobIn(registry, 5_000_000);
  const opened = await upstream.openBlob(app, layer.digest);
  const refusal = await refusalOf(upstream.openBlob(app, layer.digest));
  t.match(refusal, { code: 'TOOMANYREQUESTS', retryAfterSeconds: 2 });
  opened?.close();
});

test('a download holds its place until its last byte', async (t) => {
  const { registry, upstream } = await rig(t, { maxConcurrent: 1, maxQueued: 1 });
  const layer = blobIn(registry, 5_000_000);
  const opened = await upstream.openBlob(app, layer.digest);
  const next = pulled(upstream, layer.digest);
  t.equal((await refusalOf(upstream.openBlob(app, layer.digest))).code, 'TOOMANYREQUESTS');
  t.equal(registry.requests.length, 1);
  t.same(await bytesOfBlob(opened), layer.bytes);
  t.same(await next, layer.bytes);
});

test('downloads never hold up a question', async (t) => {
  const { registry, upstream } = await rig(t, { maxConcurrent: 1, maxQueued: 0 });
  registry.addImage('team/app', 'v1');
  const opened = await upstream.openBlob(app, blobIn(registry, 5_000_000).digest);
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  opened?.close();
});

test('a login needs no second place', async (t) => {
  const { registry, upstream } = await rig(t, { maxConcurrent: 1, maxQueued: 1 });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  registry.switches.requiresToken = { expiresIn: 300, user: 'somebody' };
  registry.revokeTokens();
  for (let request = 0; request < 3; request += 1) {
    t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  }
});

test('requests are spread out to so many a second', async (t) => {
  const { registry, upstream } = await rig(t, { requestsPerSecond: 20 });
  registry.addImage('team/app', 'v1');
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: 26 }, () => upstream.manifest(app, v1, { method: 'HEAD' })));
  t.ok(performance.now() - startedAt >= 250, 'twenty at once, then one every 50 ms');
  t.equal(registry.requests.length, 26);
});

test('after a pause there is a burst of one second’s worth, and no more', async (t) => {
  const clock = createManualClock();
  await clock.pass(1_000_000);
  const turn = createRateLimiter(() => 20, clock);
  for (let count = 0; count < 20; count += 1) await turn(AbortSignal.abort());
  const leaving = new AbortController();
  const late = turn(leaving.signal);
  leaving.abort(new Error('it waits'));
  await t.rejects(late, { message: 'it waits' });
});
