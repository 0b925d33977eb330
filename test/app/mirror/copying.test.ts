import { test } from 'tap';
import { copying } from '../../../src/app/mirror/copying.ts';
import { load } from '../../../src/config/load.ts';
import { cosignTags } from '../../../src/mirror/copy/cosign-tags.ts';
import { createImageInspector } from '../../../src/mirror/images/image-inspector.ts';
import { mirrorLoop } from '../../../src/mirror/loop/loop.ts';
import type { Holds } from '../../../src/mirror/queue/holds.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { type MemoryEnd, memoryEnd } from '../../support/memory-ends.ts';
import { indexImage, plainImage, textBlob } from '../../support/memory-images.ts';

const ci = parseRepository('openshift/ci');
const from = parseRepository('ci/a');
const latest = parseTag('latest');
const target = parseTag('ci_a_latest');
const image = plainImage('new', [textBlob('layer')]);
const older = plainImage('old', [textBlob('base')]);

const wish: MirrorTask = {
  source: parseImageReference('registry.ci.openshift.org/ci/a:latest'),
  destination: parseImageReference('quay.io/openshift/ci:ci_a_latest'),
  priority: 'change',
  owner: 'test',
  createdAt: 1,
};

interface TriedOptions {
  readonly holds?: Pick<Holds, 'find'>;
  /** More of the mirror's settings. */
  readonly yaml?: string;
  readonly prepare?: (source: MemoryEnd) => void;
  /** The queue's pause after a first failure. */
  readonly firstPauseMs?: number;
}

/** One try of a task, between two registries in memory: how often each was asked what. */
async function triedOnce(
  task: Partial<MirrorTask>,
  held?: typeof image,
  { holds, yaml = '', prepare, firstPauseMs = 5000 }: TriedOptions = {},
) {
  const [source, quay] = [memoryEnd('registry.ci.openshift.org'), memoryEnd('quay.io')];
  source.hold(from, image, latest);
  prepare?.(source);
  if (held !== undefined) quay.hold(ci, held, target);
  const end = (registry: string) => (registry === quay.name ? quay : source);
  const ends = { source: end, pulledSource: end, destination: end, close: async () => {} };
  const { mirror: settings } = load(`{mirror: {${yaml}}}`, {});
  if (settings === undefined) throw new Error('the settings have no mirror');
  const told: string[] = [];
  const stop = new AbortController();
  const records = createTaskRecords({ records: createMemoryStore().records });
  const tasks = createQueue({ records, firstPauseMs });
  const { promise: isDone, resolve: imageMirrored } = Promise.withResolvers<unknown>();
  const running = mirrorLoop(
    {
      queue: tasks,
      look: createImageInspector(end),
      copy: copying(ends, settings, stop.signal, {
        ...(holds && { holds }),
        tell: (kind) => told.push(kind),
      }),
      tell: (kind) => (kind === 'upToDate' || kind === 'held') && imageMirrored(kind),
      events: { imageMirrored },
      ...(holds && { holdOf: holds.find }),
    },
    stop.signal,
  );
  await tasks.put({ ...wish, ...task });
  await isDone;
  while (tasks.count({ state: 'waiting' }) + tasks.count({ state: 'running' }) > 0)
    await tasks.changed(AbortSignal.timeout(50));
  stop.abort();
  await running;
  await tasks.close();
  return { told, source: source.counts(), quay: quay.counts(), tagged: quay.contents(ci).tags };
}

test('one try asks each end once what it has', async (t) => {
  const { source, quay, tagged } = await triedOnce({});
  t.equal(tagged.get(target), image.root.descriptor.digest);
  t.match(source, { 'head-manifest': 1, 'get-manifest': 1 });
  t.match(quay, { 'head-manifest': 1, 'stat-manifest': 1 }, 'the tag, and the digest under other tags');
});

test('a copy that only fills looks once more, right before it writes', async (t) => {
  const { source, quay } = await triedOnce({ fills: true });
  t.match(source, { 'head-manifest': 1 });
  t.match(quay, { 'head-manifest': 1, 'stat-manifest': 2, 'put-manifest': 1 });
});

test('what is kept under another name first is not asked for again', async (t) => {
  const backup = 'quay.io/openshift/ci:20251023140242_prune_a';
  const { source, quay, tagged } = await triedOnce({ backup: parseImageReference(backup) }, older);
  t.equal(tagged.get(target), image.root.descriptor.digest);
  t.equal(tagged.size, 2);
  t.match(source, { 'head-manifest': 1 });
  t.match(quay, { 'head-manifest': 2, 'stat-manifest': 2, 'put-manifest': 2 }, 'both tags, and both digests');
});

test('an image that is there costs one look at each end', async (t) => {
  const { source, quay } = await triedOnce({}, image);
  t.same(source, { 'head-manifest': 1 });
  t.same(quay, { 'head-manifest': 1 });
});

