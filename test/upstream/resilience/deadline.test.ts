import { test } from 'tap';
import { app, blobIn, pulled, refusalOf, rig, v1 } from '../rig.ts';

const late = { code: 'UNAVAILABLE', message: 'the upstream did not answer within 0.1 s' };

/** How long the work takes, milliseconds. */
async function timed(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work.catch(() => undefined);
  return performance.now() - startedAt;
}

test('a question that hangs ends in its time, whatever each try may take', async (t) => {
  const limits = { manifestTimeoutMs: 100, questionTimeoutMs: 100, firstByteTimeoutMs: 10_000 };
  const breaker = { failures: 100 };
  const { registry, upstream } = await rig(t, { ...limits, breaker });
  const { digest } = blobIn(registry, 10);
  registry.switches.delayMs = 30_000;
  t.match(await refusalOf(upstream.manifest(app, v1)), late);
  t.match(await refusalOf(upstream.manifest(app, v1, { method: 'HEAD' })), late);
  t.match(await refusalOf(upstream.statBlob(app, digest)), late);
  t.match(await refusalOf(upstream.openBlob(app, digest)), late);
  t.match(await refusalOf(upstream.forwardBlob(app, digest, { method: 'GET' })), late);
  t.match(await refusalOf(upstream.tags(app, '')), late);
});

test('questions that hang open the breaker as other silence does, so that the next are refused at once', async (t) => {
  const { registry, upstream, events } = await rig(t, { manifestTimeoutMs: 50, breaker: { failures: 2 } });
  registry.addImage('team/app', 'v1');
  registry.switches.delayMs = 30_000;
  await refusalOf(upstream.manifest(app, v1));
  await refusalOf(upstream.manifest(app, v1));
  const asked = registry.seen('manifests').length;
  t.match(await refusalOf(upstream.manifest(app, v1)), { code: 'UNAVAILABLE' });
  t.equal(registry.seen('manifests').length, asked);
  t.ok(events.includes('requested manifest 0'));
});

test('a wait that would end too late is not begun', async (t) => {
  const { registry, upstream } = await rig(t, { questionTimeoutMs: 5_000 });
  const { digest } = blobIn(registry, 10);
  registry.switches.status = { of: 'blobs', code: 429 };
  registry.switches.retryAfter = '6';
  const opened = upstream.openBlob(app, digest);
  t.ok((await timed(opened)) < 2_500);
  t.match(await refusalOf(opened), { code: 'TOOMANYREQUESTS', retryAfterSeconds: 6 });
});

test('a body may take longer than the question for it', async (t) => {
  const { registry, upstream } = await rig(t, { questionTimeoutMs: 300 });
  const layer = blobIn(registry, 100_000);
  registry.switches.bytesPerSecond = 200_000;
  t.same(await pulled(upstream, layer.digest), layer.bytes);
});

test('an urgent question is not asked again of a registry that throttles', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.throttles = 10;
  registry.switches.retryAfter = '1';
  const refused = await refusalOf(upstream.manifest(app, v1, { isUrgent: true }));
  t.match(refused, { code: 'TOOMANYREQUESTS' });
  t.equal(registry.requests.length, 1);
});

test('an urgent question is asked again after a failure', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.status = { of: 'manifests', code: 503, times: 1 };
  t.match(await upstream.manifest(app, v1, { isUrgent: true }), { kind: 'found' });
});
