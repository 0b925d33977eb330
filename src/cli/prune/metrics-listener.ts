import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PruneMetrics } from '../../telemetry/metrics/prune.ts';
import { UsageError } from '../flags/arguments.ts';

/** Where metrics are served. */
export interface MetricsListener {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, and `/healthz`: the process is alive. Throws `UsageError` where
 * the address cannot be listened at.
 */
export async function metricsListener(address: string, metrics: PruneMetrics): Promise<MetricsListener> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?', 1);
    if (path === '/healthz') return response.writeHead(200).end('ok\n');
    if (path !== '/metrics') return response.writeHead(404).end();
    return metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  try {
    server.listen(Number(address.slice(at + 1)), host);
    await once(server, 'listening');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`--metrics ${address} cannot be listened at (${why})`, { cause: error });
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
