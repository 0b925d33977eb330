import { test } from 'tap';
import { CopyError } from '../../../src/mirror/failure.ts';
import { type LoopOptions, mirrorLoop } from '../../../src/mirror/loop/loop.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';

const source = 'registry.ci.openshift.org/ci/a:latest';
const destination = 'quay.io/openshift/ci:ci_a_latest';
const backup = 'quay.io/openshift/ci:20251023140242_prune___ci_images_mirror__ci_a_latest';
/** What stands there comes to the destination just before the copy does. */
const appearing = 'appearing';
const wish: MirrorTask = {
  source: parseImageReference(source),
  destination: parseImageReference(destination),
  priority: 'change',
  owner: 'test',
  createdAt: 1,
};

const digest = (text: string): Digest => digestOf(Buffer.from(text));

interface Held {
  readonly digest: Digest;
  readonly mediaType?: string;
  readonly amd64?: Digest;
}

/** Registries as a table of what each pull spec stands for; a copy moves an entry. */
function rig(
  options: {
    readonly store?: Records;
    readonly images?: Map<string, Held>;
    readonly isWanted?: LoopOptions['isWanted'];
    readonly holdOf?: LoopOptions['holdOf'];
    clock?: number;
  } = {},
) {
  const { store = createMemoryStore().records, images = new Map<string, Held>() } = options;
  const lines: MirrorLine[] = [];
  const copies: Record<'source' | 'destination', string>[] = [];
  const counts = { success: 0, failure: 0 };
  const failures: (CopyError | Error)[] = [];
  const stop = new AbortController();
  const tasks = createQueue({
    records: createTaskRecords({ records: store }),
    firstPauseMs: 1,
    longestPauseMs: 2,
  });
  const copy: LoopOptions['copy'] = async (pair, signal) => {
    copies.push({ source: pair.source.text, destination: pair.destination.text });
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    signal.throwIfAborted();
    const appeared = images.get(appearing);
    if (appeared !== undefined && pair.fills === true) {
      images.set(pair.destination.text, appeared);
      return { digest: appeared.digest, isKept: true };
    }
    const byDigest = [...images.values()].find(({ digest }) => pair.source.text.endsWith(`@${digest}`));
    const image = images.get(pair.source.text) ?? byDigest;
    if (image === undefined) throw new CopyError('source-gone', 'gone');
    images.set(pair.destination.text, image);
    return undefined;
  };
  const done = mirrorLoop(
    {
      queue: tasks,
      copy,
      look: {
        async stat(spec) {
          const held = images.get(spec.text);
          return held && { size: 1, mediaType: mediaTypes.ociManifest, ...held };
        },
        amd64: async (spec) => images.get(spec.text)?.amd64,
      },
      tell: mirrorLog((line) => lines.push(line)),
      events: {
        imageMirrored({ state }) {
          counts[state] += 1;
        },
      },
      now: () => options.clock ?? Date.UTC(2030, 0, 1),
      ...(options.isWanted && { isWanted: options.isWanted }),
      ...(options.holdOf && { holdOf: options.holdOf }),
    },
    stop.signal,
  );
  const idle = async () => {
    while (tasks.count({ state: 'waiting' }) + tasks.count({ state: 'running' }) > 0) {
      await tasks.changed(AbortSignal.timeout(50));
    }
  };
  const end = async () => {
    stop.abort();
    await done;
    await tasks.close();
  };
  const messages = () => lines.map(({ message }) => message).filter((each) => !each.startsWith('Waiting'));
  return { images, lines, messages, copies, counts, failures, tasks, idle, end, stop, done, store };
}

test('a task is copied, told and counted', async (t) => {
  const { images, tasks, idle, end, messages, lines, counts } = rig();
  images.set(source, { digest: digest('new') });
  await tasks.put(wish);
  await idle();
  await end();
  t.same(images.get(destination), { digest: digest('new') });
  t.same(messages(), ['Mirroring ...', 'Running command succeeded.', 'Mirrored successfully']);
  t.match(lines.find(({ message }) => message === 'Mirrored successfully')?.fields, {
    pairs: [`${source}=${destination}`],
    duration: 0,
  });
  t.same(counts, { success: 1, failure: 0 });
});

