import Type from 'typebox';

/** What every setting may carry: the text a reader would write for its default. */
export interface LeafOptions {
  /** The value of an absent key, in its written form. Default: none, the key is required. */
  readonly default?: unknown;
}

/**
 * The schema of one value that is read by `parse`: what `parse` returns stands in the Config, and the message of what
 * it throws is the fault. Keeps "is it valid" and "what does it mean" one piece of code.
 */
export function leaf<T>(parse: (value: unknown) => T, options: LeafOptions = {}) {
  const checked = Type.Refine(
    Type.Unknown({ ...options }),
    (value) => refusal(parse, value) === undefined,
    (value) => refusal(parse, value) ?? '',
  );
  return Type.Decode(checked, parse);
}

function refusal(parse: (value: unknown) => unknown, value: unknown): string | undefined {
  try {
    parse(value);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
