import { test } from 'tap';
import { CopyError, doubtfulTries } from '../../../src/mirror/failure.ts';
import { createQueue, type Queue, type QueueOptions } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { createTaskRecords, offerTask } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';
import { createWorkWatch } from '../../support/work-watch.ts';

const day = 86_400_000;
const throttled = new CopyError('throttled', 'slow down');
const schema1 = new CopyError('schema-1', 'sha256:12 is a schema 1 manifest');
const invalid = new CopyError('manifest-invalid', 'the destination does not accept this content');

function task(name: string, fields: Partial<MirrorTask> = {}): MirrorTask {
  return {
    source: parseImageReference(`registry.ci.openshift.org/ci/${name}:latest`),
    destination: parseImageReference(`quay.io/openshift/ci:ci_${name}_latest`),
    priority: 'change',
    owner: 'test',
    createdAt: 1,
    ...fields,
  };
}

const targetOf = (name: string) => task(name).destination;

function counted(records: Records) {
  const calls = { put: 0, delete: 0 };
  const put: Records['put'] = (...args) => {
    calls.put += 1;
    return records.put(...args);
  };
  const remove: Records['delete'] = (key) => {
    calls.delete += 1;
    return records.delete(key);
  };
  return { calls, records: { ...records, put, delete: remove } };
}

function rig(options: Partial<QueueOptions> & { readonly store?: Records } = {}) {
  const clock = { now: 1_000_000 };
  const { calls, records } = counted(options.store ?? createMemoryStore().records);
  const made = (): Queue =>
    createQueue({
      records: createTaskRecords({ records, retryMs: 1 }),
      now: () => clock.now,
      random: () => 1,
      ...options,
    });
  const names = (of: Iterable<MirrorTask>) =>
    [...of].map(({ destination }) => destination.text.replace(/.*:ci_(.*)_latest/, '$1'));
  return { clock, calls, records, names, made, queue: made() };
}

test('what is put in outlives the process, until it is done', async (t) => {
  const { queue, made, names } = rig();
  t.equal(await queue.put(task('a')), true);
  t.equal(await queue.put(task('b')), true);
  t.same(names(queue.take()), ['a', 'b']);
  queue.done(targetOf('a').text);
  await queue.close();
  const next = made();
  await next.load();
  t.same(names(next.list()), ['b'], 'also what was running');
  t.same(names(next.take()), ['b']);
});

test('one destination is one task: the later one counts, and what says nothing new is not written', async (t) => {
  const { queue, calls } = rig();
  await queue.put(task('a', { sourceDigest: 'sha256:1' }));
  await queue.put(task('a', { sourceDigest: 'sha256:1', createdAt: 9 }));
  t.equal(calls.put, 1);
  await queue.put(task('a', { sourceDigest: 'sha256:2', createdAt: 9 }));
  t.equal(calls.put, 2);
  t.match([...queue.list()], [{ sourceDigest: 'sha256:2', createdAt: 9 }]);
  t.equal(queue.count(), 1);
});

test('what came while its destination was being worked at has its turn afterwards', async (t) => {
  const { queue, names, made } = rig();
  await queue.put(task('a'));
  queue.take();
  await queue.put(task('a', { source: parseImageReference('registry.ci.openshift.org/ci/other:latest') }));
  t.same(queue.take(), [], 'one at a time');
  const successor = made();
  await successor.load();
  t.match([...successor.list()], [{ source: { text: /other/ } }], 'a crash now would not lose it');
  queue.done(targetOf('a').text);
  t.match(queue.take(), [{ source: { text: /other/ } }]);
  queue.done(targetOf('a').text);
  t.same(names(queue.list()), []);
});

test('the digest that is being copied is not copied again', async (t) => {
  const { queue } = rig();
  await queue.put(task('a', { sourceDigest: 'sha256:1' }));
  queue.take();
  await queue.put(task('a', { sourceDigest: 'sha256:1' }));
  queue.done(targetOf('a').text);
  t.equal(queue.count(), 0);
});

