import { isDeepStrictEqual } from 'node:util';
import { closeTogether } from '../flow/close-all.ts';

interface KeptPart<T> {
  readonly settings: unknown;
  readonly id: symbol;
  readonly value: T;
}

/** A part, and what tells it from one that was made of other settings. */
export interface MadePart<T> {
  /** For the settings of parts that are made of this one. */
  readonly id: symbol;
  readonly value: T;
}

/**
 * Parts of one kind, by name, that follow from settings. The next settings take over those that
 * would be made of the same, so that a change of one costs the others nothing.
 */
export class KeptParts<T> {
  readonly #close: (value: T) => Promise<void> | void;
  #before: KeptParts<T> | undefined;
  readonly #parts = new Map<string, KeptPart<T>>();

  constructor(close: (value: T) => Promise<void> | void, before?: KeptParts<T>) {
    this.#close = close;
    this.#before = before;
  }

  /** The part of these settings: that of before where its settings are equal, else a new one. */
  async take(name: string, settings: unknown, make: () => Promise<T> | T): Promise<MadePart<T>> {
    const known = this.#before === undefined ? undefined : this.#before.#parts.get(name);
    const isSame = known !== undefined && isDeepStrictEqual(known.settings, settings);
    const part = isSame ? known : { settings, id: Symbol(name), value: await make() };
    this.#parts.set(name, part);
    return part;
  }

  /** All parts are taken: what those before held is not held here. */
  complete(): void {
    this.#before = undefined;
  }

  get values(): readonly T[] {
    return Array.from(this.#parts.values(), ({ value }) => value);
  }

  /** Those that the other parts do not have. */
  without(others: KeptParts<T> | undefined): readonly T[] {
    const kept = new Set(others?.values);
    return this.values.filter((value) => !kept.has(value));
  }

  /** Closes the parts that the others do not have; all, without others. */
  async closeWithout(others?: KeptParts<T>): Promise<void> {
    await closeTogether(this.without(others).map((value) => async () => this.#close(value)));
  }
}
