// Room `prune/integrated`: prunes the integrated registry of a cluster: streams, Images, and what
// the registry has of them. In: the cluster, the registry, rules. Out: lines, counts. Imports:
// base, kubernetes, oci.

import { concurrently } from '../../base/flow/each.ts';
import { field } from '../../base/text/json.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { ApiObject, PrunedCluster } from './cluster.ts';
import { type ClusterImage, clusterImage } from './image-object.ts';
import { type ImageDeletion, type ImageObjectRules, imageDeletions } from './image-plan.ts';
import { limitsIn } from './limits.ts';
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
  /** Milliseconds; undefined with the sizes. */
  readonly keepYoungerThanMs: number | undefined;
  readonly keepTagRevisions: number | undefined;
  readonly all: boolean;
  /** Goes on despite references that cannot be read, and keeps all that they may mean. */
  readonly ignoresBadReferences: boolean;
  readonly confirm: boolean;
  readonly workers: number;
  readonly now: number;
  /** One line before each attempt; `id` names the object. */
  readonly told: (line: string, id: string) => void;
  /** What became of it; `failure` says why it is still there. */
  readonly ended: (id: string, failure?: string) => void;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface IntegratedReport {
  readonly counts: IntegratedCounts;
  /** `image D: failed to delete blob D2: 500 …` */
  readonly failures: readonly string[];
  /** References that cannot be read. Unless they are ignored, nothing was done. */
  readonly bad: readonly BadReference[];
  /** What was to be deleted, and what of it could not be. */
  readonly objects: { readonly planned: number; readonly failed: number };
}

/** What a run works with. */
export interface IntegratedRun extends IntegratedPruning {
  readonly uses: UseTable;
  readonly images: Map<string, ClusterImage>;
  readonly unread: Set<string>;
  readonly counts: IntegratedCounts;
  /** Streams as a dry run would leave them, by `NAMESPACE/NAME`. */
  readonly after: Map<string, ApiObject>;
  /** Does one thing, counts it, and notes its failure. Resolves to whether it is done. */
  readonly tried: (attempt: Attempt) => Promise<boolean>;
}

interface Attempt {
  /** What is deleted: `blob D` */
  readonly id: string;
  /** Of whom the failure is: `image D`, `imagestream NS/NAME`. */
  readonly of: string;
  /** `delete blob D` */
  readonly what: string;
  readonly work: () => Promise<unknown>;
  readonly count: keyof IntegratedCounts;
  readonly by?: number;
}

/**
 * Streams first, then Images that no stream names. Each failure is of its object alone. Throws
 * `ApiFailure` where something cannot be read that may need images: then nothing was done.
 */
export async function pruneIntegrated(options: IntegratedPruning): Promise<IntegratedReport> {
  const { cluster, namespace, signal, workers } = options;
  const failures: string[] = [];
  const objects = { planned: 0, failed: 0 };
  const counts = { images: 0, items: 0, streams: 0, layerLinks: 0, manifestLinks: 0, blobs: 0 };
  const uses = new UseTable();
  const rules = { keepYoungerThanMs: options.keepYoungerThanMs ?? 0, now: options.now };
  for await (const { kind, object } of cluster.users(signal)) addUses(kind, object, uses, rules);
  const isOverLimit = await limitsIn(cluster.limitRanges(signal));
  const streams = (await Array.fromAsync(cluster.streams(namespace, signal))).flatMap(
    (object) => prunedStream(object) ?? [],
  );
  const { images, unread } = await readImages(options);
  const report = { counts, failures, bad: uses.bad, objects };
  if (uses.bad.length > 0 && !options.ignoresBadReferences) return report;
  const run: IntegratedRun = {
    ...options,
    uses,
    images,
    unread,
    counts,
    after: new Map(),
    tried: trier(report, options),
  };
  const failed = (id: string, why: string): void => {
    failures.push(`${id}: ${why}`);
    options.ended(id, why);
    objects.failed += 1;
    objects.planned += 1;
  };
  const streamRules: StreamRules = { ...options, isOverLimit };
  await concurrently(streams, workers, async (stream) => {
    if (!signal.aborted) await pruneStream(stream, streamRules, run, failed);
  });
  if (namespace === undefined && !signal.aborted) await pruneImageObjects(run, report);
  return report;
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

type MutableReport = IntegratedReport & {
  readonly failures: string[];
  objects: { planned: number; failed: number };
};

function trier(
  { counts, failures, objects }: MutableReport,
  { confirm, told, ended }: IntegratedPruning,
): IntegratedRun['tried'] {
  return async ({ id, of, what, work, count, by = 1 }) => {
    told(`Deleting ${id}`, id);
    objects.planned += by;
    try {
      if (confirm) await work();
      counts[count] += by;
      ended(id);
      return true;
    } catch (error) {
      if (!(error instanceof RegistryError || error instanceof ApiFailure)) throw error;
      objects.failed += by;
      ended(id, `failed to ${what}: ${error.message}`);
      failures.push(`${of}: failed to ${what}: ${error.message}`);
      return false;
    }
  };
}

/** What streams name is read again: it is all that protects an Image. */
async function pruneImageObjects(run: IntegratedRun, report: MutableReport): Promise<void> {
  const { cluster, signal, images, unread, workers, all, keepYoungerThanMs, now } = run;
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
    report.failures.push(`images: cannot tell which streams name them: ${error.message}`);
    report.objects.failed += 1;
    return;
  }
  const rules: ImageObjectRules = { all, keepYoungerThanMs, now };
  const deletions = imageDeletions(images, used, rules, unread.size > 0);
  await concurrently(deletions, workers, async (deletion) => {
    if (!signal.aborted) await pruneImage(deletion, run);
  });
}

/** All that a stream names in spec and status, also by pull spec. */
function namesIn(object: unknown): readonly string[] {
  const text = JSON.stringify([field(object, 'spec'), field(object, 'status')]);
  const items = prunedStream(object)?.tags.flatMap((tag) => tag.items) ?? [];
  return [...text.matchAll(/sha256:[0-9a-f]{64}/g)]
    .map(([digest]) => digest)
    .concat(items.flatMap(({ image }) => image ?? []));
}

/** The object goes last, if some of it went or nothing failed: else the next run tries again. */
async function pruneImage({ name, blobs }: ImageDeletion, run: IntegratedRun): Promise<void> {
  const { cluster, registry, signal, tried } = run;
  let [deleted, failed] = [0, 0];
  if (registry !== undefined)
    for (const digest of blobs) {
      if (signal.aborted) return;
      const isGone = await tried({
        ...{ id: `blob ${digest}`, of: `image ${name}`, what: `delete blob ${digest}` },
        ...{ work: () => registry.deleteBlob(digest, signal), count: 'blobs' },
      });
      if (isGone) deleted += 1;
      else failed += 1;
    }
  if (deleted === 0 && failed > 0) return;
  await tried({
    ...{ id: `image ${name}`, of: `image ${name}`, what: 'delete image from server' },
    ...{ work: () => cluster.deleteImage(name, signal), count: 'images' },
  });
}