test('misses go before changes, changes before the rest', async (t) => {
  const { queue, names } = rig();
  await queue.put(task('c', { priority: 'resync' }));
  await queue.put(task('b'));
  await queue.put(task('a', { priority: 'miss' }));
  await queue.put(task('d'));
  t.same(names(queue.take()), ['a', 'b', 'd', 'c']);
});

test('a task may become more urgent, never less', async (t) => {
  const { queue, names } = rig();
  await queue.put(task('a'));
  await queue.put(task('b', { priority: 'resync' }));
  await queue.put(task('b', { priority: 'miss' }));
  await queue.put(task('b', { priority: 'resync' }));
  t.same(names(queue.take()), ['b', 'a']);
});

test('a wish to overwrite is no less one for a miss that comes before or after it', async (t) => {
  const miss = task('a', { priority: 'miss', fills: true, sourceDigest: 'sha256:1' });
  const change = task('a', { sourceDigest: 'sha256:1' });
  for (const wishes of [
    [miss, change],
    [change, miss],
  ]) {
    const { queue, made } = rig();
    for (const each of wishes) await queue.put(each);
    t.match(queue.take(), [{ priority: 'miss', fills: undefined }]);
    const next = made();
    await next.load();
    t.match([...next.list()], [{ fills: undefined }]);
  }
  const { queue, made } = rig();
  await queue.put(miss);
  const next = made();
  await next.load();
  t.match([...next.list()], [{ fills: true }], 'it is kept');
  queue.take();
  await queue.put(change);
  queue.done(targetOf('a').text);
  t.match(queue.take(), [{ fills: undefined }], 'also while the miss is being copied');
});

test('a failure that passes is tried again later and later, and not before the registry wants it', async (t) => {
  const { queue, clock, calls } = rig({ firstPauseMs: 1000, longestPauseMs: 4000 });
  await queue.put(task('a'));
  for (const pause of [1000, 2000, 4000, 4000]) {
    t.equal(queue.take().length, 1);
    queue.failed(targetOf('a').text, throttled);
    clock.now += pause - 1;
    t.same(queue.take(), [], `${pause} ms are not over`);
    clock.now += 1;
  }
  queue.take();
  const waits = queue.failed(targetOf('a').text, new CopyError('throttled', 'x', { retryAfterSeconds: 60 }));
  t.match(waits, {
    attempts: 5,
    notBefore: clock.now + 64_000,
    state: 'waiting',
    failure: { kind: 'throttled' },
  });
  t.equal(calls.put, 1, 'and nothing of it is written');
});

test('a doubtful failure is tried for some minutes, and parked then', async (t) => {
  const { queue, clock } = rig();
  const doubtful = new CopyError('manifest-invalid', 'invalid', { isDoubtful: true });
  await queue.put(task('a'));
  const startedAt = clock.now;
  for (let attempt = 1; attempt < doubtfulTries; attempt += 1) {
    queue.take();
    const { state, notBefore } = queue.failed(targetOf('a').text, doubtful);
    t.equal(state, 'waiting');
    clock.now = notBefore;
  }
  t.ok(clock.now - startedAt >= 77_500, 'a minute or more');
  queue.take();
  t.match(queue.failed(targetOf('a').text, doubtful), { state: 'parked', attempts: doubtfulTries });
});

test('a doubtful failure after an outage is tried as often as one without', async (t) => {
  const { queue, clock } = rig();
  const doubtful = new CopyError('manifest-invalid', 'invalid', { isDoubtful: true });
  const unavailable = new CopyError('unavailable', 'down');
  await queue.put(task('a'));
  const outage = Array.from({ length: doubtfulTries }, () => unavailable);
  const doubts = Array.from({ length: doubtfulTries - 1 }, () => doubtful);
  for (const failure of [...outage, ...doubts]) {
    queue.take();
    const { state, notBefore } = queue.failed(targetOf('a').text, failure);
    t.equal(state, 'waiting');
    clock.now = notBefore;
  }
  queue.take();
  t.match(queue.failed(targetOf('a').text, doubtful), { state: 'parked', attempts: 2 * doubtfulTries });
});

