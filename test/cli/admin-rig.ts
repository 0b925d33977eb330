import type { Test } from 'tap';
import { adminServer } from '../../src/app/server.ts';
import { createHoldDesk } from '../../src/mirror/loop/hold-desk.ts';
import { createHolds } from '../../src/mirror/queue/holds.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { createMetrics } from '../../src/telemetry/metrics/metrics.ts';

/** The admin listener of a server with holds; `at` names it on a command line. */
export async function admin(t: Test) {
  const { records } = createMemoryStore();
  const holds = createHolds({ records });
  const queue = { list: () => [], retry: () => 0 };
  const desk = { tasks: () => [], order: async () => true, retry: () => 0, drop: () => 'unknown' as const };
  const mirror = { desk, holds: createHoldDesk({ holds, queue, tell: () => {} }), serving: () => {} };
  const url = await adminListener(t, { mirror });
  return { holds, records, at: ['--admin', url], host: new URL(url).host };
}

/** The same with these parts; resolves to its URL. Ends with the test. */
export async function adminListener(
  t: Test,
  parts: Pick<Parameters<typeof adminServer>[0], 'mirror' | 'status'>,
): Promise<string> {
  const app = adminServer({
    meters: createMetrics(),
    listen: '127.0.0.1:0',
    trustedProxies: () => [],
    operated: () => {},
    isReady: async () => true,
    forget: () => {},
    ...parts,
  });
  t.teardown(() => app.close());
  return app.listen({ host: '127.0.0.1', port: 0 });
}
