/** The values of a metric's labels, in the order of the table. */
export type Values<Labels extends readonly string[]> = { readonly [Label in keyof Labels]: string | number };

/** The children of one metric: one for each combination of label values that occurred. */
export interface Children<Labels extends readonly string[], Child> {
  of(...values: Values<Labels>): Child;
  known(): Iterable<readonly [values: readonly string[], child: Child]>;
}

/** Makes the child of each combination of label values once, and finds it again by one look-up. */
export function children<Labels extends readonly string[], Child>(
  make: (values: readonly string[]) => Child,
): Children<Labels, Child> {
  const known = new Map<string | number, readonly [readonly string[], Child]>();
  return {
    known: () => known.values(),
    of(...values) {
      const [first = ''] = values;
      const key = values.length > 1 ? values.join('\n') : first;
      const entry = known.get(key);
      if (entry !== undefined) return entry[1];
      const texts = values.map(String);
      const child = make(texts);
      known.set(key, [texts, child]);
      return child;
    },
  };
}
