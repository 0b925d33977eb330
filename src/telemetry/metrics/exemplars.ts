import { Registry } from 'prom-client';
import { isText, listOf } from '../../base/text/json.ts';

/** Where one observation of a histogram came from; the names are those of OpenMetrics' examples. */
export interface Exemplar {
  readonly trace_id: string;
  readonly span_id: string;
}

/** A bucket's series as the page of metrics writes it, and its exemplar as OpenMetrics does. */
export type ExemplarLine = readonly [series: string, exemplar: string];

/** A registry whose histograms keep the last exemplar of each bucket. */
export class ExemplarRegistry extends Registry {
  readonly #now: () => Exemplar | undefined;
  readonly #last = new Map<string, string>();

  /** `now`: what an observation that is made now comes from. */
  constructor(now: () => Exemplar | undefined) {
    super();
    this.#now = now;
  }

  /** `labels`: the pairs of the series but `le`, as the page writes them. */
  observed(name: string, labels: string, value: number, bounds: readonly number[]): void {
    const from = this.#now();
    if (from === undefined) return;
    const bound = bounds.find((each) => value <= each) ?? '+Inf';
    const series = `${name}_bucket{le="${bound}"${labels === '' ? '' : `,${labels}`}}`;
    const { trace_id, span_id } = from;
    const at = (Date.now() / 1000).toFixed(3);
    this.#last.set(series, `# {trace_id="${trace_id}",span_id="${span_id}"} ${value} ${at}`);
  }

  exemplars(): readonly ExemplarLine[] {
    return [...this.#last];
  }
}

/** What another process sent of its exemplars. */
export function exemplarLines(value: unknown): readonly ExemplarLine[] {
  return listOf(value).flatMap((entry) => {
    const [series, exemplar] = listOf(entry);
    return isText(series) && isText(exemplar) ? [[series, exemplar] as const] : [];
  });
}

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/**
 * The page of metrics with exemplars (OpenMetrics 1.0). prom-client's own writer renames the
 * counters in the registry when it writes, so that the next plain page would lack their `_total`.
 */
export function openMetricsPage(text: string, exemplars: readonly ExemplarLine[]): string {
  const of = new Map(exemplars);
  const lines = text.split('\n').filter((line) => line !== '');
  const counters = new Set(
    lines.flatMap((line) =>
      line.startsWith('# TYPE ') && line.endsWith(' counter') ? (line.split(' ')[2] ?? []) : [],
    ),
  );
  const written = lines.map((line) => {
    if (line.startsWith('# ')) return described(line, counters);
    const exemplar = of.get(line.slice(0, line.lastIndexOf(' ')));
    return exemplar === undefined ? line : `${line} ${exemplar}`;
  });
  return `${[...written, '# EOF'].join('\n')}\n`;
}

const total = '_total';

/** A counter is described without the suffix of its samples; one that lacks it has no type. */
function described(line: string, counters: ReadonlySet<string>): string {
  const [, word = '', name = '', ...rest] = line.split(' ');
  if (!counters.has(name)) return line;
  if (name.endsWith(total)) return ['#', word, name.slice(0, -total.length), ...rest].join(' ');
  return word === 'TYPE' ? `# TYPE ${name} unknown` : line;
}

/** Whether a scraper prefers it (RFC 9110 section 12.5.1). */
export function prefersOpenMetrics(accept = ''): boolean {
  let [open, plain] = [0, 0];
  for (const entry of accept.slice(0, 2_000).split(',')) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    const weight = Number(parameters.find((each) => each.startsWith('q='))?.slice(2) ?? 1);
    if (type === 'application/openmetrics-text') open = Math.max(open, weight);
    if (type === 'text/plain') plain = Math.max(plain, weight);
  }
  return open > 0 && open >= plain;
}

/** The page of metrics. */
export interface ShownMetrics {
  /** All metrics in the exposition format that `contentType` names. */
  text(): Promise<string>;
  readonly contentType: string;
  /** The same with exemplars, as OpenMetrics; absent where there are none. */
  openMetrics?(): Promise<string>;
}

export function shownBy(registry: Registry): ShownMetrics {
  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    ...(registry instanceof ExemplarRegistry && {
      openMetrics: async () => openMetricsPage(await registry.metrics(), registry.exemplars()),
    }),
  };
}

/** All metrics as plain values, with the exemplars behind them. */
export async function valuesOf(registry: Registry): Promise<unknown> {
  const metrics: unknown[] = await registry.getMetricsAsJSON();
  return registry instanceof ExemplarRegistry ? [...metrics, { exemplars: registry.exemplars() }] : metrics;
}
