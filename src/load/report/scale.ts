/** Where a value stands on an axis. */
export interface Scale {
  /** From 0 to 1 for what is within. */
  at(value: number): number;
  /** The values that have a line and a label. */
  readonly ticks: readonly Tick[];
}

interface Tick {
  readonly value: number;
  readonly label: string;
}

type Labelled = (value: number) => string;

/** From 0 to the next round number above the greatest value, in about five steps. */
export function linearScale(greatest: number, labelled: Labelled): Scale {
  const top = greatest > 0 ? greatest : 1;
  const rough = top / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const steps = Math.ceil(top / step - 1e-9);
  const values = Array.from({ length: steps + 1 }, (_, index) => index * step);
  return { at: (value) => value / (steps * step), ticks: ticksOf(values, labelled) };
}

/** Whole decades around the values, with 2 and 5 where they are two at most; for values above 0. */
export function logScale(least: number, greatest: number, labelled: Labelled): Scale {
  const low = Math.floor(Math.log10(least) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(greatest) - 1e-9));
  const decades = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  const isFine = high - low <= 2;
  const values = isFine
    ? decades.flatMap((value) => [value, 2 * value, 5 * value]).filter((value) => value <= 10 ** high)
    : decades;
  const at = (value: number): number => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { at, ticks: ticksOf(values, labelled) };
}

/** Percentiles, so that 90, 99 and 99.9 are as far from each other; the last one is `most`. */
export function percentileScale(most: number): Scale {
  const values = [0, 50, 90, 99, 99.9, 99.99, 99.999].filter((value) => value <= most);
  const nines = (percent: number): number => -Math.log10(1 - Math.min(percent, most) / 100);
  const last = Math.max(nines(most), 1);
  return { at: (value) => nines(value) / last, ticks: ticksOf(values, (value) => `${value} %`) };
}

function ticksOf(values: readonly number[], labelled: Labelled): readonly Tick[] {
  return values.map((value) => ({ value, label: labelled(value) }));
}