test('refused schema 1 stays parked until the digest changes or an operator says retry', async (t) => {
  const { queue, clock, made } = rig();
  const first = task('a', { sourceDigest: 'sha256:1' });
  await queue.put(first);
  queue.take();
  t.match(queue.failed(first.destination.text, schema1), { state: 'parked', failure: { kind: 'schema-1' } });
  clock.now += 1000 * day;
  await queue.put({ ...first, priority: 'miss' });
  await queue.put({ ...first, source: parseImageReference('registry.ci.openshift.org/ci/a:1') });
  t.same(queue.take(), [], 'years pass, and it is found again, by other names too');
  await queue.close();

  const next = made();
  await next.load();
  t.same(next.take(), []);
  t.match([...next.list({ state: 'parked' })], [{ failure: { reason: /schema 1/ } }], 'a restart remembers');
  t.equal(next.retry({ destination: first.destination.text }), 1);
  t.equal(next.take().length, 1, 'an operator says retry');
  next.failed(first.destination.text, schema1);
  await next.put({ ...first, sourceDigest: 'sha256:2' });
  t.match(next.take(), [{ sourceDigest: 'sha256:2', attempts: 0 }], 'the digest has changed');
});

test('the digest that counts is the one that was refused', async (t) => {
  const { queue } = rig();
  await queue.put(task('a', { sourceDigest: 'sha256:1' }));
  queue.take();
  await queue.put(
    task('a', { sourceDigest: 'sha256:2', source: parseImageReference('registry.ci.openshift.org/ci/a:2') }),
  );
  t.match(queue.failed(targetOf('a').text, schema1, 'sha256:2'), {
    state: 'parked',
    sourceDigest: 'sha256:2',
  });
  await queue.put(task('a', { sourceDigest: 'sha256:2' }));
  t.same(queue.take(), []);
  await queue.put(task('a', { sourceDigest: 'sha256:1' }));
  t.equal(queue.take().length, 1);
});

test('any other failure that stays is parked for a day, or until the source has changed', async (t) => {
  const { queue, clock, made } = rig();
  const first = task('a', { sourceDigest: 'sha256:1' });
  await queue.put(first);
  queue.take();
  t.match(queue.failed(first.destination.text, invalid), {
    state: 'parked',
    failure: { kind: 'manifest-invalid' },
  });
  await queue.put({ ...first, priority: 'miss' });
  t.same(queue.take(), []);
  await queue.close();

  const next = made();
  await next.load();
  t.match(
    [...next.list({ state: 'parked' })],
    [{ failure: { reason: /not accept this content/ } }],
    'a restart remembers',
  );
  t.same(next.take(), []);
  clock.now += day;
  t.equal(next.take().length, 1, 'a day is over');
  next.failed(first.destination.text, invalid);
  await next.put({ ...first, sourceDigest: 'sha256:2' });
  t.match(next.take(), [{ sourceDigest: 'sha256:2', attempts: 0 }], 'the source has changed');
});

test('what was parked is tried once the source is seen again, or when a person orders it', async (t) => {
  const { queue } = rig();
  const seen = task('a', { sourceDigest: 'sha256:1' });
  const ordered = task('b', { owner: 'api' });
  for (const each of [seen, ordered]) await queue.put(each);
  queue.take();
  queue.failed(seen.destination.text, new CopyError('source-gone', 'x'));
  queue.failed(ordered.destination.text, new CopyError('denied', 'x'));
  await queue.put(task('b'));
  t.same(queue.take(), [], 'a job that finds what it found before is no reason');
  for (const each of [seen, ordered]) await queue.put(each);
  t.same(
    queue.take().map(({ attempts }) => attempts),
    [0, 0],
  );
});

test('what was parked and what waits can be tried at once', async (t) => {
  const { queue, names } = rig();
  for (const name of ['a', 'b', 'c']) await queue.put(task(name));
  queue.take();
  queue.failed(targetOf('b').text, throttled);
  queue.failed(targetOf('a').text, schema1);
  t.equal(queue.retry({ destination: targetOf('a').text }), 1);
  t.equal(queue.retry(), 1, 'the other one; what runs is left alone');
  t.same(new Set(names(queue.take())), new Set(['a', 'b']));
});

