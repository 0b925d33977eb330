/** The owner of tags, with the number of each. */
interface TagOwner {
  readonly tags: Map<string, number>;
}

/** Numbers for the tags of streams, as the table needs them. */
export class TagNumbers<Stream extends TagOwner> {
  /** By number; a free number holds none. */
  readonly #tags: ({ readonly stream: Stream; readonly tag: string } | undefined)[] = [];
  readonly #free: number[] = [];

  /** Numbers in use. */
  get size(): number {
    return this.#tags.length - this.#free.length;
  }

  of(number: number): { readonly stream: Stream; readonly tag: string } | undefined {
    return this.#tags[number];
  }

  /** Its number, or a new one. */
  number(stream: Stream, tag: string): number {
    const known = stream.tags.get(tag);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#tags.length;
    this.#tags[number] = { stream, tag };
    stream.tags.set(tag, number);
    return number;
  }

  /** Frees the numbers of all other tags of the stream. */
  keep({ tags }: Stream, used: ReadonlySet<number>): void {
    for (const [tag, number] of tags) {
      if (used.has(number)) continue;
      tags.delete(tag);
      this.#tags[number] = undefined;
      this.#free.push(number);
    }
  }
}

/** A tag and a row as one number: rows are below 2³². */
export function pairOf(tag: number | undefined, row: number): number | undefined {
  return tag === undefined ? undefined : tag * 2 ** 32 + row;
}
