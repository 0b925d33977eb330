import { Registry } from 'prom-client';
import { counter, gauge } from './kinds.ts';
import { table } from './table.ts';

/** What a process that deletes in registries counts. */
export interface PruneMetrics {
  /** `bytes`: what only a deleted object needed, where that is known. */
  ended(outcome: 'deleted' | 'gone' | 'kept' | 'failed' | 'left', bytes: number): void;
  /** A run ended; `at` in ms since the epoch. */
  ran(outcome: 'done' | 'failed', at: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

/** A registry of its own. */
export function createPruneMetrics(): PruneMetrics {
  const registry = new Registry();
  const objects = counter(registry, table.pruned);
  const bytesDeleted = counter(registry, table.prunedBytes);
  const runs = counter(registry, table.pruneRuns);
  const last = gauge(registry, table.pruneEnded);
  return {
    ended(outcome, bytes) {
      objects(outcome).value += 1;
      bytesDeleted().value += bytes;
    },
    ran(outcome, at) {
      runs(outcome).value += 1;
      last(outcome).value = at / 1_000;
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
