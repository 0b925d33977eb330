import { type Test, test } from 'tap';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import { ApiFailure } from '../../src/kubernetes/failure.ts';
import { createLease } from '../../src/lease/lease.ts';
import { createLeaseObject } from '../../src/lease/lease-object.ts';
import { until } from '../support/bodies.ts';
import { imageStreamDouble } from '../support/image-stream-double.ts';

const key = 'ci/ci-image-mirror';
const microTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

async function started(t: Test) {
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  const medium = () => createLeaseObject({ client: api.client, namespace: 'ci', name: 'ci-image-mirror' });
  const contender = (holder: string, ttlMs = 3000) =>
    createLease({ name: 'mirror', medium: medium(), holder, ttlMs });
  return { api, medium, contender };
}

test('a Lease names its holder as other components do', async (t) => {
  const { api, contender } = await started(t);
  await contender('pod-1').held(async () => {
    const { spec } = api.leases.get(key) ?? {};
    t.match(spec?.holderIdentity, /^pod-1_/);
    t.match(spec, {
      leaseDurationSeconds: 3,
      acquireTime: microTime,
      renewTime: microTime,
      leaseTransitions: 0,
    });
  });
  t.match(api.leases.get(key)?.spec, { holderIdentity: '', leaseDurationSeconds: 1 });
  await contender('pod-2').held(async () => {
    t.match(api.leases.get(key)?.spec, { holderIdentity: /^pod-2_/, leaseTransitions: 1 });
  });
});

test('a held Lease is renewed, and no other process gets it', async (t) => {
  const { api, contender } = await started(t);
  await contender('pod-1').held(async (signal) => {
    const first = api.leases.get(key);
    const second = contender('pod-2');
    t.equal(await second.tried(async () => 'stolen'), undefined);
    await until(() => api.leases.get(key) !== first);
    t.equal(api.leases.get(key)?.spec?.acquireTime, first?.spec?.acquireTime);
    t.equal(await second.tried(async () => 'stolen'), undefined);
    t.notOk(signal.aborted);
  });
});

test('of two that write at once, one has lost the race', async (t) => {
  const { medium } = await started(t);
  const [one, two] = [medium(), medium()];
  const claim = { holder: 'a', ttlMs: 15_000 };
  t.same(
    (await Promise.all([one.write(claim, undefined), two.write(claim, undefined)])).filter(Boolean).length,
    1,
  );
  const seen = await one.read();
  t.same((await Promise.all([one.write(claim, seen), two.write(claim, seen)])).filter(Boolean).length, 1);
});

const noLease = new ApiFailure('invalid', 'answered with something other than a Lease');

test('an answer that is no Lease is neither a held one nor a free one', async (t) => {
  for (const text of ['null', '{}', '[]', '"yes"', '{"metadata":{}}', '{"metadata":{"resourceVersion":7}}']) {
    const client: KubernetesClient = {
      text: async () => text,
      json: async () => JSON.parse(text),
      async *stream() {},
      close: async () => {},
    };
    const medium = createLeaseObject({ client, namespace: 'ci', name: 'ci-image-mirror' });
    await t.rejects(medium.read(), noLease, text);
    await t.rejects(medium.write({ holder: 'a', ttlMs: 15_000 }, undefined), noLease, text);
  }
});

test('a renewal whose answer is cut off keeps the Lease', async (t) => {
  const { api, contender } = await started(t);
  await contender('pod-1').held(async (signal) => {
    const before = api.leases.get(key);
    api.switches.cutsAnswers = true;
    await until(() => api.leases.get(key) !== before);
    api.switches.cutsAnswers = false;
    const after = api.leases.get(key);
    await until(() => api.leases.get(key) !== after);
    t.notOk(signal.aborted);
  });
  t.equal(api.leases.get(key)?.spec?.holderIdentity, '');
});

test('work stops while the API server refuses, before another may take over', async (t) => {
  const { api, contender } = await started(t);
  let startedAt = 0;
  const work = contender('pod-1').held(async (signal) => {
    startedAt = performance.now();
    api.switches.answersStatus = 500;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    signal.throwIfAborted();
  });
  await t.rejects(work, { message: 'the lease "mirror" was lost' });
  t.ok(performance.now() - startedAt < 3000, 'within the duration that the others wait');
});

test('calls share a connection, which the client ends', async (t) => {
  const { api, medium } = await started(t);
  await medium().write({ holder: 'a', ttlMs: 15_000 }, undefined);
  for (let calls = 0; calls < 10; calls += 1) await medium().read();
  t.ok(api.connections <= 2, `${api.connections}`);
  await api.client.close();
  await until(() => api.connections === 0);
});
