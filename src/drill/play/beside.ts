import { hasSlept } from '../../base/time/wait.ts';
import type { DigestChecks } from '../../load/verify/digest-check.ts';
import type { DrillOutcome } from '../drill.ts';
import type { OtherCache } from '../stand/distribution.ts';
import type { Drill } from '../table/table.ts';
import type { DrillImages } from '../watch/images.ts';
import { createDrillClients, type DrillClients } from '../watch/pulls.ts';
import { type FaultTimes, failuresOf } from './judge.ts';

interface BesideOptions {
  readonly other: OtherCache;
  readonly images: DrillImages;
  readonly checks: DigestChecks;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** The other cache in a drill: the same pulls at the same times. */
export interface BesidePlay {
  readonly clients: DrillClients;
  /** After the fault, for at most a minute: until it serves a warm and a cold pull. */
  well(): Promise<number | undefined>;
  outcome(drill: Drill, times: FaultTimes, wellMs: number | undefined): NonNullable<DrillOutcome['beside']>;
}

const mostRecoveryMs = 60_000;

/** Takes part in the drills of the upstream, and of processes that end or stand still. */
export function besidePlay({ other: { url }, images, checks, now, signal }: BesideOptions): BesidePlay {
  const clients = createDrillClients({ url, checks, now });
  let wrong = 0;
  return {
    clients,
    async well() {
      const startedMs = now();
      while (now() - startedMs < mostRecoveryMs && !signal.aborted) {
        const asked = createDrillClients({ url, checks, now, client: 'plain' });
        const [warm] = images.warm;
        const pulls = [await images.cold(), ...(warm === undefined ? [] : [warm])];
        for (const image of pulls) void asked.pull(image);
        await asked.finish(5_000);
        wrong += asked.wrong().length;
        const isWell = asked.wrong().length === 0 && asked.pulls.every(({ error }) => error === undefined);
        if (isWell) return Math.round(now() - startedMs);
        await hasSlept(250, signal);
      }
      return undefined;
    },
    outcome: (drill, times, wellMs) => ({
      pulls: clients.pulls.length,
      failed: failuresOf(drill, clients.pulls, times).own.length,
      wrongDelivered: clients.wrong().length + wrong,
      ...(wellMs === undefined ? {} : { wellMs }),
    }),
  };
}
