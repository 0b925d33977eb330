import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { createFaultWatch } from '../../src/drill/watch/conditions.ts';

test('what the fault before still shows is not seen of this one, until it went and came again', async (t) => {
  let found: readonly string[] = ['StoreUsable'];
  const watch = createFaultWatch([async () => found], () => performance.now());
  t.teardown(() => watch.close());
  await sleep(700);
  t.same([...watch.seen.keys()], ['StoreUsable']);
  watch.restart(watch.seen.keys());
  found = ['StoreUsable', 'DiskUsable'];
  await sleep(600);
  t.same([...watch.seen.keys()], ['DiskUsable']);
  found = [];
  await sleep(600);
  found = ['StoreUsable'];
  await sleep(600);
  t.same([...watch.seen.keys()], ['DiskUsable', 'StoreUsable']);
});
