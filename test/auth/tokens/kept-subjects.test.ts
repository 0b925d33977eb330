import { test } from 'tap';
import { createKeptSubjects, type SubjectRecords } from '../../../src/auth/tokens/kept-subjects.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const subject = {
  name: 'somebody',
  groups: ['b', 'a', 'b'],
  extra: { z: ['1'], a: ['2', '1'] },
  cluster: 'app.ci',
};
const dayMs = 24 * 3_600_000;

function counted(records: SubjectRecords) {
  const asked: string[] = [];
  const watched: SubjectRecords = {
    ...records,
    async get(key) {
      asked.push('get');
      return records.get(key);
    },
    async put(key, bytes) {
      asked.push('put');
      return records.put(key, bytes);
    },
  };
  return { asked, watched };
}

test('what one replica keeps another reads, and asks for once', async (t) => {
  const { records } = createMemoryStore();
  const id = await createKeptSubjects({ records }).keep(subject);
  t.match(id, /^[0-9a-f]{64}$/);
  const { asked, watched } = counted(records);
  const replica = createKeptSubjects({ records: watched });
  const read = await replica.read(id);
  t.match(read, { ...subject, groups: ['a', 'b'] });
  t.equal(await replica.read(id), read, 'the very same object');
  t.same(asked, ['get']);
});

test('one who is the same has one id, whatever the order of groups and extras', async (t) => {
  const kept = createKeptSubjects({ records: createMemoryStore().records });
  const id = await kept.keep(subject);
  t.equal(await kept.keep({ ...subject, groups: ['a', 'b'], extra: { a: ['2', '1'], z: ['1'] } }), id);
  for (const other of [
    { ...subject, cluster: 'build01' },
    { ...subject, groups: ['a'] },
    { ...subject, uid: '1' },
  ]) {
    t.not(await kept.keep(other), id);
  }
});

test('a record is written at most once a day', async (t) => {
  let clock = Date.now();
  const { asked, watched } = counted(createMemoryStore().records);
  const kept = createKeptSubjects({ records: watched, now: () => clock });
  await kept.keep(subject);
  await kept.keep(subject);
  clock += dayMs + 1;
  await kept.keep(subject);
  t.same(asked, ['put', 'put']);
});

test('a record that was changed has no subject, and no id leads out of the folder', async (t) => {
  const { records } = createMemoryStore();
  const id = await createKeptSubjects({ records }).keep(subject);
  const admin = { ...subject, name: 'system:admin' };
  await records.put(`v1/subjects/${id}`, Buffer.from(JSON.stringify(admin)));
  await t.rejects(createKeptSubjects({ records }).read(id), { code: 'UNAVAILABLE' });
  for (const wrong of ['', '../leases/x', id.toUpperCase(), id.slice(1), 'f'.repeat(64)]) {
    t.equal(await createKeptSubjects({ records }).read(wrong), undefined, wrong);
  }
});

test('records that cannot be read or written are no answer', async (t) => {
  const down = async (): Promise<never> => {
    throw new Error('the bucket is gone');
  };
  const kept = createKeptSubjects({ records: { ...createMemoryStore().records, get: down, put: down } });
  await t.rejects(kept.read('f'.repeat(64)), { code: 'UNAVAILABLE', message: /^(?!.*bucket)/ });
  await t.rejects(kept.keep(subject), { code: 'UNAVAILABLE' });
});

test('a sweep takes who has not logged in for so long, and keeps the others', async (t) => {
  let clock = Date.now();
  const { records } = createMemoryStore();
  const kept = createKeptSubjects({ records, now: () => clock });
  const id = await kept.keep(subject);
  t.equal(await kept.sweep(dayMs), 0);
  clock += 2 * dayMs;
  t.equal(await kept.sweep(dayMs), 1);
  t.equal(await createKeptSubjects({ records }).read(id), undefined);
  await kept.keep(subject);
  t.ok(await createKeptSubjects({ records }).read(id), 'and is kept anew with the next login');
});