test('an image that is there already is not copied', async (t) => {
  const { images, tasks, idle, end, messages, copies } = rig();
  images.set(source, { digest: digest('same') }).set(destination, { digest: digest('same') });
  await tasks.put({ ...wish, backup: parseImageReference(backup) });
  await idle();
  await end();
  t.same(copies, []);
  t.same(messages(), ['Image is up to date']);
});

test('an index is not overwritten with its own child for linux/amd64, but with every other change', async (t) => {
  const index = { digest: digest('index'), mediaType: mediaTypes.ociIndex, amd64: digest('child') };
  const { images, tasks, idle, end, copies } = rig();
  images.set(source, { digest: digest('child') }).set(destination, index);
  await tasks.put(wish);
  await idle();
  t.same(copies, []);
  images.set(source, { ...index, digest: digest('another architecture has changed') });
  await tasks.put(wish);
  await idle();
  await end();
  t.equal(copies.length, 1);
});

test('what is overwritten is kept first, by its digest', async (t) => {
  const { images, tasks, idle, end, copies } = rig();
  images.set(source, { digest: digest('new') }).set(destination, { digest: digest('old') });
  await tasks.put({ ...wish, backup: parseImageReference(backup), currentDigest: digest('old') });
  await idle();
  await end();
  t.same(copies, [
    { source: `quay.io/openshift/ci@${digest('old')}`, destination: backup },
    { source, destination },
  ]);
  t.equal(images.get(backup)?.digest, digest('old'));
});

test('a copy that only fills does not overwrite a tag that was pushed meanwhile, and says so', async (t) => {
  const { images, tasks, idle, end, copies, messages, lines, counts } = rig();
  images.set(source, { digest: digest('new') }).set(destination, { digest: digest('pushed') });
  await tasks.put({ ...wish, fills: true });
  await idle();
  images.delete(destination);
  images.set(appearing, { digest: digest('pushed') });
  await tasks.put({ ...wish, fills: true });
  await idle();
  await end();
  t.equal(copies.length, 1);
  t.equal(images.get(destination)?.digest, digest('pushed'));
  const kept = messages().filter((each) => /^Image exists already/.test(each));
  t.equal(kept.length, 2);
  t.notOk(messages().includes('Mirrored successfully'));
  t.match(lines.find(({ message }) => message === kept[0])?.fields, {
    source,
    target: destination,
    currentQuayDigest: digest('pushed'),
    currentAppCIDigest: digest('new'),
  });
  t.same(counts, { success: 0, failure: 0 });
  t.equal(tasks.count(), 0);
});

test('nothing is kept where nothing is overwritten', async (t) => {
  const { images, tasks, idle, end, copies } = rig();
  images.set(source, { digest: digest('new') });
  await tasks.put({ ...wish, backup: parseImageReference(backup) });
  await idle();
  await end();
  t.same(copies, [{ source, destination }]);
});

test('one change makes one backup, though the copy fails, the hour strikes and the process is killed', async (t) => {
  const first = rig({ clock: Date.UTC(2030, 0, 1) });
  const { images, store, failures } = first;
  images.set(source, { digest: digest('new') }).set(destination, { digest: digest('old') });
  const never = new Error('never got through');
  failures.push(new CopyError('throttled', 'slow down'), never);
  await first.tasks.put({ ...wish, backup: parseImageReference(backup) });
  await first.tasks.put({
    ...wish,
    backup: parseImageReference(backup.replace('2025', '2026')),
    sourceDigest: digest('new'),
  });
  while (first.copies.length < 4) await first.tasks.changed(AbortSignal.timeout(50));
  await first.end();
  const second = rig({ store, images, clock: Date.UTC(2031, 0, 1) });
  await second.tasks.load();
  await second.tasks.put({ ...wish, backup: parseImageReference(backup.replace('2025', '2031')) });
  await second.idle();
  await second.end();
  const backups = [...images.keys()].filter((spec) => spec.includes('_prune_'));
  t.equal(backups.length, 1, String(backups));
  t.equal(images.get(backups[0] ?? '')?.digest, digest('old'));
});

