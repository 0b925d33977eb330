import type { ConditionAnswer, ConditionOptions, ConditionQuestion } from './condition-process.ts';
import type { Link } from './link.ts';
import { worker } from './worker.ts';

/** What the way to the upstream is like. */
export type ConditionName = '1 ms' | '20 ms' | '50 MB/s a connection' | '5 % of bodies cut';

/** Each is one trouble alone, so that it is known what made a figure. */
export const conditions: Readonly<Record<ConditionName, Omit<ConditionOptions, 'targetPort'>>> = {
  '1 ms': { roundTripMs: 1 },
  '20 ms': { roundTripMs: 20 },
  '50 MB/s a connection': { bytesPerSecond: 50e6 },
  '5 % of bodies cut': { cutsEvery: 20 },
};

/** Starts a relay to a port of 127.0.0.1 in a process of its own. */
export async function condition(options: ConditionOptions): Promise<Link> {
  const process = worker<ConditionQuestion, ConditionAnswer>(
    new URL('./condition-process.ts', import.meta.url),
  );
  const { port } = await process.ask({ kind: 'listen', ...options });
  return {
    origin: `http://127.0.0.1:${port}`,
    counts: () => process.ask({ kind: 'counts' }),
    reset: async () => {
      await process.ask({ kind: 'reset' });
    },
    close: process.close,
  };
}
