import { test } from 'tap';
import { createLease } from '../../src/lease/lease.ts';
import type { LeaseMedium, LeaseRecord } from '../../src/lease/medium.ts';
import { createRecordLease } from '../../src/lease/record.ts';
import { leaseKey } from '../../src/store/keys.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';

const name = 'job';

interface Rig {
  readonly records?: ReturnType<typeof createMemoryStore>['records'];
  readonly holder?: string;
  readonly ttlMs?: number;
  readonly trustsClocks?: boolean;
  readonly clock?: () => number;
}

function ours({
  records = createMemoryStore().records,
  holder = 'one',
  clock = Date.now,
  ...options
}: Rig = {}) {
  return createLease({
    name,
    medium: createRecordLease(records, { name, clock }),
    holder,
    now: clock,
    ...options,
  });
}

/** A medium over a variable, whose calls a test can spoil. */
function spoilt(): LeaseMedium & { spoil?: 'hangs' | 'fails' | 'forgets its answer'; record?: LeaseRecord } {
  let writes = 0;
  return {
    async read() {
      if (this.spoil === 'fails') throw new Error('no answer');
      return this.record;
    },
    async write(claim, seen) {
      if (this.spoil === 'hangs') return await new Promise(() => {});
      if (this.spoil === 'fails') throw new Error('no answer');
      if (seen?.version !== this.record?.version) return undefined;
      writes += 1;
      this.record = { ...claim, version: `${writes}` };
      if (this.spoil !== 'forgets its answer') return this.record;
      delete this.spoil;
      throw new Error('cut');
    },
  };
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

test('of many that want a lease at once, one gets it', async (t) => {
  const { records } = createMemoryStore();
  let holders = 0;
  const wants = Array.from({ length: 10 }, (_, index) =>
    ours({ records, holder: `${index}` }).tried(async () => {
      holders += 1;
      await new Promise(setImmediate);
    }),
  );
  await Promise.all(wants);
  t.equal(holders, 1);
});

test('those who wait for a lease get it one after the other', async (t) => {
  const { records } = createMemoryStore();
  let atOnce = 0;
  const seen = await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      ours({ records, holder: `${index}`, ttlMs: 75 }).held(async () => {
        atOnce += 1;
        await new Promise(setImmediate);
        atOnce -= 1;
        return atOnce;
      }),
    ),
  );
  t.same(seen, [0, 0, 0, 0, 0]);
});

