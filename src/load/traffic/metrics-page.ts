import { LoadFailure } from '../client/failure.ts';
import { pageAt } from './page.ts';
import type { TrafficCounter } from './traffic.ts';

/** Counters of received bytes and of requests, by the program that has them on its page. */
const known: readonly { readonly bytes: string; readonly requests: string }[] = [
  { bytes: 'quayside_upstream_received_bytes_total', requests: 'quayside_upstream_requests_total' },
  { bytes: 'registry_proxy_pulled_bytes_total', requests: 'registry_proxy_requests_total' },
];

/** The metrics page of Quayside, or of distribution as a cache. */
export function createMetricsCounter(url: URL): TrafficCounter {
  return {
    source: 'metrics',
    async read(signal) {
      const page = await pageAt(url, signal);
      const names = known.find(({ bytes }) => hasMetric(page, bytes));
      if (names === undefined)
        throw new LoadFailure(
          'counter',
          `${url.href} has none of the counters ${known.map(({ bytes }) => bytes).join(', ')}`,
        );
      return { bytes: sumOf(page, names.bytes), requests: sumOf(page, names.requests) };
    },
  };
}

function hasMetric(page: string, name: string): boolean {
  return page.split('\n').some((line) => line.includes(name));
}

/** Over all labels (Prometheus text format). */
function sumOf(page: string, name: string): number {
  let sum = 0;
  for (const line of page.split('\n')) {
    if (!line.startsWith(name)) continue;
    const rest = line.slice(name.length);
    if (!rest.startsWith('{') && !rest.startsWith(' ')) continue;
    const value = Number(
      rest
        .slice(rest.lastIndexOf('}') + 1)
        .trim()
        .split(' ', 1)[0],
    );
    if (Number.isFinite(value)) sum += value;
  }
  return sum;
}
