import type { MadePart } from '../../base/state/kept-parts.ts';
import type { Config } from '../../config/load.ts';
import { type CredentialHelpers, createCredentialHelpers } from '../../upstream/helpers/helpers.ts';
import { followedMirrorRules, mirrored } from '../mirror/loaded.ts';
import { breakersTold } from '../replicas/fleet-news.ts';
import { configuredSharing, sharingSettings } from '../replicas/review-sharing.ts';
import { configuredCluster, type KnownClusters } from './access.ts';
import type { SharedParts } from './generation.ts';
import type { GenerationParts, MirrorPart } from './parts.ts';
import {
  type ConfiguredRegistry,
  configuredRegistry,
  configuredUpstream,
  connectionSettings,
} from './registries.ts';
import { type FollowedCluster, followedCluster, followedClusters, streamSettings } from './streams.ts';
import { createUpkeep } from './upkeep.ts';

/** The clusters, each with the settings of its own and the keys that replicas share tokens by. */
export async function takenClusters(
  config: Config,
  { cache, tokenKeys, events, attempts }: SharedParts,
  parts: GenerationParts,
): Promise<KnownClusters> {
  const { records } = cache.medium;
  const sharing = await parts.sharing.take('reviews', sharingSettings(config), () =>
    configuredSharing(config, { records, tokenKeys, events }),
  );
  const clusters = new Map();
  for (const [name, settings] of Object.entries(config.clusters)) {
    const { streams: _streams, ...own } = settings;
    const around = { attempts, sharing: sharing.value.of };
    const { value } = await parts.clusters.take(name, [own, sharing.id], () =>
      configuredCluster(name, settings, events, around),
    );
    clusters.set(name, value);
  }
  return clusters;
}

/** The indexes of image streams. */
export async function takenStreams(
  config: Config,
  { cache, events }: SharedParts,
  parts: GenerationParts,
): Promise<readonly FollowedCluster[]> {
  const { records } = cache.medium;
  const made: FollowedCluster[] = [];
  for (const name of followedClusters(config)) {
    const { value } = await parts.streams.take(name, streamSettings(name, config), () =>
      followedCluster(name, config, { records, events }),
    );
    made.push(value);
  }
  return made;
}

/** Programs that have logins, for upstreams and for the ends of copies. */
export function takenHelpers(
  { credentialHelpers }: Config,
  { env, events }: SharedParts,
  parts: GenerationParts,
): Promise<MadePart<CredentialHelpers>> {
  return parts.helpers.take('helpers', credentialHelpers, () =>
    createCredentialHelpers({ ...credentialHelpers, env, events }),
  );
}

/** The mirror: another one also where a registry that it copies from or to is asked otherwise. */
export async function takenMirror(
  config: Config,
  { cache, registry, events, meters, log, env, fleet }: SharedParts,
  parts: GenerationParts,
  helpers: MadePart<CredentialHelpers>,
): Promise<MadePart<MirrorPart> | undefined> {
  const { mirror: settings, clusters, upstreams } = config;
  if (settings === undefined) return undefined;
  const { listen: _listen, ...own } = settings;
  const clusterConnections = Object.entries(clusters).map(([name, { kubeconfigFile, context }]) => [
    name,
    kubeconfigFile,
    context,
  ]);
  const connections = Object.entries(upstreams).map(([name, upstream]) => [
    name,
    connectionSettings(upstream),
  ]);
  return parts.mirror.take('mirror', [own, clusterConnections, connections, helpers.id], async () => {
    const rules = await followedMirrorRules(settings, log);
    try {
      const made = { settings, rules, config, cache, registry, events, meters, log, env };
      const released = (): void => fleet?.tell({ kind: 'released', lease: 'mirror' });
      const all = { ...made, helpers: helpers.value, member: fleet?.instance, released };
      return { rules, mirror: await mirrored(all) };
    } catch (error) {
      rules.close();
      throw error;
    }
  });
}

interface TakenForRegistries {
  readonly mirror: MadePart<MirrorPart> | undefined;
  readonly helpers: MadePart<CredentialHelpers>;
}

/** The upstreams behind the cache, in the order of the settings. */
export async function takenRegistries(
  config: Config,
  { cache, env, events, fleet }: SharedParts,
  parts: GenerationParts,
  { mirror, helpers }: TakenForRegistries,
): Promise<readonly ConfiguredRegistry[]> {
  const all: ConfiguredRegistry[] = [];
  for (const [name, settings] of Object.entries(config.upstreams)) {
    const made = { env, events: breakersTold(events, fleet), share: fleet?.share, helpers: helpers.value };
    const connection = await parts.upstreams.take(name, [connectionSettings(settings), helpers.id], () =>
      configuredUpstream(name, settings, made),
    );
    const { value } = await parts.registries.take(name, [settings, connection.id, mirror?.id], () => {
      const { upstream } = connection.value;
      const filled = mirror?.value.mirror.filled(upstream) ?? upstream;
      return configuredRegistry(settings, { cache, filled, fleet });
    });
    all.push(value);
  }
  return all;
}

/** Eviction and scrub. */
export async function takenUpkeep(
  config: Config,
  { cache, registries, events }: SharedParts,
  parts: GenerationParts,
): Promise<void> {
  await parts.upkeep.take('upkeep', config.eviction, () =>
    createUpkeep(config, { cache, registries, events }),
  );
}
