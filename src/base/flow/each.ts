import type { MaybePromise } from './maybe-promise.ts';

/**
 * Does `work` for each item, `limit` at a time, in the order of the items. After the first failure,
 * or once `signal` aborts, no more is begun; rejects when what runs has ended.
 */
export async function concurrently<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<void>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let ended = Promise.withResolvers<void>();
  try {
    for await (const item of items) {
      options.signal?.throwIfAborted();
      const job: Promise<void> = work(item)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          running.delete(job);
          ended.resolve();
        });
      running.add(job);
      if (running.size >= limit) {
        ended = Promise.withResolvers();
        await ended.promise;
      }
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
  options.signal?.throwIfAborted();
}

/** The first item that passes; at once where all tests before it are. One item at a time. */
export function firstPassing<Item>(
  items: Iterator<Item>,
  passes: (item: Item) => MaybePromise<boolean>,
): MaybePromise<Item | undefined> {
  for (let next = items.next(); next.done !== true; next = items.next()) {
    const item = next.value;
    const isPassing = passes(item);
    if (isPassing === true) return item;
    if (isPassing !== false) return isPassing.then((isSo) => (isSo ? item : firstPassing(items, passes)));
  }
  return undefined;
}

/**
 * What the work finds first, some items at a time; undefined for nothing. What still runs then ends
 * by itself, and nothing new is begun. Rejects with the first failure.
 */
export function firstFound<Item, Found>(
  items: Iterable<Item>,
  {
    atOnce,
    find,
  }: { readonly atOnce: number; readonly find: (item: Item) => MaybePromise<Found | undefined> },
): Promise<Found | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Found | undefined>();
  const shared = generated(items);
  async function worker(): Promise<void> {
    for (const item of shared) {
      const found = await find(item);
      if (found !== undefined) return resolve(found);
    }
  }
  Promise.all(Array.from({ length: atOnce }, worker)).then(() => resolve(undefined), reject);
  return promise;
}

/** A generator: the loop that leaves it first ends it for all the others. */
function* generated<Item>(items: Iterable<Item>): Generator<Item> {
  yield* items;
}

/**
 * What the work comes to, in the order of the items, `limit` at a time. Work that is begun when the
 * reader leaves, or after a failure, ends by itself.
 */
export async function* inOrder<Item, Result>(
  items: Iterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const running: Promise<Result>[] = [];
  for (const item of items) {
    const begun = work(item);
    begun.catch(() => undefined);
    running.push(begun);
    const first = running.length < limit ? undefined : running.shift();
    if (first !== undefined) yield await first;
  }
  for (const each of running) yield await each;
}
