/** The same items until the signal aborts: then throws its reason before the next item. */
export async function* abortable<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item, void, undefined> {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield item;
  }
}
