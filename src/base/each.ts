/**
 * Does `work` for each item, `limit` at a time, in the order of the items. After the first failure, or once `signal`
 * aborts, no more is begun; rejects when what runs has ended.
 */
export async function concurrently<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<void>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const item of items) {
      options.signal?.throwIfAborted();
      const job: Promise<void> = work(item).then(
        () => void running.delete(job),
        (error: unknown) => {
          running.delete(job);
          failure ??= { error };
        },
      );
      running.add(job);
      if (running.size >= limit) await Promise.race(running);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
  options.signal?.throwIfAborted();
}
