/** What a process holds at one moment at which nothing runs. */
export interface Held {
  readonly heapBytes: number;
  readonly residentBytes: number;
  readonly openFiles: number;
}

interface Bound {
  /** Of what it was before. */
  readonly factor: number;
  readonly more: number;
}

const mib = 1024 ** 2;
/**
 * Room for what a collector leaves lying about; what grows with the connections passes it within
 * minutes.
 */
const bounds: Readonly<Record<keyof Held, Bound>> = {
  heapBytes: { factor: 1.2, more: 16 * mib },
  residentBytes: { factor: 1.2, more: 48 * mib },
  openFiles: { factor: 1, more: 8 },
};

/**
 * What grew between the second fifth of the samples and the last one, in words. The first fifth
 * warms up.
 */
export function growthIn(samples: readonly Held[]): readonly string[] {
  const fifth = Math.floor(samples.length / 5);
  if (fifth === 0) return [];
  const [early, late] = [samples.slice(fifth, 2 * fifth), samples.slice(-fifth)];
  return names.flatMap((name) => {
    const [before, after] = [leastOf(early, name), leastOf(late, name)];
    const { factor, more } = bounds[name];
    return after > before * factor + more ? [`${name} grew from ${before} to ${after}`] : [];
  });
}

const names = ['heapBytes', 'residentBytes', 'openFiles'] as const;

/** The least is nearest to what is really held: garbage comes on top. */
function leastOf(samples: readonly Held[], name: keyof Held): number {
  return Math.min(...samples.map((sample) => sample[name]));
}
