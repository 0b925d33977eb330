/** One number of a page of metrics. */
interface MetricSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The numbers of a page in the exposition format of Prometheus, by name. */
export class MetricsPage {
  readonly #samples = new Map<string, MetricSample[]>();

  /** Keeps the metrics whose names begin with that. */
  constructor(text: string, prefix = 'quayside_') {
    for (const each of text.split('\n')) {
      if (!each.startsWith(prefix)) continue;
      const end = each.lastIndexOf(' ');
      const brace = each.indexOf('{');
      const hasLabels = brace >= 0 && brace < end;
      const name = each.slice(0, hasLabels ? brace : end);
      const list = this.#samples.get(name) ?? [];
      this.#samples.set(name, list);
      const labels = hasLabels ? labelsOf(each.slice(brace + 1, end - 1)) : {};
      list.push({ labels, value: Number(each.slice(end + 1)) });
    }
  }

  /** The sum over all that have these labels; 0 for none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.#of(name, labels).reduce((sum, { value }) => sum + (Number.isNaN(value) ? 0 : value), 0);
  }

  /** The only one, or undefined where there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const value = this.#of(name, labels)[0]?.value;
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  /** The sums by one label. */
  by(name: string, key: string, labels: Readonly<Record<string, string>> = {}): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const { labels: own, value } of this.#of(name, labels)) {
      const word = own[key] ?? '';
      sums[word] = (sums[word] ?? 0) + value;
    }
    return sums;
  }

  #of(name: string, labels: Readonly<Record<string, string>>): readonly MetricSample[] {
    const wanted = Object.entries(labels);
    const all = this.#samples.get(name) ?? [];
    if (wanted.length === 0) return all;
    return all.filter(({ labels: own }) => wanted.every(([key, word]) => own[key] === word));
  }
}

/** `name="value",…`, with a backslash before a quote, a backslash and an `n` for a new line. */
function labelsOf(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) break;
    const name = text.slice(at, quote - 1);
    let value = '';
    for (at = quote + 1; at < text.length && text[at] !== '"'; at += 1) {
      const isEscaped = text[at] === '\\';
      if (isEscaped) at += 1;
      value += isEscaped && text[at] === 'n' ? '\n' : text[at];
    }
    labels[name] = value;
    at += 2;
  }
  return labels;
}

/**
 * The bound below which that part of what fell into the buckets since then lies, in the unit of
 * the buckets; undefined for nothing. What lies above the last bound counts as that bound.
 */
export function quantileSince(
  now: Readonly<Record<string, number>>,
  then: Readonly<Record<string, number>>,
  part: number,
): number | undefined {
  const bounds = Object.keys(now)
    .map((text) => ({
      bound: text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text),
      count: (now[text] ?? 0) - (then[text] ?? 0),
    }))
    .sort((one, other) => one.bound - other.bound);
  const all = bounds.at(-1)?.count ?? 0;
  if (all <= 0) return undefined;
  const wanted = all * part;
  let below = { bound: 0, count: 0 };
  for (const each of bounds) {
    if (each.count >= wanted) {
      if (!Number.isFinite(each.bound)) return below.bound;
      const within = (wanted - below.count) / Math.max(1, each.count - below.count);
      return below.bound + (each.bound - below.bound) * within;
    }
    below = each;
  }
  return below.bound;
}
