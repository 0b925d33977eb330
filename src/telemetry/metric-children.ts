/** The values of a metric's labels, in the order of the table. */
export type Values<Labels extends readonly string[]> = { readonly [Label in keyof Labels]: string | number };

/** The children of one metric: one for each combination of label values that occurred. */
interface Children<Labels extends readonly string[], Child> {
  of(...values: Values<Labels>): Child;
  known(): Iterable<readonly [values: readonly string[], child: Child]>;
}

/** The combinations that begin with the same values. */
interface Branch<Child> {
  readonly next: Map<string | number, Branch<Child>>;
  child?: Child;
}

/**
 * Makes the child of each combination of label values once, and finds it again by a look-up for
 * each value: every request passes here, and a joined key would be made and hashed each time.
 */
export function createChildren<Labels extends readonly string[], Child>(
  make: (values: readonly string[]) => Child,
): Children<Labels, Child> {
  const root: Branch<Child> = { next: new Map() };
  const known: (readonly [readonly string[], Child])[] = [];

  function added(values: readonly (string | number)[]): Child {
    const texts = values.map(String);
    const child = make(texts);
    known.push([texts, child]);
    return child;
  }

  return {
    known: () => known,
    of(...values) {
      let branch = root;
      for (const value of values) branch = branch.next.get(value) ?? grown(branch, value);
      branch.child ??= added(values);
      return branch.child;
    },
  };
}

function grown<Child>({ next }: Branch<Child>, value: string | number): Branch<Child> {
  const branch: Branch<Child> = { next: new Map() };
  next.set(value, branch);
  return branch;
}
