import { backoffMs } from '../../base/time/backoff.ts';
import { sleep } from '../../base/time/wait.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import { isObjectFailure, persistently, type Removal } from '../run.ts';
import type { ApiObject } from './cluster.ts';
import { clusterImage, unreadImage } from './image-object.ts';
import type { IntegratedRun, ObjectDeletion } from './integrated.ts';
import { idOf, type RepositoryLink } from './objects.ts';
import { prunedStream, withItems } from './stream-object.ts';
import { type PrunedStream, type StreamPlan, type StreamRules, streamPlan } from './stream-plan.ts';

/** Writers of the same stream are let by, so many times. */
const tries = 5;
const pauses = { firstMs: 10, longestMs: 1_000, jitter: 1 };

type PrunedStreamName = Pick<PrunedStream, 'namespace' | 'name'>;

/**
 * Prunes one stream, read anew: links of layers first, as a failing one leaves its manifest listed;
 * then the status; then links of manifests, so that no stream names one that is gone.
 */
export async function pruneStream(
  { namespace, name }: PrunedStreamName,
  rules: StreamRules,
  run: IntegratedRun,
): Promise<void> {
  const pruning = new StreamPruning({ namespace, name }, rules, run);
  try {
    await pruning.run();
  } catch (error) {
    if (run.signal.aborted) return;
    if (!isObjectFailure(error)) throw error;
    run.events.unread(`image stream ${namespace}/${name}`, error);
  }
}

/** A stream as it was read, and what it loses. */
interface ReadStream {
  readonly object: ApiObject;
  readonly plan: StreamPlan;
}

class StreamPruning {
  readonly #at: PrunedStreamName;
  readonly #repository: string;
  readonly #id: string;
  readonly #rules: StreamRules;
  readonly #run: IntegratedRun;
  readonly #planned = new Set<string>();
  /** What the engine was given. */
  readonly #asked = new Set<string>();
  #isWritten = false;

  constructor(at: PrunedStreamName, rules: StreamRules, run: IntegratedRun) {
    this.#at = at;
    this.#repository = `${at.namespace}/${at.name}`;
    this.#id = idOf({ kind: 'imagestream', repository: this.#repository });
    this.#rules = rules;
    this.#run = run;
  }

  /** Throws `ApiFailure` where the stream cannot be read. */
  async run(): Promise<void> {
    const { confirm, counts, after, signal } = this.#run;
    let read = await this.#read();
    if (read === undefined) return;
    const object = { kind: 'imagestream', repository: this.#repository } as const;
    const reason = `${read.plan.dropped} items`;
    const deletion: ObjectDeletion = { id: this.#id, object, reason, after: [] };
    this.#tell(read.plan, deletion);
    if (!confirm) {
      counts.items += read.plan.dropped;
      after.set(this.#repository, pruned(read));
      return;
    }
    await this.#given([deletion], async () => {
      const update = await this.#updated(read);
      ({ read } = update);
      return update.removal;
    });
    await this.#given(this.#links('manifest link', read?.plan, this.#isWritten ? [] : [this.#id]));
    if (signal.aborted) return;
    const stale = { kept: 'changed meanwhile', why: 'the image stream needs it by now' } as const;
    for (const id of this.#planned)
      if (!this.#asked.has(id)) this.#run.ended({ id, outcome: 'kept', ...stale });
  }

  /** Undefined where nothing of it may go. */
  async #read(): Promise<ReadStream | undefined> {
    const { cluster, signal, unread } = this.#run;
    const { namespace, name } = this.#at;
    const object = await persistently(() => cluster.stream(namespace, name, signal), { signal });
    const stream = prunedStream(object);
    if (object === undefined || stream === undefined) return undefined;
    await readMissing(stream, this.#run);
    const items = stream.tags.flatMap((tag) => tag.items);
    const odd = items.find(({ image = '' }) => unread.has(image))?.image;
    if (odd !== undefined) this.#run.ended({ id: this.#id, outcome: 'kept', ...unreadImage(odd) });
    const plan = streamPlan({ ...this.#run, stream, rules: this.#rules });
    return plan && { object, plan };
  }

  #links(
    kind: RepositoryLink['kind'],
    plan: StreamPlan | undefined,
    after: readonly string[] = [],
  ): readonly ObjectDeletion[] {
    const digests = (kind === 'layer link' ? plan?.layerLinks : plan?.manifestLinks) ?? [];
    if (this.#run.registry === undefined) return [];
    return digests.map((digest): ObjectDeletion => {
      const object = { kind, digest, repository: this.#repository };
      const reason = 'nothing in the image stream needs it';
      return { id: idOf(object), object, of: this.#id, reason, after };
    });
  }

  /** Tells what was not told before. */
  #tell(plan: StreamPlan, ...more: readonly ObjectDeletion[]): void {
    const links = [...this.#links('layer link', plan), ...this.#links('manifest link', plan)];
    const news = [...more, ...links].filter(({ id }) => !this.#planned.has(id));
    for (const { id } of news) this.#planned.add(id);
    this.#run.planned(news);
  }

  async #given(deletions: readonly ObjectDeletion[], remove?: () => Promise<Removal>): Promise<void> {
    const news = deletions.filter(({ id }) => !this.#asked.has(id));
    for (const { id } of news) this.#asked.add(id);
    await this.#run.removed(news, remove);
  }

  /**
   * Writes the status. While others do so too, the stream is read again, and no link is deleted
   * twice. Links of manifests are in the record by then: no later plan finds them.
   */
  async #updated(first: ReadStream | undefined) {
    const { cluster, counts, signal, unfinished } = this.#run;
    for (let attempt = 0, read = first; attempt < tries; attempt += 1) {
      if (attempt > 0) {
        await sleep(backoffMs(attempt - 1, pauses), signal);
        read = await this.#read();
        if (read !== undefined) this.#tell(read.plan);
      }
      if (read === undefined) return { read, removal: this.#changed('nothing of it may go any more') };
      await this.#given(this.#links('layer link', read.plan));
      signal.throwIfAborted();
      unfinished.owe(this.#links('manifest link', read.plan).map(({ id }) => id));
      await unfinished.saved();
      const written = await cluster.putStatus(pruned(read), signal);
      if (written === 'gone') return { read, removal: this.#changed('the image stream is gone') };
      if (written === 'conflict') continue;
      this.#isWritten = true;
      counts.items += read.plan.dropped;
      return { read, removal: 'deleted' as const };
    }
    throw new ApiFailure('invalid', 'says each time that the image stream has changed');
  }

  #changed(why: string): Removal {
    return { id: this.#id, kept: 'changed meanwhile', why };
  }
}

function pruned({ object, plan }: ReadStream): ApiObject {
  return withItems(object, (tag, item) => plan.stays[tag]?.[item] === true);
}

/** Images that came since all were listed: what is not there must be known not to be there. */
export async function readMissing(
  stream: PrunedStream,
  { cluster, images, unread, signal }: IntegratedRun,
): Promise<void> {
  for (const { items } of stream.tags)
    for (const { image: name = '' } of items) {
      if (name === '' || images.has(name) || unread.has(name)) continue;
      const object = await persistently(() => cluster.image(name, signal), { signal });
      if (object === undefined) continue;
      const image = clusterImage(object);
      if (image === undefined) unread.add(name);
      else images.set(name, image);
    }
}
