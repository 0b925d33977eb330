/** The same items, until the signal: then its reason is thrown before the next item is handed on. */
export async function* abortable<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item, void, undefined> {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield item;
  }
}
