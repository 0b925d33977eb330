import { useMemo } from 'preact/hooks';
import { Chart } from '../parts/chart.ts';
import { html, type Markup } from '../parts/html.ts';
import { Empty } from '../parts/pieces.ts';
import { bytesText, percentText } from '../parts/text.ts';
import type { HistoryPoint, TrafficFigures } from '../wire/messages.ts';

const hourMs = 3_600_000;

/** What came about within the last hour, up to now, or since the start of the server. */
export function lastHour(points: readonly HistoryPoint[], traffic: TrafficFigures) {
  const last = pointNow(traffic, Date.now());
  const first = points.find(({ at }) => at >= last.at - hourMs);
  if (first === undefined) return { seconds: 0, requests: 0, failed: 0, hits: 0, reads: 0 };
  return {
    seconds: (last.at - first.at) / 1000,
    requests: last.requests - first.requests,
    failed: last.failed - first.failed,
    hits: last.hits - first.hits,
    reads: last.reads - first.reads,
  };
}

const hitSources: ReadonlySet<string> = new Set(['memory', 'store', 'joined', 'redirect', 'member']);

/** The counts that are told now, in the form of the history. */
function pointNow(
  { sentBytes, receivedBytes, classes, reads, limited }: TrafficFigures,
  at: number,
): HistoryPoint {
  const sum = (counts: Readonly<Record<string, number>>, isMeant: (name: string) => boolean = () => true) =>
    Object.entries(counts).reduce((all, [name, count]) => (isMeant(name) ? all + count : all), 0);
  return {
    ...{ at, sentBytes, receivedBytes },
    requests: sum(classes),
    failed: (classes['5xx'] ?? 0) + limited,
    hits: sum(reads, (name) => hitSources.has(name)),
    reads: sum(reads),
  };
}

/** Between each two points. A count that fell begins anew: the server has started again. */
function between<Value>(
  points: readonly HistoryPoint[],
  measure: (before: HistoryPoint, after: HistoryPoint) => Value,
): readonly Value[] {
  return points.slice(1).flatMap((after, index) => {
    const before = points[index];
    return before === undefined ? [] : [measure(before, after)];
  });
}

const tooFew = 3;

function Few(): Markup {
  return html`<${Empty} title="Not enough yet">A line appears half a minute after the start of the server.<//>`;
}

export function HitChart({ points }: { readonly points: readonly HistoryPoint[] }): Markup {
  const { times, rates } = useMemo(
    () => ({
      times: points.slice(1).map(({ at }) => at),
      rates: between(points, (before, after) =>
        after.reads > before.reads ? (after.hits - before.hits) / (after.reads - before.reads) : null,
      ),
    }),
    [points],
  );
  if (points.length < tooFew) return html`<${Few} />`;
  const lines = [{ name: 'hit rate', color: 'accent', values: rates, isFilled: true }];
  return html`<${Chart} label="Hit rate over time" times=${times} lines=${lines} text=${percentText} most=${1} />`;
}

export function BytesChart({ points }: { readonly points: readonly HistoryPoint[] }): Markup {
  const { times, lines } = useMemo(() => {
    const rate = (key: 'sentBytes' | 'receivedBytes') =>
      between(
        points,
        (before, after) => (1000 * (after[key] - before[key])) / Math.max(1, after.at - before.at),
      );
    return {
      times: points.slice(1).map(({ at }) => at),
      lines: [
        { name: 'to clients', color: 'accent', values: rate('sentBytes'), isFilled: true },
        { name: 'from upstreams', color: 'second', values: rate('receivedBytes'), isFilled: true },
      ],
    };
  }, [points]);
  if (points.length < tooFew) return html`<${Few} />`;
  return html`<${Chart} label="Bytes a second over time" times=${times} lines=${lines} text=${speedText} />`;
}

function speedText(bytes: number): string {
  return `${bytesText(bytes)}/s`;
}
