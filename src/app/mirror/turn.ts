import type { CacheContext } from '../../cache/registry/context.ts';
import type { MirrorSettings } from '../../config/config.ts';
import { createLease } from '../../lease/lease.ts';
import { createLeaseObject } from '../../lease/lease-object.ts';
import { createRecordLease } from '../../lease/record.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ClusterClients } from './cluster-clients.ts';
import type { MirrorWatch } from './state.ts';

interface TurnOptions {
  readonly settings: MirrorSettings;
  readonly cache: Pick<CacheContext, 'instance' | 'medium'>;
  readonly log: Log;
  readonly watch: MirrorWatch;
}

/** Does the work while it is this process's turn. */
export type Turn = (work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal) => Promise<void>;

/** One process at a time, by a Lease of a cluster or by a record in the store. */
export async function configuredTurn(
  { settings, cache, log, watch }: TurnOptions,
  clients: ClusterClients,
): Promise<Turn> {
  if (settings.dryRun) return (work, signal) => work(signal);
  const own = log.child({ component: 'ci-images-mirror' });
  const events = watch.noted({
    acquired: (event: object) => own.info(event, 'acquired the mirror lease; this process copies now'),
    lost: (event: object) => own.warn(event, 'lost the mirror lease; this process stops copying'),
    failed: ({ name, error }: { readonly name: string; readonly error: unknown }) =>
      own.warn({ name, err: error }, 'cannot read or renew the mirror lease; retrying'),
  });
  const { instance: holder } = cache;
  if (settings.lease === undefined) {
    const name = 'mirror';
    const ours = createLease({
      name,
      medium: watch.followed(createRecordLease(cache.medium.records, { name })),
      holder,
      events,
    });
    return (work, signal) => ours.held(work, { signal });
  }
  const { cluster, namespace, name } = settings.lease;
  const client = await clients.of(cluster);
  const medium = watch.followed(createLeaseObject({ client, namespace, name }));
  const ours = createLease({ name, medium, holder, events });
  return (work, signal) => ours.held(work, { signal });
}