test('what waits or is parked can be dropped, and what runs cannot', async (t) => {
  const depths: number[] = [];
  const { queue, made, names } = rig({ depthChanged: (waiting) => depths.push(waiting) });
  for (const name of ['a', 'b']) await queue.put(task(name));
  queue.take();
  await queue.put(task('c'));
  queue.failed(targetOf('a').text, invalid);
  for (const name of ['a', 'c']) t.match(queue.drop(targetOf(name).text), { destination: targetOf(name) });
  t.equal(queue.drop(targetOf('a').text), undefined);
  t.equal(queue.drop(targetOf('b').text), 'running');
  t.same(names(queue.list()), ['b']);
  t.equal(depths.at(-1), 0);
  await queue.close();
  const next = made();
  await next.load();
  t.same(names(next.list()), ['b']);
});

test('a registry that throttles does not hold up others', async (t) => {
  const { queue, names } = rig({ places: 8, firstPauseMs: 0 });
  const slow = Array.from({ length: 20 }, (_, index) =>
    task(`slow${index}`, { source: parseImageReference(`slow.example/ci/${index}:latest`) }),
  );
  for (const each of slow) await queue.put(each);
  t.equal(queue.take().length, 4, 'one pair of registries gets half of the places');
  await queue.put(task('quick'));
  t.same(names(queue.take()), ['quick'], 'and another one always finds some');
  for (const { destination } of slow.slice(0, 4)) queue.failed(destination.text, throttled);
  t.equal(queue.take().length, 1, 'one probes whether it still throttles');
  queue.done(slow[4]?.destination.text ?? '');
  t.ok(queue.take().length > 1, 'it does not');
});

test('a miss takes the last place', async (t) => {
  const { queue, names } = rig({ places: 4 });
  for (const name of ['a', 'b', 'c', 'd']) await queue.put(task(name));
  t.equal(queue.take().length, 2);
  for (const name of ['x', 'y', 'z']) await queue.put(task(name, { priority: 'miss' }));
  t.same(names(queue.take()), ['x', 'y']);
});

test('where content is kept before it is overwritten is decided once', async (t) => {
  const { queue, made } = rig();
  const first = parseImageReference('q/x/y:first');
  const wished = task('a', {
    backup: parseImageReference('quay.io/openshift/ci:2025_prune_a'),
    currentDigest: 'sha256:old',
  });
  await queue.put(wished);
  queue.take();
  await queue.keepUnder(wished.destination.text, { backup: first, currentDigest: 'sha256:old' });
  queue.failed(wished.destination.text, throttled);
  await queue.put({ ...wished, sourceDigest: 'sha256:new' });
  t.match([...queue.list()], [{ backup: first, sourceDigest: 'sha256:new' }]);
  const next = made();
  await next.load();
  t.match([...next.list()], [{ backup: first }]);
  await next.put({ ...wished, sourceDigest: 'sha256:3', currentDigest: 'sha256:other' });
  t.match([...next.list()], [{ backup: wished.backup }], 'other content has another name');
});

test('a second task that comes while the first one runs does not lose where its content is kept', async (t) => {
  const { queue, made } = rig();
  const first = task('a', {
    backup: parseImageReference('quay.io/openshift/ci:2025_prune_a'),
    currentDigest: 'sha256:old',
  });
  await queue.put(first);
  queue.take();
  await queue.put(task('a', { sourceDigest: 'sha256:new' }));
  queue.failed(first.destination.text, throttled);
  const kept = { sourceDigest: 'sha256:new', backup: first.backup, currentDigest: 'sha256:old' };
  t.match([...queue.list()], [kept]);
  await queue.close();
  const next = made();
  await next.load();
  t.match([...next.list()], [kept], 'in the store too');
});

test('other processes leave tasks for the one that works', async (t) => {
  const { queue, records, names, calls } = rig();
  await offerTask(records, task('a', { priority: 'miss' }));
  await offerTask(records, task('a', { priority: 'miss' }));
  await queue.collect();
  t.same(names(queue.take()), ['a']);
  t.equal(calls.delete, 2);
  await queue.collect();
  t.equal(calls.delete, 2, 'each is taken in once');
});

