import { join } from 'node:path';
import { type Test, test } from 'tap';
import { readKeyPair } from '../../../src/app/certificate.ts';
import { bad } from '../../../src/app/conditions/findings.ts';
import { mirrorSources } from '../../../src/app/conditions/mirror-sources.ts';
import {
  certificateSources,
  clockSource,
  diskSources,
  spoolSource,
  storeSource,
} from '../../../src/app/conditions/own-sources.ts';
import {
  clusterSources,
  streamSources,
  upstreamSources,
} from '../../../src/app/conditions/remote-sources.ts';
import { createSigns } from '../../../src/app/conditions/signs.ts';
import { createClusterClients } from '../../../src/app/mirror/cluster-clients.ts';
import { MirrorWatch } from '../../../src/app/mirror/state.ts';
import type { ConditionSource } from '../../../src/conditions/condition.ts';
import { load } from '../../../src/config/load.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { mirrorMetrics } from '../../../src/predecessors/outputs/mirror-metrics.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { testAuthority } from '../../support/certificates.ts';
import { clusterDouble } from '../../support/cluster-double.ts';
import { app, rig, v1 } from '../../upstream/rig.ts';

const { signal } = new AbortController();

async function found(source: ConditionSource | undefined) {
  return (await source?.look(signal)) ?? [];
}

/** Signs, the events that leave them, and a clock that is turned. */
function stage() {
  let time = 0;
  const now = (): number => time;
  const signs = createSigns(now);
  const meters = createMetrics();
  const events = signs.noted({ ...meters.events, ...mirrorMetrics(meters) });
  return { signs, events, now, pass: (ms: number) => (time += ms) };
}

test('a spool is usable until no file can be made in it, or it is full', async (t) => {
  const { signs, events } = stage();
  const source = spoolSource(load('spool: { path: /spool, maxBytes: 1000 }', {}), signs);
  t.match(await found(source), [{ status: 'True' }]);
  events.spoolChanged({ bytes: 960 });
  t.match(await found(source), [{ status: 'False', reason: 'Full', message: /^96 % of the spool/ }]);
  const error = Object.assign(new Error('permission denied'), { code: 'EACCES' });
  events.spoolUsabilityChanged?.({ isUsable: false, error });
  t.match(await found(source), [
    { status: 'False', reason: 'EACCES', message: /^\/spool cannot be written: .*: permission denied$/ },
  ]);
  events.spoolUsabilityChanged?.({ isUsable: true });
  events.spoolChanged({ bytes: 0 });
  t.match(await found(source), [{ status: 'True' }]);
});

test('the disk before a bucket is usable while it takes a file, and no condition without it', async (t) => {
  const { signs, events } = stage();
  let isUsable = true;
  const [source] = diskSources({ isUsable: async () => isUsable }, '/copies', signs);
  if (source === undefined) throw new Error('there is no condition');
  t.match(await found(source), [{ status: 'True' }]);
  const error = Object.assign(new Error('read-only file system'), { code: 'EROFS' });
  events.diskUsabilityChanged({ isUsable: false, error });
  isUsable = false;
  t.match(await found(source), [
    { status: 'False', reason: 'EROFS', message: /^\/copies cannot be written: pulls continue from S3/ },
  ]);
  t.same(diskSources(undefined, undefined, signs), []);
});

test('our clock is wrong when those of others agree that it is', async (t) => {
  const { signs, events } = stage();
  let ofS3: number | undefined;
  const source = clockSource(signs, () => ofS3);
  t.match(await found(source), [{ status: 'Unknown', reason: 'NothingToCompare' }]);
  events.dated?.({ upstream: 'quay.io', skewMs: 500 });
  events.dated?.({ upstream: 'docker.io', skewMs: 900_000 });
  events.dated?.({ upstream: 'ghcr.io', skewMs: -20 });
  t.match(await found(source), [{ status: 'True' }], 'one that is wrong is outvoted');
  for (const upstream of ['quay.io', 'ghcr.io']) events.dated?.({ upstream, skewMs: 900_000 });
  ofS3 = 899_000;
  t.match(await found(source), [
    { status: 'False', reason: 'ClockSkewed', message: /^our clock is 900 s behind/ },
  ]);
});