test('a hold that comes while the image is copied keeps the tag as it is', async (t) => {
  let reads = 0;
  const hold = { destination: wish.destination.text, since: 1 };
  const find = async () => {
    reads += 1;
    return reads > 1 ? hold : undefined;
  };
  const { quay, tagged } = await triedOnce({}, older, { holds: { find } });
  t.equal(tagged.get(target), older.root.descriptor.digest);
  t.notOk(quay['put-manifest']);
});

const index = indexImage([['linux/amd64', image]]);
const [signature = latest] = cosignTags(index.root.descriptor.digest);
const [, attestation = latest, bill = latest] = cosignTags(image.root.descriptor.digest);

/** The index instead of the image, with what cosign keeps for it and for its child. */
function signed(source: MemoryEnd): void {
  source.hold(from, index, latest);
  for (const tag of [signature, attestation, bill]) source.hold(from, plainImage(tag, []), tag);
  source.hold(from, plainImage('of another image', []), cosignTags(older.root.descriptor.digest)[0]);
}

test('an image without signatures costs one more request to the source, a list of tags', async (t) => {
  const { source } = await triedOnce({});
  t.same(source, { 'head-manifest': 1, 'get-manifest': 1, 'open-blob': 2, tags: 1 });
  const off = await triedOnce({}, undefined, { yaml: 'attachments: off' });
  t.same(off.source, { 'head-manifest': 1, 'get-manifest': 1, 'open-blob': 2 });
  const elsewhere = parseImageReference('quay.io/team/app:latest');
  t.notOk((await triedOnce({ destination: elsewhere })).source.tags, 'it goes to another repository');
  t.ok((await triedOnce({ destination: elsewhere }, undefined, { yaml: 'attachments: all' })).source.tags);
});

test('what cosign keeps for an image and its children comes into QCI, before the tag', async (t) => {
  const { source, tagged } = await triedOnce({}, undefined, { prepare: signed });
  t.same(new Set(tagged.keys()), new Set([signature, attestation, bill, target]));
  t.equal([...tagged.keys()].at(-1), target);
  t.match(source, { 'get-manifest': 5, tags: 1 }, 'none is asked for that is not listed');
});

test('where tags cannot be listed to the end, each of the three is asked for', async (t) => {
  for (const misbehaviour of [
    {
      fails: ({ verb }: { verb: string }) =>
        verb === 'tags' ? new RegistryError('DENIED', 'no') : undefined,
    },
    { pagesTags: () => ({ tags: [signature], nextQuery: 'last=b' }) },
    { pagesTags: () => ({ tags: [parseTag('z'), parseTag('a')], nextQuery: 'last=b' }) },
  ]) {
    const prepare = (source: MemoryEnd): void => {
      signed(source);
      Object.assign(source.misbehaviours, misbehaviour);
    };
    const { source, tagged } = await triedOnce({}, undefined, { prepare });
    t.equal(tagged.size, 4);
    t.match(source, { 'get-manifest': 8, tags: 1 }, 'an index, its child, and three tags of each');
  }
});

test('a first page that goes beyond the tags of cosign says it all', async (t) => {
  const prepare = (source: MemoryEnd): void => {
    signed(source);
    Object.assign(source.misbehaviours, {
      pagesTags: () => ({ tags: [signature, parseTag('v1')], nextQuery: 'last=v1' }),
    });
  };
  t.match((await triedOnce({}, undefined, { prepare })).source, { 'get-manifest': 3, tags: 1 });
});

test('a signature that cannot be copied keeps no image back, and is logged', async (t) => {
  const prepare = (source: MemoryEnd): void => {
    signed(source);
    source.hold(from, { ...plainImage('x', [textBlob('lost')]), blobs: new Map() }, signature);
  };
  const { tagged, told } = await triedOnce({}, undefined, { prepare });
  t.equal(tagged.get(target), index.root.descriptor.digest);
  t.notOk(tagged.has(signature));
  t.ok(tagged.has(bill));
  t.same(told, ['attachmentFailed']);
});

test('a signature that the source cannot deliver keeps its image back for some tries, not for ever', async (t) => {
  let refusals = 0;
  const prepare = (source: MemoryEnd): void => {
    signed(source);
    Object.assign(source.misbehaviours, {
      fails({ verb, reference }: { verb: string; reference: string }) {
        if (verb !== 'get-manifest' || reference !== signature) return undefined;
        refusals += 1;
        return new RegistryError('UNAVAILABLE', 'the registry is busy');
      },
    });
  };
  const { tagged, told } = await triedOnce({}, undefined, { prepare, firstPauseMs: 0 });
  t.equal(tagged.get(target), index.root.descriptor.digest);
  t.ok(tagged.has(bill));
  t.equal(refusals, 6);
  t.same(told, ['attachmentFailed']);
});

test('a backup within QCI brings nothing again', async (t) => {
  const backup = parseImageReference('quay.io/openshift/ci:20251023140242_prune_a');
  const { quay } = await triedOnce({ backup }, older);
  t.notOk(quay.tags);
});
