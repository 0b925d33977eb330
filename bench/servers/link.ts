import type { LinkAnswer, LinkCounts, LinkOptions, LinkQuestion } from './link-process.ts';
import { worker } from './worker.ts';

/** The way to the upstream: of stated speed, and counting. */
export interface Link {
  readonly origin: string;
  counts(): Promise<LinkCounts>;
  reset(): Promise<void>;
  close(): void;
}

/** One Gbit/s: the link of the cold scenarios, in bytes a second. */
export const gigabit = 125_000_000;

/** Starts a relay to a port of 127.0.0.1 in a process of its own. */
export async function link(options: LinkOptions): Promise<Link> {
  const process = worker<LinkQuestion, LinkAnswer>(new URL('./link-process.ts', import.meta.url));
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