function certified(t: Test, now: number) {
  const folder = t.testdir({ ...testAuthority().issued() });
  const config = load(`tls: { certFile: ${join(folder, 'cert')}, keyFile: ${join(folder, 'key')} }`, {});
  return certificateSources(config, { read: readKeyPair, wall: () => now })[0];
}

test('a certificate counts as bad a day before it expires, and where it cannot be used', async (t) => {
  t.same(certificateSources(load('', {}), { read: readKeyPair }), []);
  t.match(await found(certified(t, Date.now())), [{ status: 'True', reason: 'Valid' }]);
  t.match(await found(certified(t, Date.parse('2100-01-01'))), [{ status: 'False', reason: 'Expired' }]);
  t.match(await found(certified(t, 0)), [{ status: 'False', reason: 'NotYetValid' }]);
  const missing = load('tls: { certFile: /nowhere/cert, keyFile: /nowhere/key }', {});
  t.match(await found(certificateSources(missing, { read: readKeyPair })[0]), [
    { status: 'False', reason: 'ENOENT' },
  ]);
});

test('the lease, the queue and what is parked are told', async (t) => {
  const watch = new MirrorWatch();
  const now = 10_000_000;
  const [source] = mirrorSources(
    () => watch.state(undefined),
    () => now,
  );
  t.match(await found(source), [{ reason: 'HeldByAnother' }, { status: 'True' }, { status: 'True' }]);
  const lease = watch.noted({ acquired: () => {}, lost: () => {}, released: () => {}, failed: () => {} });
  lease.failed?.({ name: 'mirror', error: new Error('the store is gone') });
  t.match(await found(source), [{ status: 'False', reason: 'LeaseFailed', message: /the store is gone/ }]);
  await watch.followed({ read: async () => undefined, write: async () => undefined }).read();
  t.match(await found(source), [{ status: 'True', reason: 'HeldByAnother' }]);
  const [busy] = mirrorSources(
    () => ({
      lease: 'held',
      tasks: {
        ...{ waiting: 3, running: 1, parked: 2, oldestAt: now - 2 * 3_600_000 },
        example: { destination: 'quay.io/openshift/ci:a', reason: 'no such image' },
      },
    }),
    () => now,
  );
  t.match(await found(busy), [
    { status: 'True', reason: 'Held' },
    {
      status: 'False',
      reason: 'Behind',
      message: '3 images wait, 1 are copied; the oldest has waited for 120 min',
    },
    {
      status: 'False',
      reason: 'Parked',
      message: /^2 images are parked, such as quay\.io\/openshift\/ci:a: no such/,
    },
  ]);
});

test('a cluster is asked with the right that it is there for, once its last answer is old', async (t) => {
  const cluster = await clusterDouble({ users: {} });
  t.teardown(() => cluster.close());
  const kubeconfigFile = await cluster.kubeconfig(t.testdir());
  const config = load(
    JSON.stringify({
      clusters: { 'app.ci': { kubeconfigFile } },
      hosts: { '*': { auth: 'cluster', access: 'imagestream' } },
    }),
    {},
  );
  const clients = createClusterClients(config.clusters);
  t.teardown(() => clients.close());
  const { signs, events, now, pass } = stage();
  const [source] = clusterSources(config, clients, signs, now);
  t.same(await found(source), [undefined], 'in the first minute a login may tell');
  pass(60_000);
  t.match(await found(source), [{ status: 'True', reason: 'Answers' }]);
  cluster.switches.isDown = true;
  const [down] = await found(source);
  t.match(down, { status: 'False' });
  events.reviewed({ cluster: 'app.ci', kind: 'token', outcome: 'yes', seconds: 0.1 });
  t.match(await found(source), [{ status: 'True' }], 'a review of this minute is enough');
});

