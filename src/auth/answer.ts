import type { Answer } from './access.ts';

/** Goes on with the answer: now where it is at hand, else when it comes. Throws or rejects as either step does. */
export function answered<Value, Next>(
  answer: Answer<Value>,
  next: (value: Value) => Answer<Next>,
): Answer<Next> {
  return answer instanceof Promise ? answer.then(next) : next(answer);
}

/** The first of the items that passes; at once where all tests before it are. One item at a time. */
export function firstPassing<Item>(
  items: Iterator<Item>,
  passes: (item: Item) => Answer<boolean>,
): Answer<Item | undefined> {
  for (let next = items.next(); next.done !== true; next = items.next()) {
    const item = next.value;
    const isPassing = passes(item);
    if (isPassing === true) return item;
    if (isPassing !== false) return isPassing.then((isSo) => (isSo ? item : firstPassing(items, passes)));
  }
  return undefined;
}

/**
 * What the work finds first, some of the items at a time; undefined when it finds nothing in any. What still runs then
 * ends by itself and is not waited for; nothing new is begun. Rejects with the first failure.
 */
export function firstFound<Item, Found>(
  items: Iterable<Item>,
  { atOnce, find }: { readonly atOnce: number; readonly find: (item: Item) => Answer<Found | undefined> },
): Promise<Found | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Found | undefined>();
  const shared = each(items);
  async function worker(): Promise<void> {
    for (const item of shared) {
      const found = await find(item);
      if (found !== undefined) return resolve(found);
    }
  }
  Promise.all(Array.from({ length: atOnce }, worker)).then(() => resolve(undefined), reject);
  return promise;
}

/** A generator, because the loop that leaves it first ends it for all the others. */
function* each<Item>(items: Iterable<Item>): Generator<Item> {
  yield* items;
}