test('a store that fails loses nothing that was put in meanwhile', async (t) => {
  const { records } = createMemoryStore();
  let isDown = true;
  const store: Records = {
    ...records,
    put: async (...args) => (isDown ? Promise.reject(new Error('down')) : records.put(...args)),
  };
  const { queue, made, names } = rig({ store });
  t.equal(await queue.put(task('a')), false, 'and says so');
  t.same(names(queue.list()), ['a']);
  isDown = false;
  const alive = setTimeout(() => {}, 60_000);
  t.equal(await queue.put(task('a')), true, 'once the store is back');
  clearTimeout(alive);
  const next = made();
  await next.load();
  t.same(names(next.list()), ['a']);
});

test('an unreadable record is skipped', async (t) => {
  const { records } = createMemoryStore();
  await records.put('v1/tasks/queued/a', Buffer.from('{'.repeat(100)));
  await records.put('v1/tasks/offered/b', Buffer.from(`{"source":1}${' '.repeat(100)}`));
  const told: string[] = [];
  const kept = createTaskRecords({ records, storeFailed: ({ error }) => told.push(String(error)) });
  const next = createQueue({ records: kept });
  await next.load();
  await next.collect();
  await next.collect();
  t.equal(next.count(), 0);
  t.match(told, [/queued\/a/, /offered\/b/]);
  t.equal(told.length, 2, 'and told of once');
});

test('a waiter is notified of a new task, of a pause that ends, and of the end', async (t) => {
  const { queue } = rig({ now: Date.now, firstPauseMs: 20 });
  const ended = new AbortController();
  const heard = queue.changed(ended.signal);
  await queue.put(task('a'));
  await heard;
  queue.take();
  queue.failed(targetOf('a').text, throttled);
  const startedAt = Date.now();
  while (queue.take().length === 0) await queue.changed(ended.signal);
  t.ok(Date.now() - startedAt >= 9);
  const last = queue.changed(ended.signal);
  ended.abort();
  await last;
  await queue.changed(ended.signal);
});

test('13,000 tasks are taken over in moments, and a resync of all of them writes nothing', async (t) => {
  const { queue, made, calls } = rig();
  const tasks = Array.from({ length: 13_000 }, (_, index) => task(`n${index}`, { sourceDigest: 'sha256:1' }));
  await Promise.all(tasks.map((each) => queue.put(each)));
  t.equal(calls.put, 13_000);
  const workMs = createWorkWatch();
  const next = made();
  await next.load();
  await Promise.all(tasks.map((each) => next.put({ ...each, createdAt: 9 })));
  t.ok(workMs() < 3_000, `${workMs()} ms`);
  t.equal(calls.put, 13_001, 'but for whose turn it is');
  t.equal(next.count({ state: 'waiting' }), 13_000);
});

test('a held task looks at its hold each minute, and counts no try', async (t) => {
  const { queue, clock } = rig();
  await queue.put(task('a'));
  queue.take();
  queue.failed(targetOf('a').text, new CopyError('held', 'held by an operator'));
  t.same(queue.take(), []);
  clock.now += 60_000;
  t.match(queue.take(), [{ attempts: 0, failure: { kind: 'held' } }]);
});

test('a wall clock that is set changes no pause', async (t) => {
  const wall = { now: 10 * day };
  const steady = { now: 0 };
  const { queue, names } = rig({
    now: () => wall.now,
    steady: () => steady.now,
    firstPauseMs: 1_000,
    longestPauseMs: 4_000,
  });
  await queue.put(task('a'));
  for (const now of [9 * day, 11 * day]) {
    t.same(names(queue.take()), ['a']);
    queue.failed(targetOf('a').text, throttled);
    wall.now = now;
    await queue.put(task('a', { createdAt: 2 }));
    t.same(queue.take(), []);
    steady.now += 4_000;
  }
  t.same(names(queue.take()), ['a']);
});
