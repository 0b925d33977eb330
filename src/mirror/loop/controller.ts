import {
  type ImageStreamTag,
  imageStreamTagText,
  parseImageStreamTag,
} from '../../image-streams/image-stream-tag.ts';
import type { ImageStreams, SourceTag } from '../../image-streams/image-streams.ts';
import type { WorkqueueEvents } from '../events.ts';
import type { BuiltAt } from '../images/built-at.ts';
import type { ImageInspector } from '../images/image-inspector.ts';
import type { LogMirror } from '../log.ts';
import type { TaskSink } from '../queue/queue.ts';
import type { Priority } from '../queue/task.ts';
import { type ImageReference, parseImageReference } from '../references/image-reference.ts';
import { appCiImage, backupImage, quayImage } from '../references/names.ts';
import { createWorkQueue, type WorkQueueOptions } from './work-queue.ts';

export interface ControllerOptions extends Pick<WorkQueueOptions, 'firstPauseMs' | 'longestPauseMs'> {
  /** Of app.ci. */
  readonly streams: Pick<ImageStreams, 'tags' | 'tag' | 'follow'>;
  /** Which tags are mirrored: `tagFilter`. */
  readonly isWanted: (tag: ImageStreamTag) => boolean;
  readonly look: ImageInspector;
  /** Tells which targets are stale. Default: none is. */
  readonly builtAt?: BuiltAt;
  readonly queue: TaskSink;
  readonly tell: LogMirror;
  /** Skips docker images (schema 2) with a layer that is not gzip. Default true. */
  readonly onlyValidManifestV2Images?: boolean;
  readonly events?: Partial<WorkqueueEvents>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Keeps in QCI what tags of image streams stand for. */
export interface Controller {
  /** Checks every wanted tag, then each change, one at a time, until aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  /** A test uses this now: a tag `namespace/name:tag`, or a stream `imagestream_namespace/name`. */
  referenced(key: string): void;
}

export const controllerName = 'quay_io_ci_images_distributor';

const streamPrefix = 'imagestream_';
const staleMs = 24 * 60 * 60 * 1000;

interface Sight {
  readonly digest: string;
  readonly priority: Priority;
}

export function createController(options: ControllerOptions): Controller {
  const { streams, isWanted, tell, events = {} } = options;
  const sights = new Map<string, Sight>();
  const line = createWorkQueue({ ...options, work, events });

  async function work(key: string, signal: AbortSignal): Promise<void> {
    if (key.startsWith(streamPrefix)) return await spread(key.slice(streamPrefix.length), signal);
    const tag = parseImageStreamTag(key);
    if (tag === undefined) return;
    const fields = fieldsOf(tag);
    const sight = sights.get(key);
    try {
      tell('reconcileStarted', fields);
      await reconciled(options, tag, sight, signal);
      if (sights.get(key) === sight) sights.delete(key);
      tell('reconciled', fields);
    } catch (error) {
      if (!signal.aborted) tell('reconcileFailed', { ...fields, error });
      throw error;
    }
  }

  async function spread(stream: string, signal: AbortSignal): Promise<void> {
    const [namespace = '', name] = stream.split('/');
    for await (const tag of streams.tags({ namespace, signal })) if (tag.name === name) add(tag);
  }

  function add(tag: ImageStreamTag): void {
    if (isWanted(tag)) line.add(imageStreamTagText(tag));
  }

  const listener: Parameters<ImageStreams['follow']>[0] = {
    changed(tag, seen) {
      if (!isWanted(tag)) return;
      const priority = seen === 'watched' ? 'change' : 'resync';
      sights.set(imageStreamTagText(tag), { digest: tag.digest, priority });
      add(tag);
    },
    removed: (tag) => void sights.delete(imageStreamTagText(tag)),
  };

  return {
    async run(signal) {
      await Promise.all([streams.follow(listener, { signal }), line.run(signal)]);
      sights.clear();
    },
    referenced(key) {
      const tag = parseImageStreamTag(key);
      if (tag !== undefined) add(tag);
      else if (key.startsWith(streamPrefix)) line.add(key);
    },
  };
}

/** Most tags of a list are what QCI has already: that takes one HEAD there, and nothing else. */
async function reconciled(
  options: ControllerOptions,
  tag: ImageStreamTag,
  sight: Sight | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { streams, look, tell, onlyValidManifestV2Images = true } = options;
  const target = parseImageReference(quayImage(tag));
  const current = (await look.stat(target, signal))?.digest;
  const fields = { ...fieldsOf(tag), currentQuayDigest: current ?? '' };
  if (current !== undefined && sight?.digest === current)
    return tell('upToDate', { ...fields, target: target.text });
  const found = await streams.tag(tag, { signal });
  if (found === undefined) return tell('imageStreamTagAbsent', fieldsOf(tag));
  if (isSchema1(found) && current !== undefined) return tell('skippedSchema1', fields);
  if (onlyValidManifestV2Images && isInvalidV2(found)) return tell('skippedInvalidV2', fieldsOf(tag));
  if (!found.image.startsWith('sha256:'))
    throw new Error(`image name has no prefix \`sha256:\`: ${found.image}`);
  const source = parseImageReference(appCiImage(tag, found.image));
  if (current === found.image || (await isChild(found.image, current, target, look, signal)))
    return tell('upToDate', { ...fields, target: target.text });
  if ((await look.stat(source, signal)) === undefined)
    return tell('appCiSourceAbsent', { ...fieldsOf(tag), source: source.text });
  await enqueued(
    options,
    { tag, source, target, current, found, priority: sight?.priority ?? 'change' },
    signal,
  );
}

interface Difference {
  readonly tag: ImageStreamTag;
  readonly source: ImageReference;
  readonly target: ImageReference;
  /** What the target holds; absent for nothing. */
  readonly current: string | undefined;
  readonly found: SourceTag;
  readonly priority: Priority;
}

async function enqueued(
  { builtAt, queue, tell, now = Date.now }: ControllerOptions,
  { tag, source, target, current = '', found, priority }: Difference,
  signal: AbortSignal,
): Promise<void> {
  const built = current === '' ? undefined : await builtAt?.(target, signal);
  const stale = built !== undefined && built + staleMs < found.createdAt;
  const digests = { currentQuayDigest: current, currentAppCIDigest: found.image };
  const at = now();
  tell('mirroring', { ...fieldsOf(tag), ...digests, stale, source: source.text, target: target.text });
  await queue.put({
    source,
    destination: target,
    priority,
    owner: controllerName,
    createdAt: at,
    sourceTagRef: { namespace: tag.namespace, name: tag.name, tag: tag.tag },
    sourceDigest: found.image,
    currentDigest: current,
    stale,
    ...(current === '' ? {} : { backup: parseImageReference(backupImage(tag, at)) }),
  });
}

/** An image of one architecture never takes the place of an index that holds it. */
async function isChild(
  digest: string,
  current: string | undefined,
  target: ImageReference,
  look: ImageInspector,
  signal: AbortSignal,
): Promise<boolean> {
  return current !== undefined && (await look.amd64(target, signal)) === digest;
}

/** Their digest may have changed on the way into QCI, so that it tells nothing. */
function isSchema1({ mediaType }: SourceTag): boolean {
  return mediaType.endsWith('manifest.v1+prettyjws');
}

function isInvalidV2({ mediaType, layerMediaTypes }: SourceTag): boolean {
  return mediaType.endsWith('manifest.v2+json') && layerMediaTypes.some((type) => !type.endsWith('.gzip'));
}

function fieldsOf(tag: ImageStreamTag) {
  const request = imageStreamTagText(tag);
  const { namespace } = tag;
  return { controller: controllerName, request, namespace, name: `${tag.name}:${tag.tag}` };
}
