import { test } from 'tap';
import { copying } from '../../../src/app/mirror/copying.ts';
import { load } from '../../../src/config/load.ts';
import { createImageInspector } from '../../../src/mirror/images/image-inspector.ts';
import { mirrorLoop } from '../../../src/mirror/loop/loop.ts';
import type { Holds } from '../../../src/mirror/queue/holds.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { memoryEnd } from '../../support/memory-ends.ts';
import { plainImage, textBlob } from '../../support/memory-images.ts';

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

/** One try of a task, between two registries in memory: how often each was asked what. */
async function triedOnce(task: Partial<MirrorTask>, held?: typeof image, holds?: Pick<Holds, 'find'>) {
  const [source, quay] = [memoryEnd('registry.ci.openshift.org'), memoryEnd('quay.io')];
  source.hold(from, image, latest);
  if (held !== undefined) quay.hold(ci, held, target);
  const end = (registry: string) => (registry === quay.name ? quay : source);
  const ends = { source: end, pulledSource: end, destination: end, close: async () => {} };
  const { mirror: settings } = load('{mirror: {}}', {});
  if (settings === undefined) throw new Error('the settings have no mirror');
  const stop = new AbortController();
  const tasks = createQueue({ records: createTaskRecords({ records: createMemoryStore().records }) });
  const { promise: isDone, resolve: imageMirrored } = Promise.withResolvers<unknown>();
  const running = mirrorLoop(
    {
      queue: tasks,
      look: createImageInspector(end),
      copy: copying(ends, settings, stop.signal, holds),
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
  return { source: source.counts(), quay: quay.counts(), tagged: quay.contents(ci).tags };
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
  const { quay, tagged } = await triedOnce({}, older, { find });
  t.equal(tagged.get(target), older.root.descriptor.digest);
  t.notOk(quay['put-manifest']);
});
