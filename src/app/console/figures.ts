import { defined } from '../../base/text/defined.ts';
import type { Config } from '../../config/load.ts';
import type { StorageFigures, TrafficFigures, UpstreamFigures } from '../../console/wire/messages.ts';
import { table } from '../../telemetry/metrics/table.ts';
import type { UpstreamStates } from '../explain/states.ts';
import { sumOf } from './history.ts';
import { type MetricsPage, quantileSince } from './metrics-page.ts';

/** Counts since the start. */
export function trafficFigures(page: MetricsPage): TrafficFigures {
  const statuses = page.by(table.requests[0], 'status');
  const classes: Record<string, number> = {};
  for (const [status, count] of Object.entries(statuses)) {
    const name = `${status.slice(0, 1)}xx`;
    classes[name] = (classes[name] ?? 0) + count;
  }
  return {
    sentBytes: page.sum(table.sent[0]),
    receivedBytes: page.sum(table.received[0]),
    reads: page.by(table.reads[0], 'hit'),
    kinds: page.by(table.requests[0], 'kind'),
    classes,
    resumed: page.sum(table.retries[0], { reason: 'resume' }),
    refused: page.sum(table.refused[0]),
    limited: page.sum(table.limited[0]),
    running: page.sum(table.running[0]),
    waiting: page.sum(table.waiting[0]),
  };
}

/** Each configured upstream; latencies are those since the page before. */
export function upstreamFigures(
  { upstreams }: Pick<Config, 'upstreams'>,
  { page, before }: { readonly page: MetricsPage; readonly before: MetricsPage },
  states: Pick<UpstreamStates, 'of'>,
): readonly UpstreamFigures[] {
  return Object.entries(upstreams).map(([name, { url }]) => {
    const labels = { upstream: name };
    const statuses = page.by(table.upstreamRequests[0], 'status', labels);
    const { breaker = 'closed', limits } = states.of(name);
    const buckets = `${table.upstreamSeconds[0]}_bucket`;
    const now = page.by(buckets, 'le', labels);
    const then = before.by(buckets, 'le', labels);
    const latency = (part: number): number | undefined => {
      const seconds = quantileSince(now, then, part);
      return seconds === undefined ? undefined : Math.round(seconds * 10_000) / 10;
    };
    return {
      name,
      url: new URL(url).host,
      breaker,
      requests: sumOf(statuses, () => true),
      throttled: statuses['429'] ?? 0,
      failed: sumOf(statuses, (status) => status.startsWith('5')),
      silent: statuses['0'] ?? 0,
      receivedBytes: page.sum(table.received[0], labels),
      resumed: page.sum(table.retries[0], { ...labels, reason: 'resume' }),
      wrong: page.sum(table.wrongContent[0], labels),
      ...defined({ limits: limits?.text, medianMs: latency(0.5), slowestMs: latency(0.99) }),
    };
  });
}

/** What is held where, and how much room there is. A store that holds nothing was not measured. */
export function storageFigures(page: MetricsPage): readonly StorageFigures[] {
  const blobs = page.value(table.storeBlobs[0]) || undefined;
  const held = {
    store: { bytes: blobs && page.value(table.storeBytes[0]), blobs },
    disk: { bytes: page.value(table.disk[0]), blobs: page.value(table.diskBlobs[0]) },
    spool: { bytes: page.value(table.spool[0]), blobs: undefined },
  };
  return (['store', 'disk', 'spool'] as const)
    .map((use) => ({
      use,
      ...defined({
        ...held[use],
        maxBytes: page.value(table.maxBytes[0], { use }),
        diskBytes: page.value(table.filesystemSize[0], { use }),
        diskFreeBytes: page.value(table.filesystemAvailable[0], { use }),
      }),
    }))
    .filter(({ use, maxBytes }) => use !== 'disk' || maxBytes !== undefined);
}
