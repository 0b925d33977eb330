// Room `app/replicas`: what replicas share beside the store: content, news, reviews, the order to
// forget. In: the configuration, parts. Out: instances for `app`. Imports: auth/clusters,
// auth/tokens, base, fleet, fleet/members, fleet/protocol, store; types of auth, cache,
// cache/registry, config, proxy/http, telemetry, telemetry/metrics, workers.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readOnChange } from '../../base/state/watched-file.ts';
import type { Clock } from '../../base/time/wait.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Config } from '../../config/load.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import { createFleet, type Fleet } from '../../fleet/fleet.ts';
import { createFixedList, createNameList, type MemberList } from '../../fleet/members/lists.ts';
import { createSeals, parseFleetKeys, type Seals } from '../../fleet/protocol/seals.ts';

interface FleetParts {
  readonly events?: Partial<FleetEvents>;
  readonly clock?: Clock;
}

/** The fleet, and the port where this process answers other members. */
export interface ConfiguredFleet extends Pick<Fleet, 'joined' | 'leave' | 'tell' | 'follow'> {
  /** The part of the limits towards upstreams that is this member's. */
  share(): number;
  /**
   * Begins to answer and to ask. `registries` are the upstreams as this process asks them itself.
   * Resolves to where it listens.
   */
  listen(registries: readonly CachedRegistry[], open: OpenPort): Promise<string>;
  /** Closes the port: the last thing to go, since others may read from here till then. */
  close(): Promise<void>;
}

/** Opens the port between members; resolves once it listens. */
type OpenPort = (port: MemberPort) => Promise<{ readonly address: string; close(): Promise<void> }>;

export interface MemberPort {
  readonly listen: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly seals: Seals;
  readonly registries: ReadonlyMap<string, CachedRegistry>;
  readonly pong: Fleet['pong'];
  readonly told: Fleet['told'];
  readonly events: Partial<FleetEvents>;
}

type FleetConfig = NonNullable<Config['fleet']>;

/** Undefined where no fleet is configured. Rejects for a key file or certificate that is none. */
export async function configuredFleet(
  config: Config,
  parts: FleetParts,
): Promise<ConfiguredFleet | undefined> {
  const { fleet: settings } = config;
  if (settings === undefined) return undefined;
  const { events = {} } = parts;
  const keys = readOnChange([settings.keyFile], ([text = '']) => parseFleetKeys(text));
  await keys();
  const seals: Seals = createSeals(keys);
  const tls = settings.tls && (await readTls(settings.tls));
  const fleet = createFleet({
    self: settings.self ?? settings.listen,
    instance: randomBytes(9).toString('base64url'),
    list: listOf(settings),
    hasOneStore: 's3' in config.store,
    ...{ seals, events },
    ...(tls && { tls }),
    ...(parts.clock && { clock: parts.clock }),
  });
  let close = async (): Promise<void> => undefined;
  return {
    joined: fleet.joined,
    leave: fleet.leave,
    tell: fleet.tell,
    follow: fleet.follow,
    share: () => 1 / fleet.members.live.length,
    async listen(made, open) {
      const registries = new Map(made.map((registry) => [registry.name, registry]));
      const { pong, told } = fleet;
      const { listen } = settings;
      const port = await open({ listen, seals, registries, pong, told, events, ...(tls && { tls }) });
      close = async () => {
        await port.close();
        await Promise.all(made.map((registry) => registry.settled()));
      };
      fleet.start();
      return port.address;
    },
    async close() {
      fleet.close();
      await close();
    },
  };
}

function listOf({ addresses = [], dns }: FleetConfig): MemberList {
  return dns === undefined ? createFixedList(addresses) : createNameList({ name: dns });
}

async function readTls({ certFile, keyFile, caFile }: NonNullable<FleetConfig['tls']>) {
  const [cert, key, ca] = await Promise.all(
    [certFile, keyFile, caFile].map((file) => readFile(file, 'utf8')),
  );
  return { cert: cert ?? '', key: key ?? '', ca: ca ?? '' };
}
