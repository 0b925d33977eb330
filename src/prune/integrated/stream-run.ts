import { backoffMs } from '../../base/time/backoff.ts';
import { sleep } from '../../base/time/wait.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import { clusterImage } from './image-object.ts';
import type { IntegratedRun } from './integrated.ts';
import { prunedStream, withItems } from './stream-object.ts';
import { type PrunedStream, type StreamPlan, type StreamRules, streamPlan } from './stream-plan.ts';

/** Writers of the same stream are let by, so many times. */
const tries = 5;
const pauses = { firstMs: 10, longestMs: 1_000, jitter: 1 };

/**
 * Prunes one stream, read anew: links of layers first, as a failing one leaves its manifest listed;
 * then the status; then links of manifests, so that no stream names one that is gone.
 */
export async function pruneStream(
  { namespace, name }: PrunedStream,
  rules: StreamRules,
  run: IntegratedRun,
  failed: (id: string, why: string) => void,
): Promise<void> {
  const asked = new Set<string>();
  const id = `${namespace}/${name}`;
  try {
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const outcome = await attempted({ namespace, name }, rules, run, asked);
      if (outcome === 'done') return;
      await sleep(backoffMs(attempt, pauses), run.signal);
    }
    failed(`imagestream ${id}`, 'failed to remove image references: it changes all the time');
  } catch (error) {
    if (run.signal.aborted) return;
    if (!(error instanceof ApiFailure)) throw error;
    failed(`imagestream ${id}`, `failed to remove image references: ${error.message}`);
  }
}

async function attempted(
  { namespace, name }: Pick<PrunedStream, 'namespace' | 'name'>,
  rules: StreamRules,
  run: IntegratedRun,
  asked: Set<string>,
): Promise<'done' | 'again'> {
  const { cluster, signal, confirm, counts, told, ended } = run;
  const object = await cluster.stream(namespace, name, signal);
  const stream = prunedStream(object);
  if (object === undefined || stream === undefined) return 'done';
  await readMissing(stream, run);
  const plan = streamPlan({ ...run, stream, rules });
  if (plan === undefined) return 'done';
  const repository = `${namespace}/${name}`;
  told(`Deleting ${plan.dropped} items from image stream ${repository}`, `imagestream ${repository}`);
  await deleteLinks(plan, 'layer', repository, run, asked);
  if (signal.aborted) return 'done';
  const pruned = withItems(object, (tag, item) => plan.stays[tag]?.[item] === true);
  if (confirm) {
    const written = await cluster.putStatus(pruned, signal);
    if (written === 'conflict') return 'again';
    if (written === 'gone') return 'done';
  } else run.after.set(repository, pruned);
  counts.items += plan.dropped;
  counts.streams += 1;
  ended(`imagestream ${repository}`);
  await deleteLinks(plan, 'manifest', repository, run, asked);
  return 'done';
}

/** Images that came since all were listed: what is not there must be known not to be there. */
async function readMissing(stream: PrunedStream, { cluster, images, unread, signal }: IntegratedRun) {
  for (const { items } of stream.tags)
    for (const { image: name = '' } of items) {
      if (name === '' || images.has(name) || unread.has(name)) continue;
      const object = await cluster.image(name, signal);
      if (object === undefined) continue;
      const image = clusterImage(object);
      if (image === undefined) unread.add(name);
      else images.set(name, image);
    }
}

async function deleteLinks(
  plan: StreamPlan,
  kind: 'layer' | 'manifest',
  repository: string,
  { registry, signal, tried }: IntegratedRun,
  asked: Set<string>,
): Promise<void> {
  if (registry === undefined) return;
  const isLayer = kind === 'layer';
  for (const digest of isLayer ? plan.layerLinks : plan.manifestLinks) {
    const key = `${kind} ${digest}`;
    if (signal.aborted || asked.has(key)) continue;
    asked.add(key);
    await tried({
      id: `${kind} link ${digest} in repository ${repository}`,
      of: `imagestream ${repository}`,
      what: `delete ${kind} link ${digest}`,
      work: () =>
        isLayer
          ? registry.deleteLayerLink(repository, digest, signal)
          : registry.deleteManifestLink(repository, digest, signal),
      count: isLayer ? 'layerLinks' : 'manifestLinks',
    });
  }
}
