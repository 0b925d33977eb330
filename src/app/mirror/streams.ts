import { createImageStreams, type ImageStreams } from '../../image-streams/image-streams.ts';
import { tagFilter } from '../../mirror/ci/tag-filter.ts';
import { createBuiltAt } from '../../mirror/images/built-at.ts';
import type { ImageInspector } from '../../mirror/images/image-inspector.ts';
import type { LogMirror } from '../../mirror/log.ts';
import { controllerName, createController } from '../../mirror/loop/controller.ts';
import type { Queue } from '../../mirror/queue/queue.ts';
import type { ClusterClients } from './cluster-clients.ts';
import type { RegistryEndpoints } from './endpoints.ts';
import { followInputs } from './inputs.ts';
import type { Rules } from './rules.ts';
import type { MirrorParts } from './service.ts';

/** The image streams of the cluster that the settings name; undefined for none. */
export async function configuredStreams(
  { settings, log }: Pick<MirrorParts, 'settings' | 'log'>,
  clients: ClusterClients,
): Promise<ImageStreams | undefined> {
  if (settings.imageStreams === undefined) return undefined;
  const { cluster } = settings.imageStreams;
  const own = log.child({ component: 'ci-images-mirror', cluster });
  return createImageStreams({
    client: await clients.of(cluster),
    events: {
      listed: (event) => own.info(event, 'image streams listed'),
      failed: ({ error, pauseMs }) =>
        own.warn({ err: error, pauseMs }, 'cannot list or watch image streams; retrying'),
    },
  });
}

interface StreamJobs {
  readonly ends: RegistryEndpoints;
  readonly look: ImageInspector;
  readonly queue: Queue;
  readonly tell: (subcomponent: string) => LogMirror;
  readonly rules: Rules;
}

/** The controller; one that watches nothing where the settings do not say so. */
export function watching(
  streams: ImageStreams,
  { settings, events }: Pick<MirrorParts, 'settings' | 'events'>,
  { ends, look, queue: lines, tell, rules }: StreamJobs,
): { run(signal: AbortSignal): Promise<void> } {
  const { imageStreams: wanted } = settings;
  if (wanted?.watch !== true) return { run: () => Promise.resolve() };
  const { onlyValidManifestV2Images, releaseRepo: folder } = wanted;
  const own = tell(controllerName);
  const followed = folder === undefined ? undefined : followInputs({ folder, tell: own });
  const ignored = new Set(wanted.ignoredTags);
  const isFollowed = tagFilter({
    isIgnored: (tag) => ignored.has(tag) || rules.isIgnored(tag),
    additionalTags: new Set(wanted.additionalTags),
    additionalNamespaces: new Set(wanted.additionalNamespaces),
    additionalStreams: new Set(wanted.additionalStreams),
    ...(followed && { inputs: followed.inputs }),
  });
  const distributor = createController({
    streams,
    isWanted: isFollowed,
    look,
    queue: lines,
    tell: own,
    builtAt: createBuiltAt(ends.source, ({ text: target }, error) => own('ageUnknown', { target, error })),
    onlyValidManifestV2Images,
    events,
  });
  return followed === undefined ? distributor : { run: (signal) => followed.during(distributor, signal) };
}
