import { test } from 'tap';
import { holderOf, memberIn } from '../../src/lease/holder.ts';
import { createLease } from '../../src/lease/lease.ts';
import { createRecordLease } from '../../src/lease/record.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { createManualClock } from '../support/manual-clock.ts';

const name = 'mirror';
/** As the mirror has them. */
const times = { ttlMs: 7_000, retryMs: 2_000, lookMs: 800 };

/** Two processes on one clock; the first has the lease, until `kill` or `stop`. */
async function rig() {
  const clock = createManualClock();
  const { records } = createMemoryStore();
  let isDead = false;
  const medium = createRecordLease(records, { name });
  const mortal: typeof medium = {
    read: () => medium.read(),
    write: (claim, seen) => (isDead ? new Promise(() => undefined) : medium.write(claim, seen)),
  };
  const stopping = new AbortController();
  const one = createLease({ name, medium: mortal, holder: 'one', clock, ...times });
  const two = createLease({ name, medium, holder: 'two', clock, ...times });
  const works: string[] = [];
  const working = (holder: string) => async (signal: AbortSignal) => {
    works.push(holder);
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  };
  const first = one.held(working('one'), { signal: stopping.signal });
  await clock.pass(0);
  const over = new AbortController();
  const second = two.held(working('two'), { signal: over.signal });
  await clock.pass(5_000);
  return {
    ...{ clock, works, two, first },
    kill: () => {
      isDead = true;
    },
    stop: () => stopping.abort(),
    async end() {
      over.abort();
      await clock.pass(1_000);
      await second;
    },
  };
}

test('a process that is killed is followed by another within 10 s, and not while it may live', async (t) => {
  const { clock, works, kill, end } = await rig();
  kill();
  await clock.pass(4_600);
  t.same(works, ['one'], 'it may still work');
  await clock.pass(5_400);
  t.same(works, ['one', 'two']);
  await end();
});

test('a process that stops is followed within a second, and at once by one that is told', async (t) => {
  for (const isTold of [false, true]) {
    const { clock, works, stop, two, first, end } = await rig();
    stop();
    await clock.pass(0);
    await first;
    if (isTold) two.look();
    await clock.pass(isTold ? 0 : 1_000);
    t.same(works, ['one', 'two'], isTold ? 'told' : 'by itself');
    await end();
  }
});

test('the member that a holder is stands in its name', (t) => {
  const id = '_d3b07384-d9a0-4c7e-8f3e-2f5a1c0b9e11';
  t.equal(memberIn(`${holderOf('pod-1-a@b', 'x_y-z')}${id}`), 'x_y-z');
  t.equal(memberIn(`${holderOf('pod-1', undefined)}${id}`), undefined);
  t.equal(memberIn(''), undefined);
  t.end();
});