test('a name that keeps something else is left alone', async (t) => {
  const { images, tasks, idle, end } = rig();
  images.set(source, { digest: digest('new') }).set(destination, { digest: digest('old') });
  images.set(backup, { digest: digest('older') });
  await tasks.put({ ...wish, backup: parseImageReference(backup), currentDigest: digest('old') });
  await idle();
  await end();
  t.equal(images.get(backup)?.digest, digest('older'));
  const kept = [...images].filter(([spec, held]) => /_prune_/.test(spec) && held.digest === digest('old'));
  t.equal(kept.length, 1);
});

test('a registry in which every name is taken ends the search for one, and the image is left', async (t) => {
  let looks = 0;
  class Crowded extends Map<string, Held> {
    override get(spec: string): Held | undefined {
      if (!spec.includes('_prune_')) return super.get(spec);
      looks += 1;
      return { digest: digest('older') };
    }
  }
  const { images, tasks, end, lines, copies } = rig({ images: new Crowded() });
  images.set(source, { digest: digest('new') }).set(destination, { digest: digest('old') });
  await tasks.put({ ...wish, backup: parseImageReference(backup), currentDigest: digest('old') });
  while (!lines.some(({ message }) => message === 'Failed to mirror'))
    await tasks.changed(AbortSignal.timeout(50));
  const seen = looks;
  await end();
  t.ok(seen <= 22, `${seen} looks`);
  t.same(copies, []);
});

test('a transient failure is retried, and reported once it lasts', async (t) => {
  const { images, tasks, idle, end, failures, messages, counts, lines } = rig();
  images.set(source, { digest: digest('new') });
  failures.push(...Array.from({ length: 6 }, () => new CopyError('throttled', 'slow down')));
  await tasks.put(wish);
  await idle();
  await end();
  t.equal(messages().filter((each) => each === 'Failed to mirror').length, 6);
  t.equal(messages().filter((each) => each === 'Failed to mirror even with retries').length, 1);
  t.same(counts, { success: 1, failure: 6 });
  t.match(lines.find(({ message }) => message === 'Failed to mirror')?.fields, { error: 'slow down' });
  t.match(
    lines.find(({ message }) => message === 'Running command failed.'),
    {
      level: 'debug',
      fields: { args: /image mirror .*=/, client: 'quayside', error: 'throttled' },
    },
  );
});

test('one bad image is parked and delays no other', async (t) => {
  const { images, tasks, idle, end, failures, messages } = rig();
  images.set(source, { digest: digest('bad') });
  images.set('registry.ci.openshift.org/ci/b:latest', { digest: digest('good') });
  failures.push(new CopyError('schema-1', 'sha256:12 is schema 1'));
  await tasks.put(wish);
  await tasks.put({
    ...wish,
    source: parseImageReference('registry.ci.openshift.org/ci/b:latest'),
    destination: parseImageReference('quay.io/x/y:b'),
  });
  await idle();
  t.match([...tasks.list()], [{ state: 'parked', failure: { reason: 'sha256:12 is schema 1' } }]);
  t.ok(messages().includes('Failed to mirror even with retries'));
  t.ok(images.has('quay.io/x/y:b'));
  await end();
});

test('what is parked is known by the digest that was refused', async (t) => {
  const { images, tasks, idle, end, failures, copies } = rig();
  images.set(source, { digest: digest('newer') });
  failures.push(new CopyError('schema-1', 'it is schema 1'));
  await tasks.put({ ...wish, sourceDigest: digest('old') });
  await idle();
  t.match([...tasks.list()], [{ state: 'parked', sourceDigest: digest('newer') }]);
  await tasks.put({ ...wish, sourceDigest: digest('newer') });
  await idle();
  t.equal(copies.length, 1);
  await end();
});

