import { test } from 'tap';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const destination = 'quay.io/openshift/ci:ci_tool_latest';
const other = 'quay.io/openshift/ci:ci_other_latest';

test('a hold counts for every process of the store until it is released', async (t) => {
  const { records } = createMemoryStore();
  const [ours, theirs] = [createHolds({ records }), createHolds({ records })];
  await ours.put({ destination, since: 1, why: 'reverted by hand' });
  t.same(await theirs.find(destination), { destination, since: 1, why: 'reverted by hand' });
  t.equal(await theirs.find(other), undefined);
  await theirs.put({ destination: other, since: 2 });
  t.same(
    (await ours.list()).map((hold) => hold.destination),
    [other, destination],
  );
  t.equal(await theirs.release(destination), true);
  t.equal(await ours.find(destination), undefined);
  t.equal(await ours.release(destination), false, 'there is none any more');
  t.same(
    (await ours.list()).map((hold) => hold.destination),
    [other],
  );
});

test('a hold ends at its time', async (t) => {
  let now = 10;
  const holds = createHolds({ records: createMemoryStore().records, now: () => now });
  await holds.put({ destination, since: 10, until: 20 });
  t.match(await holds.find(destination), { until: 20 });
  now = 20;
  t.equal(await holds.find(destination), undefined);
  t.same(await holds.list(), []);
  t.equal(await holds.release(destination), false);
});

test('a late release of a suspended process ends no hold that came after it', async (t) => {
  const { records } = createMemoryStore();
  const holds = createHolds({ records });
  await holds.put({ destination, since: 1 });
  let resume = (): void => {};
  const suspended = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const seen: (string | undefined)[] = [];
  const late = createHolds({
    records: {
      ...records,
      async put(key, bytes, condition) {
        if (seen.length === 0) await suspended;
        const version = await records.put(key, bytes, condition);
        seen.push(version);
        return version;
      },
    },
  });
  const releasing = late.release(destination);
  await new Promise((resolve) => setImmediate(resolve));
  await holds.put({ destination, since: 2 });
  resume();
  t.equal(await releasing, false);
  t.same(seen, [undefined], 'its write named the earlier version, and was refused');
  t.match(await holds.find(destination), { since: 2 });
  await holds.put({ destination, since: 1, until: 5 });
  t.match(await holds.find(destination), { since: 2, until: undefined }, 'nor does a late hold replace it');
});

test('a store that does not answer is not "no hold"', async (t) => {
  const { records } = createMemoryStore();
  const get = () => Promise.reject(new Error('the store is down'));
  await t.rejects(createHolds({ records: { ...records, get } }).find(destination), /the store is down/);
  const put = async () => undefined;
  const stuck = createHolds({ records: { ...records, put } });
  await t.rejects(stuck.put({ destination, since: 1 }), /cannot write the hold record/);
});

test('a record that another version wrote holds without an end', async (t) => {
  const { records } = createMemoryStore();
  const holds = createHolds({ records });
  await holds.put({ destination, since: 1 });
  for await (const { key } of records.list('v1/tasks/held/')) await records.put(key, Buffer.from('{"x":1}'));
  t.ok(await holds.find(destination));
});
