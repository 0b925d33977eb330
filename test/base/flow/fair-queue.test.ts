import { test } from 'tap';
import { createFairQueue } from '../../../src/base/flow/fair-queue.ts';

interface Job {
  readonly of: string;
}

/** Jobs written as `origin/name`. */
function queueOf(maxSize: number, ...jobs: readonly string[]) {
  const queue = createFairQueue<Job>(maxSize);
  const refused = jobs.flatMap((of) => queue.add({ of }, ...split(of))?.of ?? []);
  const rest = (): string[] => {
    const order: string[] = [];
    for (let job = queue.next(); job !== undefined; job = queue.next()) order.push(job.of);
    return order;
  };
  return { queue, refused, rest };
}

function split(of: string): [string, string] {
  const [origin = '', name = ''] = of.split('/');
  return [origin, name];
}

test('origins take turns, and names of an origin do', async (t) => {
  t.same(queueOf(9, 'a/1', 'a/1', 'a/2', 'b/1', 'c/1').rest(), ['a/1', 'b/1', 'c/1', 'a/2', 'a/1']);
});

test('of one origin and name the first comes first', async (t) => {
  const { queue } = queueOf(9);
  for (const each of ['first', 'second']) queue.add({ of: each }, 'a');
  t.same([queue.next()?.of, queue.next()?.of, queue.next()], ['first', 'second', undefined]);
});

test('a full queue takes the place of an origin that has more, and else refuses', async (t) => {
  t.same(queueOf(3, 'a/1', 'a/1', 'a/1', 'b/1').refused, ['a/1']);
  t.same(queueOf(3, 'a/1', 'a/1', 'b/1', 'a/1').refused, ['a/1'], 'the new one itself');
  t.same(queueOf(2, 'a/1', 'b/1', 'c/1').refused, ['c/1'], 'one for one is no gain');
  t.same(queueOf(0, 'a/1').refused, ['a/1']);
});

test('within an origin a full queue takes the place of the name that has more', async (t) => {
  const { refused, rest } = queueOf(3, 'a/1', 'a/1', 'a/1', 'a/2', 'a/2');
  t.same(refused, ['a/1', 'a/2']);
  t.same(rest(), ['a/1', 'a/2', 'a/1']);
});

test('one that left is not served, and those that may not run stay', async (t) => {
  const { queue, rest } = queueOf(9, 'a/1', 'b/1');
  const left = { of: 'c/1' };
  queue.add(left, 'c', '1');
  queue.delete(left);
  queue.delete(left);
  t.equal(queue.next((origin) => origin !== 'a')?.of, 'b/1');
  t.equal(
    queue.next((origin) => origin !== 'a'),
    undefined,
  );
  t.equal(queue.size, 1);
  t.same(rest(), ['a/1']);
});