test('a cluster that never answers is not reachable before the look of 8 s ends', async (t) => {
  const { signs, now, pass } = stage();
  const config = load('{ clusters: { app.ci: {} } }', { PORT: '1' });
  const limits: unknown[] = [];
  const text = async ({ timeoutMs }: { timeoutMs?: number }): Promise<never> => {
    limits.push(timeoutMs);
    throw new Error('it did not answer in time');
  };
  const clients = { of: async () => ({ text }) as never };
  const [source] = clusterSources(config, clients, signs, now);
  pass(60_000);
  t.match(await found(source), [{ status: 'False' }]);
  t.same(limits, [5_000]);
});

test('an upstream is asked only if no pull has told of it within a minute', async (t) => {
  const { signs, events, now, pass } = stage();
  const { registry, upstream } = await rig(t, { events });
  const [source] = upstreamSources([upstream], signs, now);
  t.same(await found(source), [undefined]);
  t.same(registry.requests, []);
  registry.switches.down = true;
  pass(60_000);
  const [down] = await found(source);
  t.match(down, { status: 'False', message: /^\S+ cannot be used: what is not stored cannot be pulled: ./ });
  registry.switches.down = false;
  events.requested({ upstream: upstream.name, kind: 'manifest', status: 401, seconds: 0.1 });
  const asked = registry.requests.length;
  t.match(await found(source), [{ status: 'True', reason: 'Reachable' }]);
  pass(59_000);
  t.match(await found(source), [{ status: 'True' }]);
  t.equal(registry.requests.length, asked);
});

test('a circuit breaker that opened without a ping is told with the failure that opened it', async (t) => {
  const { signs, events, now, pass } = stage();
  const { registry, upstream } = await rig(t, { events, breaker: { failures: 1, openMs: 100_000 } });
  const [source] = upstreamSources([upstream], signs, now);
  registry.switches.down = true;
  pass(60_000);
  await t.rejects(upstream.manifest(app, v1));
  t.match(await found(source), [{ status: 'False', reason: /^(?:ECONNRESET|UND_ERR_SOCKET)$/ }]);
  events.breakerChanged({ upstream: upstream.name, state: 'open', error: new Error('it answered 503') });
  t.match(await found(source), [{ message: /: it answered 503$/ }]);
});

test('a store whose circuit breaker is open is told with its place and the failure that opened it', async (t) => {
  const { signs, events } = stage();
  const store = { kind: 's3', isUsable: async () => false } as const;
  const source = storeSource(store, 'bucket blobs at http://s3.test', signs);
  const error = Object.assign(new Error('Access Denied'), { code: 'AccessDenied' });
  events.availabilityChanged({ isAvailable: false, error });
  t.match(await found(source), [
    {
      status: 'False',
      reason: 'AccessDenied',
      message: /^bucket blobs at http:\/\/s3.test .*: Access Denied$/,
    },
  ]);
  events.usabilityChanged?.({ isUsable: false, error: new Error('no such key') });
  t.match(await found(source), [{ reason: 'CheckFailed', message: /: no such key$/ }]);
});

test('an index of image streams is well once it is synced', async (t) => {
  const states = ['synced', 'syncing', 'stale', 'expired'] as const;
  const sources = streamSources(states.map((state) => ({ cluster: state, state })));
  t.match((await Promise.all(sources.map(found))).flat(), [
    { status: 'True', reason: 'Synced' },
    { status: 'Unknown', reason: 'Syncing' },
    { status: 'False', reason: 'Stale' },
    { status: 'False', reason: 'Expired' },
  ]);
});

test('a cause is told by its deepest code, without ours', (t) => {
  const network = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const error = new RegistryError('UNAVAILABLE', 'the upstream cannot be reached', { cause: network });
  t.same(bad('no answer', error, 'Unreachable'), {
    status: 'False',
    reason: 'ECONNREFUSED',
    message: 'no answer: the upstream cannot be reached: connect ECONNREFUSED',
  });
  t.match(bad('no answer', new RegistryError('UNAVAILABLE', 'x'), 'Unreachable'), { reason: 'Unreachable' });
  t.same(bad('no answer', undefined, 'Unreachable').message, 'no answer');
  t.end();
});
