import type { ConditionOptions } from './condition-process.ts';
import { type Relay, relay } from './relay.ts';

/** What the way to the upstream is like. */
export type ConditionName = '1 ms' | '20 ms' | '50 MB/s a connection' | '5 % of bodies cut';

/** Each is one trouble alone, so that it is known what made a figure. */
export const conditions: Readonly<Record<ConditionName, Omit<ConditionOptions, 'targetPort'>>> = {
  '1 ms': { roundTripMs: 1 },
  '20 ms': { roundTripMs: 20 },
  '50 MB/s a connection': { bytesPerSecond: 50e6 },
  '5 % of bodies cut': { cutsEvery: 20 },
};

/** Starts a relay with a trouble to a port of 127.0.0.1. */
export function condition(options: ConditionOptions): Promise<Relay> {
  return relay(new URL('./condition-process.ts', import.meta.url), options);
}
