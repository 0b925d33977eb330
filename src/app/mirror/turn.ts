import type { CacheContext } from '../../cache/registry/context.ts';
import type { MirrorSettings } from '../../config/config.ts';
import { holderOf } from '../../lease/holder.ts';
import { createLease, type Lease } from '../../lease/lease.ts';
import { createLeaseObject } from '../../lease/lease-object.ts';
import type { LeaseMedium, LeaseRecord } from '../../lease/medium.ts';
import { createRecordLease } from '../../lease/record.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ClusterClients } from './cluster-clients.ts';
import type { MirrorWatch } from './state.ts';

interface TurnOptions {
  readonly settings: MirrorSettings;
  readonly cache: Pick<CacheContext, 'instance' | 'medium'>;
  readonly log: Log;
  readonly watch: MirrorWatch;
  /** This process in the fleet. Default: there is none. */
  readonly member?: string | undefined;
  /** The turn was given back: another process may have it at once. */
  readonly released: () => void;
}

/** The turns of this process. */
export interface Turn {
  /** Does the work while it is this process's turn. */
  during(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  /** Who waits looks at once: another gave its turn back. */
  look(): void;
}

/**
 * A killed process is followed by another within 10 s: `ttlMs`, and two looks. What waits reads
 * often, as reads are cheap; a renewal that fails may fail twice.
 */
const times = { ttlMs: 7_000, retryMs: 2_000, lookMs: 800 };

/** One process at a time, by a Lease of a cluster or by a record in the store. */
export async function configuredTurn(
  { settings, cache, log, watch, member, released }: TurnOptions,
  clients: ClusterClients,
): Promise<Turn> {
  if (settings.dryRun) return { during: (work, signal) => work(signal), look: () => undefined };
  const own = log.child({ component: 'ci-images-mirror' });
  const events = watch.noted({
    acquired: (event: object) => own.info(event, 'acquired the mirror lease; this process copies now'),
    lost: (event: object) => own.warn(event, 'lost the mirror lease; this process stops copying'),
    released,
    failed: ({ name, error }: { readonly name: string; readonly error: unknown }) =>
      own.warn({ name, err: error }, 'cannot read or renew the mirror lease; retrying'),
  });
  const leased = <Written extends LeaseRecord>(name: string, medium: LeaseMedium<Written>): Turn => {
    const holder = holderOf(cache.instance, member);
    return turnsOf(createLease({ name, medium: watch.followed(medium), holder, events, ...times }));
  };
  if (settings.lease === undefined) {
    const name = 'mirror';
    return leased(name, createRecordLease(cache.medium.records, { name }));
  }
  const { cluster, namespace, name } = settings.lease;
  const client = await clients.of(cluster);
  return leased(name, createLeaseObject({ client, namespace, name, timeoutMs: callMs }));
}

/** A call that does not answer leaves time for another one, milliseconds. */
const callMs = 2_000;

function turnsOf(ours: Lease): Turn {
  return { during: (work, signal) => ours.held(work, { signal }), look: ours.look };
}
