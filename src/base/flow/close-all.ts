/** Ends one part; it may throw at once or reject. */
type Close = () => unknown;

/** Closes one after the other, each whatever the ones before threw. Then throws what they threw. */
export async function closeInTurn(parts: Iterable<Close>): Promise<void> {
  const failures: unknown[] = [];
  for (const close of parts) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  throwAll(failures);
}

/** Closes all side by side, and waits for all of them. Then throws what they threw. */
export async function closeTogether(parts: Iterable<Close>): Promise<void> {
  const ended = await Promise.allSettled(Array.from(parts, async (close) => close()));
  throwAll(ended.flatMap((end) => (end.status === 'rejected' ? [end.reason] : [])));
}

function throwAll(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, 'several parts could not be closed');
}
