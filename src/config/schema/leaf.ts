import Type from 'typebox';

/** What every setting may carry: the text a reader would write for its default. */
export interface LeafOptions {
  /** The value of an absent key, in its written form. Default: none, the key is required. */
  readonly default?: unknown;
  /** What is accepted, for editors. */
  readonly description?: string;
}

/**
 * The schema of one value that `parse` reads: its result is in the Config, and the message of its
 * error is the fault. So validity and meaning are one piece of code.
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
