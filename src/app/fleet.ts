import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readOnChange } from '../base/state/watched-file.ts';
import type { Clock } from '../base/time/wait.ts';
import type { CacheContext } from '../cache/registry/context.ts';
import type { CachedRegistry } from '../cache/registry/registry.ts';
import type { Config } from '../config/load.ts';
import type { FleetEvents } from '../fleet/events.ts';
import { createFleet, type Fleet } from '../fleet/fleet.ts';
import { createFixedList, createNameList, type MemberList } from '../fleet/members/lists.ts';
import { createSeals, parseFleetKeys, type Seals } from '../fleet/protocol/seals.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type Absences, cachedRegistries } from './registries.ts';
import { listening, memberServer } from './server.ts';

interface FleetParts {
  readonly events?: Partial<FleetEvents>;
  readonly clock?: Clock;
}

/** The fleet, and the port where this process answers other members. */
export interface ConfiguredFleet extends Pick<Fleet, 'joined' | 'leave' | 'members'> {
  /** Begins to answer and to ask. Resolves to where it listens. */
  listen(cache: CacheContext, upstreams: readonly Upstream[], absences: Absences): Promise<string>;
  /** Closes the port: the last thing to go, since others may read from here till then. */
  close(): Promise<void>;
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
    ...{ seals, events },
    ...(tls && { tls }),
    ...(parts.clock && { clock: parts.clock }),
  });
  let close = async (): Promise<void> => undefined;
  return {
    joined: fleet.joined,
    leave: fleet.leave,
    members: fleet.members,
    async listen(cache, upstreams, absences) {
      const registries = new Map<string, CachedRegistry>();
      for (const made of cachedRegistries(config, cache, upstreams, { absences, isForReplicas: true }))
        registries.set(made.name, made);
      const app = memberServer({ seals, registries, pong: fleet.pong, told: fleet.told, events }, tls);
      close = async () => {
        await app.close();
        await Promise.all([...registries.values()].map((registry) => registry.settled()));
      };
      const address = await listening(app, settings.listen);
      fleet.start();
      return address;
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
