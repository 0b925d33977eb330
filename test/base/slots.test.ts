import { test } from 'tap';
import { slots } from '../../src/base/slots.ts';

test('the task that waits longest is next', async (t) => {
  const turns = slots(1);
  const order: number[] = [];
  const gate = Promise.withResolvers<void>();
  const { signal } = new AbortController();
  const all = [
    turns.run('a', () => gate.promise, signal),
    ...[1, 2, 3].map((number) => turns.run('a', async () => void order.push(number), signal)),
  ];
  gate.resolve();
  await Promise.all(all);
  t.same(order, [1, 2, 3]);
});
