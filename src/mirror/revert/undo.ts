/** A step that was begun, and how it is taken back. */
export interface Undo {
  /** What is left when it cannot be taken back, for people. */
  readonly left: string;
  run(signal: AbortSignal): Promise<void>;
}

/** How long all of it may take, milliseconds: registries are waited for. */
const undoMs = 120_000;

/**
 * Takes steps back, the last one first, whatever fails among them. Has a deadline of its own: it
 * runs also where a signal ended the steps. Resolves to what is left.
 */
export async function undone(
  steps: readonly Undo[],
  failed: (left: string, error: unknown) => string,
): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(undoMs);
  const left: string[] = [];
  for (const step of steps.toReversed()) {
    try {
      await step.run(signal);
    } catch (error) {
      left.push(failed(step.left, error));
    }
  }
  return left;
}
