// Room `prune/integrated`: prunes the integrated registry of a cluster: streams, Images, and what
// the registry has of them. In: the cluster, the registry, rules, a record. Out: plans, outcomes,
// counts. Imports: base, kubernetes, oci, prune.

import { concurrently } from '../../base/flow/each.ts';
import { field } from '../../base/text/json.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import type { PruneEvents } from '../place.ts';
import type { Deletion, KeptObject } from '../plan.ts';
import type { PruneRecord } from '../record.ts';
import { type PruneOutcome, type Removal, runDeletions } from '../run.ts';
import { Unfinished } from '../unfinished.ts';
import type { ApiObject, PrunedCluster } from './cluster.ts';
import { type ClusterImage, clusterImage, unreadImage } from './image-object.ts';
import { type ImageDeletion, imagePlan } from './image-plan.ts';
import { pruneLeftovers } from './leftovers.ts';
import { limitsIn } from './limits.ts';
import { type IntegratedObject, idOf, parseObject } from './objects.ts';
import { prunedStream } from './stream-object.ts';
import type { StreamRules } from './stream-plan.ts';
import { pruneStream } from './stream-run.ts';
import { type BadReference, UseTable } from './use-table.ts';
import { addUses } from './uses.ts';

/** The integrated registry. What is not there is fine. The methods throw `RegistryError`. */
interface IntegratedRegistry {
  /** `NAMESPACE/NAME` no longer has the blob; the blob itself stays. */
  deleteLayerLink(repository: string, digest: string, signal: AbortSignal): Promise<void>;
  deleteManifestLink(repository: string, digest: string, signal: AbortSignal): Promise<void>;
  /** The blob itself, for all repositories. */
  deleteBlob(digest: string, signal: AbortSignal): Promise<void>;
}

/** What was done, or would be. */
export interface IntegratedCounts {
  images: number;
  items: number;
  streams: number;
  layerLinks: number;
  manifestLinks: number;
  blobs: number;
}