test('a lease is given back, also after a failure', async (t) => {
  const one = ours();
  await t.rejects(
    one.tried(() => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.same(await one.tried(async () => 'done'), { result: 'done' });
  t.same(await one.tried(async () => 'again'), { result: 'again' });
});

test('two jobs have two leases', async (t) => {
  const { records } = createMemoryStore();
  const named = (job: string) =>
    createLease({ name: job, medium: createRecordLease(records, { name: job }), holder: 'one' });
  const result = await named('a').tried(() => named('b').tried(async () => 'both'));
  t.same(result, { result: { result: 'both' } });
});

test('a lease is prolonged while its work runs', async (t) => {
  const { records } = createMemoryStore();
  await ours({ records, ttlMs: 1500 }).tried(async () => {
    const versions = new Set<string | undefined>();
    while (versions.size < 3) {
      versions.add((await records.get(leaseKey(name)))?.version);
      await new Promise(setImmediate);
    }
    t.equal(await ours({ records, holder: 'two' }).tried(async () => 'stolen'), undefined);
  });
});

test('work that lost its lease is told to stop', async (t) => {
  const { records } = createMemoryStore();
  const work = ours({ records, ttlMs: 300 }).tried(async (signal) => {
    await records.put(leaseKey(name), Buffer.from('{"holder":"somebody else","expiresAt":1}'));
    await aborted(signal);
    signal.throwIfAborted();
  });
  await t.rejects(work, { message: 'the lease "job" was lost' });
  t.match(Buffer.from((await records.get(leaseKey(name)))?.bytes ?? []).toString(), 'somebody else');
});

for (const spoil of ['hangs', 'fails'] as const) {
  test(`work stops before another can take the lease, while the medium ${spoil}`, async (t) => {
    const medium = spoilt();
    const startedAt = performance.now();
    await createLease({ name, medium, holder: 'one', ttlMs: 300 }).held(async (signal) => {
      medium.spoil = spoil;
      await aborted(signal);
    });
    const seconds = performance.now() - startedAt;
    t.ok(seconds >= 195, `${seconds} ms`);
    t.equal(medium.record?.holder.startsWith('one_'), true, 'no other process released it');
    delete medium.spoil;
    const two = createLease({ name, medium, holder: 'two', ttlMs: 300 });
    await two.held(async () => {});
    t.ok(performance.now() - startedAt >= 300);
  });
}

test('a prolongation whose answer got lost is no lost lease', async (t) => {
  const medium = spoilt();
  const lost: unknown[] = [];
  const one = createLease({
    name,
    medium,
    holder: 'one',
    ttlMs: 1500,
    events: { lost: (event) => lost.push(event) },
  });
  await one.held(async (signal) => {
    const before = Number(medium.record?.version);
    medium.spoil = 'forgets its answer';
    while (Number(medium.record?.version) < before + 3) await new Promise(setImmediate);
    t.notOk(signal.aborted);
  });
  t.same(lost, []);
});

test('a lease of one who died is taken when it did not change for its time, whatever its clock said', async (t) => {
  const { records } = createMemoryStore();
  const ahead = { holder: 'dead', ttlMs: 200, expiresAt: Date.now() + 86_400_000 };
  await records.put(leaseKey(name), Buffer.from(JSON.stringify(ahead)));
  const startedAt = performance.now();
  await ours({ records, ttlMs: 75 }).held(async () => {});
  t.ok(performance.now() - startedAt >= 200);
});

test('a lease of one whose clock is behind is not taken while it is prolonged', async (t) => {
  const { records } = createMemoryStore();
  await ours({ records, ttlMs: 1500, clock: () => 0 }).held(async () => {
    const two = ours({ records, holder: 'two', ttlMs: 1500 });
    t.equal(await two.tried(async () => 'stolen'), undefined);
    const stop = AbortSignal.timeout(1800);
    await t.rejects(
      two.held(async () => 'stolen', { signal: stop }),
      { name: 'TimeoutError' },
    );
  });
});

test('who looks once goes by the clock of the holder, if told to', async (t) => {
  const { records } = createMemoryStore();
  const dead = { holder: 'dead', ttlMs: 60_000, expiresAt: Date.now() - 1 };
  await records.put(leaseKey(name), Buffer.from(JSON.stringify(dead)));
  t.equal(await ours({ records }).tried(async () => 1), undefined);
  t.same(await ours({ records, trustsClocks: true }).tried(async () => 1), { result: 1 });
});

test('the caller’s signal reaches the work, and those who wait', async (t) => {
  const one = ours();
  const stop = { signal: AbortSignal.abort(new Error('enough')) };
  await t.rejects(
    one.tried(async () => {}, stop),
    { message: 'enough' },
  );
  await t.rejects(
    one.held(async () => {}, stop),
    { message: 'enough' },
  );
  t.same(await one.tried(async () => 'free'), { result: 'free' });
});

test('a medium that does not answer is asked again', async (t) => {
  const medium = spoilt();
  medium.spoil = 'fails';
  const failures: unknown[] = [];
  const failed = (event: unknown) => {
    failures.push(event);
    if (failures.length === 2) delete medium.spoil;
  };
  const one = createLease({ name, medium, holder: 'one', ttlMs: 75, events: { failed } });
  t.equal(await one.held(async () => 'done'), 'done');
  t.equal(failures.length, 2);
});

for (const text of ['garbage', 'null', '{"holder":"an old one"}']) {
  test(`a record of ${text} does not stop the job for ever`, async (t) => {
    const { records } = createMemoryStore();
    await records.put(leaseKey(name), Buffer.from(text));
    t.same(await ours({ records }).tried(async () => 1), { result: 1 });
  });
}
