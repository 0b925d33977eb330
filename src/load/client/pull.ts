import { sleep } from '../../base/time/wait.ts';
import type { ByteRange, Descriptor } from '../../oci/content.ts';
import type { Reference, Repository } from '../../oci/reference.ts';
import { discard } from '../../upstream/exchange.ts';
import { blobOf, rangeOf } from './blobs.ts';
import { answered, type NodeContext } from './exchange.ts';
import { LoadFailure } from './failure.ts';
import { costliest } from './hit-class.ts';
import { manifestOf, resolved } from './manifests.ts';
import { urlOf } from './target.ts';

interface PullAsk {
  readonly repository: Repository;
  readonly reference: Reference;
  /** When it was due, milliseconds since the start of the load. */
  readonly sinceMs: number;
}

/** The config and the layers of one platform, and the classes of the answers that led there. */
interface ResolvedImage {
  readonly blobs: readonly Descriptor[];
  readonly classes: readonly string[];
}

/**
 * One pull with the tries of its client: manifests from the reference down, then every blob that
 * the node lacks, so many at a time. Its latency is counted under the class of its slowest answer.
 */
export async function pulled(node: NodeContext, asked: PullAsk, have?: ReadonlySet<string>): Promise<void> {
  await tried(node, asked, async (each) => {
    const { blobs, classes } = await resolvedImage(node, each);
    const wanted = blobs.filter(
      ({ digest }) => have?.has(digest) !== true && node.kept?.has(digest) !== true,
    );
    const { repository } = each;
    const found = await all(node, wanted, (blob, sinceMs) => blobOf(node, { ...blob, repository, sinceMs }));
    for (const { digest } of wanted) node.kept?.add(digest);
    return [...classes, ...found];
  });
}

interface LazyAsk extends PullAsk {
  readonly ranges: number;
  readonly rangeBytes: number;
  readonly seed: number;
}

/** As lazy pullers read: the end of each layer, where their tables are, then parts of it. */
export async function lazilyPulled(node: NodeContext, asked: LazyAsk): Promise<void> {
  await tried(node, asked, async (each) => {
    const { blobs, classes } = await resolvedImage(node, each);
    const parts = blobs.flatMap((blob) => rangesOf(blob, asked).map((range) => ({ ...blob, range })));
    const { repository } = each;
    const found = await all(node, parts, ({ range, ...blob }, sinceMs) =>
      rangeOf(node, { ...blob, repository, sinceMs }, range),
    );
    return [...classes, ...found];
  });
}

/** The whole work, as often as the client begins it again. */
async function tried(
  node: NodeContext,
  asked: PullAsk,
  work: (asked: PullAsk) => Promise<readonly string[]>,
): Promise<void> {
  const { manners, recorder, signal, now } = node;
  for (let tries = 1; ; tries += 1) {
    try {
      const classes = await work(tries === 1 ? asked : { ...asked, sinceMs: now() });
      recorder.latency('image', costliest(classes), now() - asked.sinceMs);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (tries >= manners.pullTries) throw error;
      recorder.retried();
      await sleep(manners.pullPauseMs, signal);
    }
  }
}

async function resolvedImage(node: NodeContext, asked: PullAsk): Promise<ResolvedImage> {
  if (node.manners.pings) await pinged(node);
  const isByHead = node.manners.resolvesByHead && asked.reference.digest === undefined;
  const reference = isByHead ? { digest: await resolved(node, asked) } : asked.reference;
  const rootAsk = { ...asked, reference, sinceMs: isByHead ? node.now() : asked.sinceMs };
  const { manifest: root, hitClass } = await manifestOf(node, rootAsk);
  if (root === undefined)
    throw new LoadFailure('no image', `${asked.repository}: not a manifest of an image`);
  if (root.children.length === 0) return { blobs: root.blobs, classes: [hitClass] };
  const child = childFor(node.platform, root.children);
  const childAsk = { ...asked, reference: { digest: child.digest }, sinceMs: node.now() };
  const { manifest, hitClass: childClass } = await manifestOf(node, childAsk);
  return { blobs: manifest?.blobs ?? [], classes: [hitClass, childClass] };
}

/** `/v2/`, which also tells how to log in. A 401 after the login fails the pull, as for clients. */
async function pinged(node: NodeContext): Promise<void> {
  discard(await answered(node, { kind: 'ping', method: 'GET', url: urlOf(node.target, '/v2/') }, [200, 404]));
}

function childFor(platform: string, children: readonly Descriptor[]): Descriptor {
  const [first] = children;
  const child = children.find((each) => each.platform === platform) ?? first;
  if (child === undefined) throw new LoadFailure('no image', 'the index lists no manifest');
  return child;
}

/** Side by side, within the permits of the node. After a failure no further one is begun. */
async function all<Part>(
  { permits, signal, now }: NodeContext,
  parts: readonly Part[],
  work: (part: Part, sinceMs: number) => Promise<string>,
): Promise<readonly string[]> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const begun = parts.map((part) =>
    permits
      .run(() => work(part, now()), stopped)
      .catch((error: unknown) => {
        stop.abort(error);
        throw error;
      }),
  );
  const ended = await Promise.allSettled(begun);
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw stop.signal.reason ?? failed.reason;
  return ended.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}

function rangesOf({ digest, size }: Descriptor, asked: LazyAsk): ByteRange[] {
  if (size <= asked.rangeBytes) return size > 0 ? [{ start: 0, end: size - 1 }] : [];
  const last = { start: size - asked.rangeBytes, end: size - 1 };
  const draw = Number.parseInt(digest.slice(-8), 16) + asked.seed;
  const parts = Array.from({ length: Math.max(0, asked.ranges - 1) }, (_, index) => {
    const start = Math.floor(fraction(draw + index) * (size - asked.rangeBytes));
    return { start, end: start + asked.rangeBytes - 1 };
  });
  return [last, ...parts];
}

/** From 0 to 1, the same for the same number, and far from that of the next one. */
function fraction(seed: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0) / 2 ** 32;
}
