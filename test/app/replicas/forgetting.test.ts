import { test } from 'tap';
import { Forgetting } from '../../../src/app/replicas/forgetting.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const { records } = createMemoryStore();
const failed = (): void => undefined;

test('an order is obeyed although the first look at the record failed', async (t) => {
  let isDown = true;
  let forgot = 0;
  const get: typeof records.get = async (key) => {
    if (isDown) throw new Error('down');
    return records.get(key);
  };
  const forget = (): void => {
    forgot += 1;
  };
  const replica = new Forgetting({ records: { ...records, get }, forget, failed });
  await replica.look();
  await new Forgetting({ records, forget: failed, failed }).order();
  isDown = false;
  await replica.look();
  await replica.look();
  t.equal(forgot, 1);
});

test('an order is told to the other replicas at once', async (t) => {
  let told = 0;
  const tell = (): void => {
    told += 1;
  };
  await new Forgetting({ records, forget: failed, failed, tell }).order();
  t.equal(told, 1);
});
