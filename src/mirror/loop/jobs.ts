import { createNotifier, type Notifier } from '../../base/flow/notifier.ts';
import { Semaphore } from '../../base/flow/semaphore.ts';
import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import type { ArtSelector, MirrorConfig, MirroredImage } from '../ci/config-file.ts';
import { isIgnored, isSelected, listing } from '../ci/wanted.ts';
import type { ImageInspector } from '../images/image-inspector.ts';
import type { LogMirror } from '../log.ts';
import type { TaskSink } from '../queue/queue.ts';
import { imageReferenceOrNone, parseImageReference } from '../references/image-reference.ts';
import { appCiImage, backupImage, quayImage } from '../references/names.ts';
import { isUpToDate } from './up-to-date.ts';

export interface JobsOptions {
  /** The configuration of this tick; undefined skips it. */
  readonly config: () => Promise<MirrorConfig | undefined>;
  /** The image streams of app.ci, for `artImages`. Default: none, and nothing is selected. */
  readonly streams?: {
    tags(options: {
      readonly namespace: string;
      readonly signal: AbortSignal;
    }): AsyncIterable<ImageStreamTag>;
  };
  readonly look: ImageInspector;
  readonly queue: TaskSink;
  /** Speaks for one part of the jobs, such as `supplementalCIImagesService`. */
  readonly tell: (subcomponent: string) => LogMirror;
  /** Milliseconds. Default 1 h. */
  readonly everyMs?: number;
  /** Notified when the configuration has changed: the next check comes at once. Default: never. */
  readonly changed?: Pick<Notifier, 'wait'>;
  /** Images looked at at a time. Default 8. */
  readonly concurrency?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** The section of an image: its log lines, and what happens when the two sides differ. */
interface ArtService {
  readonly owner: string;
  readonly tell: LogMirror;
  /** The log lines when one of the registries did not answer, for one image and for the check. */
  readonly failures: { readonly [Where in 'source' | 'target' | 'all']: Parameters<LogMirror>[0] };
  /** The pull spec of the target. */
  target(image: ImageStreamTag): string;
  /** Where its content is kept before it is overwritten. */
  backup?(image: ImageStreamTag, at: number): string;
}

/** At start, hourly and at each change, checks what `_config.yaml` lists. Never rejects. */
export async function hourly(options: JobsOptions, signal: AbortSignal): Promise<void> {
  const { everyMs = 3_600_000, changed = createNotifier() } = options;
  while (!signal.aborted) {
    const next = changed.wait(everyMs, signal);
    await lookedOver(options, signal);
    await next;
  }
}

/** One check of all that the configuration lists; queues what differs. Never rejects. */
export async function lookedOver(options: JobsOptions, signal: AbortSignal): Promise<void> {
  const config = await options.config();
  if (config === undefined) return;
  await Promise.all([
    supplementalJob(options, config, signal),
    artJob(options, config, signal),
    qciToAppCiJob(options, config, signal),
  ]);
}

async function supplementalJob(
  options: JobsOptions,
  config: MirrorConfig,
  signal: AbortSignal,
): Promise<void> {
  const service = intoQci(options.tell(listing.supplemental), 'supplementalFailed');
  service.tell('supplementalStarted');
  const images = wanted(config, config.supplemental, 'SupplementalCIImages', service.tell);
  await compareAll(options, images, service, signal);
}

async function artJob(options: JobsOptions, config: MirrorConfig, signal: AbortSignal): Promise<void> {
  if (options.streams === undefined || config.art.length === 0) return;
  const service = intoQci(options.tell('artImagesService'), 'artFailed');
  service.tell('supplementalStarted');
  try {
    const images = await selected(options.streams, config.art, signal);
    await compareAll(options, wanted(config, images, 'artImages', service.tell), service, signal);
  } catch (error) {
    if (!signal.aborted) service.tell('artFailed', { error });
  }
}

async function qciToAppCiJob(options: JobsOptions, config: MirrorConfig, signal: AbortSignal): Promise<void> {
  const tell = options.tell(listing.qciToAppCi);
  const images = wanted(config, config.qciToAppCi, 'QCIToAppCIImages', tell);
  tell('qciToAppCiStarted', { count: images.length });
  const failures = { source: 'qciUnknown', target: 'appCiUnknown', all: 'qciToAppCiFailed' } as const;
  await compareAll(
    options,
    images,
    { owner: listing.qciToAppCi, tell, failures, target: appCiImage },
    signal,
  );
}

/** Supplemental and ART images are in QCI, where overwritten ones may be pruned at once: kept. */
function intoQci(tell: LogMirror, all: Parameters<LogMirror>[0]): ArtService {
  return {
    owner: listing.supplemental,
    tell,
    failures: { source: 'sourceUnknown', target: 'targetUnknown', all },
    target: quayImage,
    backup: backupImage,
  };
}

function wanted(
  config: MirrorConfig,
  images: readonly MirroredImage[],
  section: string,
  tell: LogMirror,
): readonly MirroredImage[] {
  return images.filter(({ source }) => !isIgnored(config, source, section, tell));
}

async function selected(
  streams: NonNullable<JobsOptions['streams']>,
  selectors: readonly ArtSelector[],
  signal: AbortSignal,
): Promise<readonly MirroredImage[]> {
  const found = new Map<string, ImageStreamTag>();
  for (const namespace of new Set(selectors.map((selector) => selector.namespace))) {
    for await (const { name, tag } of streams.tags({ namespace, signal })) {
      const target = { namespace, name, tag };
      if (isSelected(selectors, target)) found.set(imageStreamTagText(target), target);
    }
  }
  return [...found.values()].flatMap((target) => {
    const source = imageReferenceOrNone(appCiImage(target));
    return source === undefined ? [] : [{ target, source }];
  });
}

async function compareAll(
  options: JobsOptions,
  images: readonly MirroredImage[],
  service: ArtService,
  signal: AbortSignal,
): Promise<void> {
  const turns = new Semaphore({ permits: options.concurrency ?? 8 });
  const work = (image: MirroredImage) => turns.run(() => compare(options, image, service, signal), signal);
  const outcomes = await Promise.allSettled(images.map(work));
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected').length;
  if (failed === 0 || signal.aborted) return;
  service.tell(service.failures.all, { error: `${failed} of ${images.length} sources did not answer` });
}

/**
 * Two HEADs, and a GET if the target holds an index and the source none; a task if they differ. A
 * failing source has nothing to copy until the next hour: throws its failure.
 */
async function compare(
  { look, queue, now = Date.now }: JobsOptions,
  { source, target: imageStream }: MirroredImage,
  { owner, tell, failures, target: targetOf, backup }: ArtService,
  signal: AbortSignal,
): Promise<void> {
  const pair = { source: source.text, target: targetOf(imageStream) };
  const target = imageReferenceOrNone(pair.target);
  // The name of an image stream may be too long for a tag.
  if (target === undefined) return tell(failures.target, { ...pair, error: 'it is not an image reference' });
  const [held, wanted] = await Promise.allSettled([look.stat(target, signal), look.stat(source, signal)]);
  if (signal.aborted) return;
  if (held.status === 'rejected') tell(failures.target, { ...pair, error: held.reason });
  if (wanted.status === 'rejected') {
    tell(failures.source, { ...pair, error: wanted.reason });
    throw wanted.reason;
  }
  if (wanted.value === undefined) {
    tell('sourceAbsent', pair);
    return;
  }
  const sourceDigest = wanted.value.digest;
  const current = held.status === 'fulfilled' ? held.value : undefined;
  const currentDigest = held.status === 'fulfilled' ? (current?.digest ?? '') : undefined;
  const digests = { ...pair, sourceDigest, targetDigest: currentDigest ?? '' };
  const asked = current === undefined ? undefined : isUpToDate(look, wanted.value, current, target, signal);
  const isInSync = await asked?.catch((error: unknown) => {
    if (!signal.aborted) tell(failures.target, { ...pair, error });
  });
  if (signal.aborted) return;
  if (isInSync === true) {
    tell('inSync', digests);
    return;
  }
  tell('needsSync', digests);
  const at = now();
  await queue.put({
    source,
    destination: target,
    priority: 'change',
    owner,
    createdAt: at,
    sourceTagRef: imageStream,
    sourceDigest,
    ...(currentDigest === undefined ? {} : { currentDigest }),
    ...(backup === undefined ? {} : { backup: parseImageReference(backup(imageStream, at)) }),
  });
}