test('a source that is gone is parked without an alarm', async (t) => {
  const { tasks, idle, end, messages, counts } = rig();
  await tasks.put(wish);
  await idle();
  t.equal(tasks.count({ state: 'parked' }), 1);
  t.same(messages(), ['Source image does not exist, skipping mirror']);
  t.same(counts, { success: 0, failure: 0 });
  await end();
});

test('a source that is still gone when it is tried again leaves the queue', async (t) => {
  const { tasks, idle, end, messages } = rig();
  await tasks.put(wish);
  await idle();
  t.match([...tasks.list()], [{ state: 'parked', failure: { kind: 'source-gone' } }]);
  tasks.retry();
  await idle();
  await end();
  t.same([...tasks.list()], []);
  t.same(messages(), Array(2).fill('Source image does not exist, skipping mirror'));
});

test('what is not wanted any more ends untried, however much of it waits', async (t) => {
  const { images, tasks, idle, end, copies, store } = rig({ isWanted: ({ owner }) => owner !== 'nobody' });
  images.set(source, { digest: digest('new') });
  for (let index = 0; index < 99; index += 1)
    void tasks.put({ ...wish, destination: parseImageReference(`${destination}${index}`), owner: 'nobody' });
  await tasks.put(wish);
  await idle();
  await end();
  t.same(copies, [{ source, destination }]);
  t.same([...tasks.list()], []);
  t.same(await createTaskRecords({ records: store }).load(), []);
});

test('what runs when we are stopped stays in the queue, untried', async (t) => {
  const isWanted = (): boolean => {
    stop.abort();
    return true;
  };
  const { images, tasks, stop, done, copies, messages, counts } = rig({ isWanted });
  images.set(source, { digest: digest('new') });
  await tasks.put(wish);
  await done;
  t.match([...tasks.list()], [{ state: 'waiting', attempts: 0 }]);
  t.ok(copies.length <= 1);
  t.notOk(messages().includes('Failed to mirror'));
  t.same(counts, { success: 0, failure: 0 });
  await tasks.close();
});

test('a held destination is left as it is, and copied once it is released', async (t) => {
  let held: { destination: string; since: number; why: string } | undefined;
  held = { destination, since: 1, why: 'reverted by hand' };
  const { images, tasks, idle, end, messages, lines, copies } = rig({ holdOf: async () => held });
  images.set(source, { digest: digest('new') }).set(destination, { digest: digest('old') });
  await tasks.put({ ...wish, backup: parseImageReference(backup) });
  await idle();
  t.same(copies, [], 'and not even kept under a backup');
  const reason = `${destination}: held by an operator until its release: reverted by hand`;
  t.match([...tasks.list()], [{ state: 'parked', attempts: 0, failure: { kind: 'held', reason } }]);
  tasks.retry();
  await idle();
  t.same(messages(), ['Held by an operator, skipping mirror'], 'once');
  t.match(lines.find(({ message }) => message.startsWith('Held'))?.fields, {
    source,
    target: destination,
    reason,
  });
  held = undefined;
  tasks.retry();
  await idle();
  await end();
  t.same(images.get(destination), { digest: digest('new') });
});

test('where the store cannot say whether a destination is held, nothing is copied', async (t) => {
  let isDown = true;
  const holdOf = async () => {
    if (isDown) throw new Error('the store is down');
    return undefined;
  };
  const { images, tasks, idle, end, copies, lines } = rig({ holdOf });
  images.set(source, { digest: digest('new') });
  await tasks.put(wish);
  while (!lines.some(({ message }) => message === 'Failed to mirror'))
    await tasks.changed(AbortSignal.timeout(50));
  t.same(copies, []);
  isDown = false;
  await idle();
  await end();
  t.equal(copies.length, 1);
});
