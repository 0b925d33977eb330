/** The middle of the values, or the mean of the two in the middle; throws when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('nothing was measured');
  return (lower + upper) / 2;
}

/**
 * Measures everybody in turn, `rounds` times over, so that a slow minute of the machine hits all of them alike;
 * resolves to the median of each.
 */
export async function inTurn<Name extends string>(
  rounds: number,
  contenders: readonly { readonly name: Name; readonly measure: () => Promise<number> }[],
): Promise<{ [name in Name]?: number }> {
  const samples = new Map<Name, number[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, measure } of contenders) {
      samples.set(name, [...(samples.get(name) ?? []), await measure()]);
    }
  }
  const medians: { [name in Name]?: number } = {};
  for (const [name, values] of samples) medians[name] = median(values);
  return medians;
}