export interface IntegratedPruning {
  readonly cluster: PrunedCluster;
  /** Undefined: only API objects are removed. */
  readonly registry: IntegratedRegistry | undefined;
  /** Only streams of this one, and no Images. Default: all. */
  readonly namespace: string | undefined;
  /** Ids of the only objects that are wanted, as `idOf` makes them. Default: all. */
  readonly only?: ReadonlySet<string> | undefined;
  /** Milliseconds; undefined with the sizes. */
  readonly keepYoungerThanMs: number | undefined;
  readonly keepTagRevisions: number | undefined;
  readonly all: boolean;
  /** Goes on despite references that cannot be read, and keeps all that they may mean. */
  readonly ignoresBadReferences: boolean;
  readonly confirm: boolean;
  readonly workers: number;
  readonly now: number;
  /** Where it is kept what failed, and what no plan finds again. Default: nowhere. */
  readonly record?: PruneRecord;
  readonly events: PruneEvents;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface IntegratedReport {
  readonly counts: IntegratedCounts;
  /** References that cannot be read. Unless they are ignored, nothing was done. */
  readonly bad: readonly BadReference[];
}

/** The deletion of one object. */
export interface ObjectDeletion extends Deletion {
  readonly object: IntegratedObject;
}

/** What a run works with. */
export interface IntegratedRun extends IntegratedPruning {
  readonly uses: UseTable;
  readonly images: Map<string, ClusterImage>;
  readonly unread: Set<string>;
  readonly counts: IntegratedCounts;
  /** Streams as a dry run would leave them, by `NAMESPACE/NAME`. */
  readonly after: Map<string, ApiObject>;
  readonly unfinished: Unfinished;
  /** Tells a plan. A dry run counts it as done. */
  planned(deletions: readonly ObjectDeletion[], kept?: readonly KeptObject[]): void;
  /** Deletes in the order of the list, unless it is a dry run. `remove` is for streams. */
  removed(deletions: readonly ObjectDeletion[], remove?: () => Promise<Removal>): Promise<void>;
  ended(outcome: PruneOutcome): void;
}

/**
 * First what an earlier run left, then streams, then Images that no stream names. Each failure is
 * of its object alone. Throws `ApiFailure` where something cannot be read that may need images:
 * then nothing was done.
 */
export async function pruneIntegrated(options: IntegratedPruning): Promise<IntegratedReport> {
  const { cluster, namespace, signal, workers, only, events } = options;
  const uses = new UseTable();
  const rules = { keepYoungerThanMs: options.keepYoungerThanMs ?? 0, now: options.now };
  for await (const { kind, object } of cluster.users(signal)) addUses(kind, object, uses, rules);
  const isOverLimit = await limitsIn(cluster.limitRanges(signal));
  const streams = (await Array.fromAsync(cluster.streams(namespace, signal))).flatMap(
    (object) => prunedStream(object) ?? [],
  );
  const run = openRun(options, { uses, ...(await readImages(options)) });
  const report = { counts: run.counts, bad: uses.bad };
  if (uses.bad.length > 0 && !options.ignoresBadReferences) return report;
  events.checked(streams.length + run.images.size + run.unread.size);
  for (const digest of run.unread)
    run.ended({ ...unreadImage(digest), id: idOf({ kind: 'image', digest }), outcome: 'kept' });
  await run.unfinished.read();
  await pruneLeftovers(run);
  const streamRules: StreamRules = { ...options, isOverLimit };
  const wanted = streams.filter((stream) => only === undefined || only.has(streamId(stream)));
  await concurrently(wanted, workers, async (stream) => {
    if (!signal.aborted) await pruneStream(stream, streamRules, run);
  });
  if (namespace === undefined && !signal.aborted) await pruneImageObjects(run);
  await run.unfinished.saved();
  return report;
}

function streamId({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return idOf({ kind: 'imagestream', repository: `${namespace}/${name}` });
}

const counterOf = {
  image: 'images',
  imagestream: 'streams',
  'layer link': 'layerLinks',
  'manifest link': 'manifestLinks',
  blob: 'blobs',
} as const satisfies Readonly<Record<IntegratedObject['kind'], keyof IntegratedCounts>>;

function openRun(
  options: IntegratedPruning,
  facts: Pick<IntegratedRun, 'uses' | 'images' | 'unread'>,
): IntegratedRun {
  const { events, confirm, workers: atOnce, signal } = options;
  const unfinished = new Unfinished(options);
  const counts = { images: 0, items: 0, streams: 0, layerLinks: 0, manifestLinks: 0, blobs: 0 };
  const counted = ({ id }: { readonly id: string }): void => {
    const object = parseObject(id);
    if (object !== undefined) counts[counterOf[object.kind]] += 1;
  };
  const ended = (outcome: PruneOutcome): void => {
    if (outcome.outcome === 'deleted') counted(outcome);
    unfinished.ended(outcome);
    events.ended(outcome);
  };
  const run: IntegratedRun = {
    ...{ ...options, ...facts, counts, unfinished, ended, after: new Map() },
    planned(deletions, kept = []) {
      events.planned({ deletions, kept });
      for (const each of kept) ended({ ...each, outcome: 'kept' });
      if (!confirm) deletions.forEach(counted);
    },
    async removed(deletions, remove) {
      const work = remove ?? (({ object }: ObjectDeletion) => removedObject(object, run));
      if (confirm)
        await runDeletions(deletions, { remove: work, atOnce, began: events.began, ended, signal });
    },
  };
  return run;
}

/** What failed of an Image is written before it is gone: no plan would find that again. */
async function removedObject(object: IntegratedObject, run: IntegratedRun): Promise<Removal> {
  const { registry, cluster, unfinished, signal } = run;
  switch (object.kind) {
    case 'blob':
      await registry?.deleteBlob(object.digest, signal);
      return 'deleted';
    case 'layer link':
      await registry?.deleteLayerLink(object.repository, object.digest, signal);
      return 'deleted';
    case 'manifest link':
      await registry?.deleteManifestLink(object.repository, object.digest, signal);
      return 'deleted';
    case 'image':
      await unfinished.saved();
      await cluster.deleteImage(object.digest, signal);
      return 'deleted';
    case 'imagestream':
      throw new TypeError('a stream is pruned by its own run');
  }
}

async function readImages({ cluster, signal }: IntegratedPruning) {
  const images = new Map<string, ClusterImage>();
  const unread = new Set<string>();
  for await (const object of cluster.images(signal)) {
    const image = clusterImage(object);
    if (image === undefined) unread.add(String(nameOf(object)));
    else images.set(image.name, image);
  }
  return { images, unread };
}

function nameOf(object: unknown): unknown {
  const { metadata } = object as ApiObject;
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata ? metadata.name : '';
}

/** What streams name is read again: it is all that protects an Image. */
async function pruneImageObjects(run: IntegratedRun): Promise<void> {
  const { cluster, signal, images, unread, events } = run;
  const used = new Set<string>(run.uses.digests);
  try {
    for await (const object of cluster.streams(undefined, signal)) {
      const stream = prunedStream(object);
      if (stream === undefined) continue;
      const now = run.after.get(`${stream.namespace}/${stream.name}`) ?? object;
      for (const name of namesIn(now)) used.add(name);
    }
  } catch (error) {
    if (!(error instanceof ApiFailure) || signal.aborted) throw error;
    events.unread('which Images image streams name', error);
    return;
  }
  const plan = imagePlan(images, used, { ...run, hasUnread: unread.size > 0 });
  const deletions = plan.deletions.flatMap((image) => imageDeletions(image, run));
  run.planned(deletions, plan.kept);
  await run.removed(deletions);
}

/** All that a stream names in spec and status, also by pull spec. */
function namesIn(object: unknown): readonly string[] {
  const text = JSON.stringify([field(object, 'spec'), field(object, 'status')]);
  const items = prunedStream(object)?.tags.flatMap((tag) => tag.items) ?? [];
  return [...text.matchAll(/sha256:[0-9a-f]{64}/g)]
    .map(([digest]) => digest)
    .concat(items.flatMap(({ image }) => image ?? []));
}

/**
 * Blobs at once, then the manifest, then the object, each if some of those before went or there are
 * none: else the next run tries all of it again.
 */
function imageDeletions(image: ImageDeletion, { registry }: IntegratedRun): readonly ObjectDeletion[] {
  const of = idOf({ kind: 'image', digest: image.name });
  const blobs = registry === undefined ? [] : [...image.blobs];
  const ids = blobs.map(([digest]) => idOf({ kind: 'blob', digest }));
  const deletions = blobs.map(([digest, bytes], index): ObjectDeletion => {
    const afterAny = digest === image.name ? ids.slice(0, index) : [];
    const id = ids[index] ?? '';
    const reason = 'no other image needs it';
    return { id, object: { kind: 'blob', digest }, of, reason, bytes, after: [], afterAny };
  });
  const object = { kind: 'image', digest: image.name } as const;
  return [...deletions, { id: of, object, reason: 'no image stream names it', after: [], afterAny: ids }];
}
