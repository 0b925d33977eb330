import { createReadings, type Readings } from '../../image-streams/flat-tags.ts';
import { CopyError } from '../failure.ts';
import type { LogMirror } from '../log.ts';
import type { Queue, TaskFilter } from '../queue/queue.ts';
import type { MirrorTask, QueuedTask } from '../queue/task.ts';
import { type ImageReference, parseImageReference } from '../references/image-reference.ts';
import { backupImage, qci } from '../references/names.ts';
import { parsePullSpec, pullSpecText, referenceOf } from '../references/pull-spec.ts';

/** The queue as its HTTP API has it. */
export interface QueueAdmin {
  tasks(filter: TaskFilter): Iterable<object>;
  /** Queues a copy before changes. Throws `RegistryError` or `CopyError` for an invalid image. */
  order(pair: OrderedPair): Promise<boolean>;
  retry(filter: Pick<TaskFilter, 'destination'>): number;
  /** Ends a task that is not running, and tells who wanted that. */
  drop(destination: string, asker: Asker): 'dropped' | 'running' | 'unknown';
}

interface Asker {
  /** An address. */
  readonly client: string;
  readonly userAgent?: string;
}

interface QueueAdminOptions {
  /** What a tag of QCI stands for. Default: what its pattern says. */
  readonly readings?: Readings;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** See `QueueAdmin`. */
export function createQueueAdmin(
  queue: Pick<Queue, 'put' | 'list' | 'retry' | 'drop'>,
  tell: LogMirror,
  { readings = createReadings(), now = Date.now }: QueueAdminOptions = {},
): QueueAdmin {
  return {
    *tasks(filter) {
      for (const task of queue.list(filter)) yield taskItem(task);
    },
    async order({ source, destination }) {
      const at = now();
      const images = read({ source, destination }, tell);
      return queue.put({
        ...images,
        priority: 'miss',
        owner: 'api',
        createdAt: at,
        ...kept(images.destination, at, readings),
      });
    },
    retry: (filter) => queue.retry(filter),
    drop(destination, asker) {
      const task = queue.drop(destination);
      if (task === undefined) return 'unknown';
      if (task === 'running') return task;
      const { source, state } = task;
      tell('dropped', { source: source.text, target: destination, state, ...asker });
      return 'dropped';
    },
  };
}

/** A task in JSON: first what the original shows of it, under its names, then what became of it. */
export function taskItem(task: QueuedTask): object {
  const { sourceTagRef = { namespace: '', name: '', tag: '' }, failure } = task;
  return {
    source_tag_ref: sourceTagRef,
    source: task.source.text,
    destination: task.destination.text,
    current_quay_digest: task.currentDigest ?? '',
    created_at: timeText(task.createdAt),
    stale: task.stale ?? false,
    owner: task.owner,
    state: task.state,
    priority: task.priority,
    attempts: task.attempts,
    source_digest: task.sourceDigest,
    backup: task.backup?.text,
    ...(task.notBefore > 0 && Number.isFinite(task.notBefore)
      ? { not_before: timeText(task.notBefore) }
      : {}),
    ...(failure && { failure: { ...failure, at: timeText(failure.at) } }),
  };
}

interface OrderedPair {
  readonly source: string;
  readonly destination: string;
}

/** The pair in the one spelling by which tasks, lanes and ignored sources are compared. */
function read(
  { source, destination }: OrderedPair,
  tell: LogMirror,
): Pick<MirrorTask, 'source' | 'destination'> {
  try {
    return { source: image(source), destination: taggedDestination(destination) };
  } catch (error) {
    tell('invalidTask', { source, destination });
    throw error;
  }
}

/** A destination in the spelling of tasks. Throws `RegistryError` or `CopyError`. */
export function taggedDestination(pullSpec: string): ImageReference {
  const found = image(pullSpec);
  // A digest is what a destination gets: a copy of anything else would never be there.
  if (found.reference.tag === undefined || found.reference.digest !== undefined)
    throw new CopyError('manifest-invalid', `${pullSpec}: the destination must be a tag, without a digest`);
  return found;
}

function image(pullSpec: string): ImageReference {
  const spec = parsePullSpec(pullSpec);
  if (spec.medium === 'registry' && spec.glob === undefined && referenceOf(spec) !== undefined)
    return parseImageReference(pullSpecText({ ...spec, location: spec.location.toLowerCase() }));
  throw new CopyError(
    'manifest-invalid',
    `${pullSpec}: must be an image of a registry, with a tag or digest`,
  );
}

/** What lay in QCI under the tag of an image stream may be garbage at once. */
function kept(
  { registry, repository, reference: { tag } }: ImageReference,
  at: number,
  readings: Readings,
): Pick<MirrorTask, 'backup'> {
  const [imageStream] = `${registry}/${repository}` === qci && tag !== undefined ? readings(tag) : [];
  return imageStream === undefined ? {} : { backup: parseImageReference(backupImage(imageStream, at)) };
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}
