import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { concurrently, firstFound, firstPassing } from '../../../src/base/flow/each.ts';

test('items are begun in their order, no more than the limit at a time', async (t) => {
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  await concurrently([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    running += 1;
    most = Math.max(most, running);
    await turn();
    running -= 1;
  });
  t.same({ begun, most, running }, { begun: [1, 2, 3, 4, 5], most: 2, running: 0 });
});

test('after a failure no item is begun, and what runs has ended before it is thrown', async (t) => {
  const begun: number[] = [];
  let hasEnded = false;
  const slow = Promise.withResolvers<void>();
  const all = concurrently([1, 2, 3], 2, async (item) => {
    begun.push(item);
    if (item === 2) throw new Error('broken');
    await slow.promise;
    hasEnded = true;
  });
  await turn();
  slow.resolve();
  await t.rejects(all, { message: 'broken' });
  t.same({ begun, hasEnded }, { begun: [1, 2], hasEnded: true });
});

test('once the signal aborts no item is begun, and its reason is thrown', async (t) => {
  const begun: number[] = [];
  const control = new AbortController();
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    control.abort(new Error('stopped'));
  };
  await t.rejects(concurrently([1, 2], 1, work, { signal: control.signal }), { message: 'stopped' });
  t.same(begun, [1]);
});

test('a failure of the list itself is thrown when what runs has ended', async (t) => {
  let hasEnded = false;
  async function* broken(): AsyncGenerator<number> {
    yield 1;
    throw new Error('no more');
  }
  const work = async (): Promise<void> => {
    await turn();
    hasEnded = true;
  };
  await t.rejects(concurrently(broken(), 8, work), { message: 'no more' });
  t.equal(hasEnded, true);
});

test('the first item that passes is there at once where no test before it has to wait', async (t) => {
  t.equal(
    firstPassing([1, 2, 3].values(), (item) => item > 1),
    2,
  );
  const found = firstPassing([1, 2, 3].values(), async (item) => item > 1);
  t.ok(found instanceof Promise);
  t.equal(await found, 2);
  t.equal(
    firstPassing([1].values(), () => false),
    undefined,
  );
});

test('the first find ends the search, and what is slow is not waited for', async (t) => {
  const begun: number[] = [];
  const find = (item: number): Promise<string> | undefined => {
    begun.push(item);
    if (item === 1) return new Promise(() => {});
    return item === 2 ? Promise.resolve('two') : undefined;
  };
  t.equal(await firstFound([1, 2, 3], { atOnce: 2, find }), 'two');
  t.same(begun, [1, 2]);
});

test('a search that finds nothing is undefined, and one that fails rejects', async (t) => {
  t.equal(await firstFound([1, 2], { atOnce: 2, find: () => undefined }), undefined);
  const find = (item: number) => (item === 1 ? Promise.reject(new Error('no answer')) : undefined);
  await t.rejects(firstFound([1, 2], { atOnce: 1, find }), { message: 'no answer' });
});
