import { test } from 'tap';
import { leased } from '../../../src/cache/eviction/lease.ts';
import { leaseKey } from '../../../src/cache/store/keys.ts';
import { memoryStore } from '../../../src/cache/store/memory-store.ts';

test('of many that want a lease at once, one gets it', async (t) => {
  const { records } = memoryStore();
  let holders = 0;
  const wants = Array.from({ length: 10 }, (_, index) =>
    leased({ records, name: 'job', holder: `${index}` }, async () => {
      holders += 1;
      await new Promise(setImmediate);
    }),
  );
  await Promise.all(wants);
  t.equal(holders, 1);
});

test('a lease is given back, also after a failure', async (t) => {
  const options = { records: memoryStore().records, name: 'job', holder: 'one' };
  await t.rejects(
    leased(options, () => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.same(await leased(options, async () => 'done'), { result: 'done' });
  t.same(await leased(options, async () => 'again'), { result: 'again' });
});

test('two jobs have two leases', async (t) => {
  const { records } = memoryStore();
  const result = await leased({ records, name: 'a', holder: 'one' }, () =>
    leased({ records, name: 'b', holder: 'two' }, async () => 'both'),
  );
  t.same(result, { result: { result: 'both' } });
});

test('a lease is prolonged while its work runs', async (t) => {
  const { records } = memoryStore();
  const options = { records, name: 'job', holder: 'one', ttlMs: 3, clock: () => 0 };
  await leased(options, async () => {
    const versions = new Set<string | undefined>();
    while (versions.size < 3) {
      versions.add((await records.get(leaseKey('job')))?.version);
      await new Promise(setImmediate);
    }
    t.equal(await leased({ ...options, holder: 'two' }, async () => 'stolen'), undefined);
  });
});

test('work that lost its lease is told to stop', async (t) => {
  const { records } = memoryStore();
  const work = leased({ records, name: 'job', holder: 'one', ttlMs: 3 }, async (signal) => {
    await records.put(leaseKey('job'), Buffer.from('{"holder":"somebody else"}'));
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    signal.throwIfAborted();
  });
  await t.rejects(work, { message: 'the lease "job" was lost' });
});

test('the caller’s signal reaches the work', async (t) => {
  const options = { records: memoryStore().records, name: 'job', holder: 'one' };
  const stop = AbortSignal.abort(new Error('enough'));
  await t.rejects(
    leased(options, async (signal) => signal.throwIfAborted(), stop),
    { message: 'enough' },
  );
});

test('a record of garbage does not stop the job for ever', async (t) => {
  const { records } = memoryStore();
  await records.put(leaseKey('job'), Buffer.from('garbage'));
  t.same(await leased({ records, name: 'job', holder: 'one' }, async () => 1), { result: 1 });
});
