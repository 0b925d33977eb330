import { test } from 'tap';
import { createQueue, type Queue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { createTaskRecords, offerTask } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Records } from '../../../src/store/records.ts';

const destination = 'quay.io/openshift/ci:ci_a_latest';

function wish(sourceDigest: string, fields: Partial<MirrorTask> = {}): MirrorTask {
  const source = `registry.ci.openshift.org/ci/a:${sourceDigest}`;
  return {
    source: parseImageReference(source),
    destination: parseImageReference(destination),
    priority: 'change',
    owner: 'test',
    createdAt: 1,
    sourceDigest,
    ...fields,
  };
}

const missed = wish('missed', { priority: 'miss', owner: 'misses' });

/** One store; the predecessor's writes land when `land` is called, once it is `slow`. */
function rig() {
  const { records } = createMemoryStore();
  const late: (() => void)[] = [];
  const way = { slow: false };
  const delayed = <T>(write: () => Promise<T>): Promise<T> => {
    if (!way.slow) return write();
    const { promise, resolve } = Promise.withResolvers<void>();
    late.push(resolve);
    return promise.then(write);
  };
  const slowly: Records = {
    ...records,
    put: (...args) => delayed(() => records.put(...args)),
    delete: (key) => delayed(() => records.delete(key)),
  };
  const made = (over: Records) => createQueue({ records: createTaskRecords({ records: over, retryMs: 1 }) });
  const predecessor = made(slowly);
  return {
    predecessor,
    records,
    slowDown() {
      way.slow = true;
    },
    /** Everything that is under way arrives. */
    async land() {
      way.slow = false;
      for (const arrive of late.splice(0)) arrive();
      await predecessor.close();
    },
    async successor(): Promise<Queue> {
      const next = made(records);
      await next.load();
      return next;
    },
  };
}

/** The predecessor has this turn, and these wishes one after the other. */
async function begun(digests: readonly string[] = ['1']) {
  const stage = rig();
  await stage.predecessor.load();
  for (const digest of digests) await stage.predecessor.put(wish(digest));
  return stage;
}

/** What a third process would find. */
async function found({ successor }: ReturnType<typeof rig>) {
  return [...(await successor()).list()].map(({ sourceDigest }) => sourceDigest);
}

function finish(tasks: Queue): void {
  for (const task of tasks.take()) tasks.done(task.destination.text);
}

test('a late write of a predecessor does not take the place of a newer one', async (t) => {
  const stage = await begun();
  stage.slowDown();
  void stage.predecessor.put(wish('2'));
  const next = await stage.successor();
  await next.put(wish('3'));
  await stage.land();
  t.same(await found(stage), ['3']);
});

test('a late write does not bring back what is done', async (t) => {
  for (const before of [['1'], []]) {
    const stage = await begun(before);
    stage.slowDown();
    void stage.predecessor.put(wish('2'));
    const next = await stage.successor();
    await next.put(wish('3'));
    finish(next);
    await next.close();
    await stage.land();
    t.same(await found(stage), []);
  }
});

test('a late end of a predecessor does not take away what came since', async (t) => {
  const stage = await begun();
  stage.slowDown();
  finish(stage.predecessor);
  const next = await stage.successor();
  t.equal(await next.put(wish('2')), true);
  await stage.land();
  t.same(await found(stage), ['2']);
});

test('a write that arrived after the successor had read does not stop it', async (t) => {
  const stage = await begun();
  stage.slowDown();
  void stage.predecessor.put(wish('2'));
  const next = await stage.successor();
  await stage.land();
  t.equal(await next.put(wish('3')), true);
  t.equal(await next.put(wish('4')), true);
  finish(next);
  await next.close();
  t.same(await found(stage), []);
});

test('an overtaken process writes nothing more, and leaves its orders to the successor', async (t) => {
  const stage = await begun();
  const next = await stage.successor();
  await next.put(wish('2'));
  t.equal(await stage.predecessor.put(wish('3')), false, 'a scan finds a change');
  t.same([...next.list()].length, 1);
  t.equal(await stage.predecessor.put(missed), true);
  await next.collect();
  t.match([...next.list()], [{ sourceDigest: 'missed', priority: 'miss' }]);
});

test('what was under way when the turn was over is left to the successor', async (t) => {
  const stage = rig();
  await stage.predecessor.load();
  stage.slowDown();
  const kept = stage.predecessor.put(missed);
  const next = await stage.successor();
  const handed = stage.predecessor.handOver();
  await stage.land();
  await handed;
  t.equal(await kept, true);
  t.equal(await stage.predecessor.put(wish('later')), false, 'nothing more is written');
  await next.collect();
  t.match([...next.list()], [{ sourceDigest: 'missed' }]);
});

test('an offer that was taken in too late stays for the successor', async (t) => {
  const stage = rig();
  await stage.predecessor.load();
  await offerTask(stage.records, missed);
  stage.slowDown();
  const collected = stage.predecessor.collect();
  while (stage.predecessor.count() === 0) await stage.predecessor.changed(AbortSignal.timeout(50));
  const next = await stage.successor();
  const handed = stage.predecessor.handOver();
  await stage.land();
  await Promise.all([collected, handed]);
  await next.collect();
  t.match([...next.list()], [{ sourceDigest: 'missed' }]);
});

test('what a write left that seemed to fail is our own', async (t) => {
  const { records } = createMemoryStore();
  let fails = 1;
  const flaky: Records = {
    ...records,
    async put(key, ...rest) {
      const version = await records.put(key, ...rest);
      if (key.includes('/queued/') && fails-- > 0) throw new Error('the answer was lost');
      return version;
    },
  };
  const tasks = createQueue({ records: createTaskRecords({ records: flaky, retryMs: 1 }) });
  await tasks.load();
  const alive = setTimeout(() => {}, 60_000);
  t.equal(await tasks.put(wish('1')), false);
  t.equal(await tasks.put(wish('2')), true);
  clearTimeout(alive);
});

test('the traces of what is done go after a day', async (t) => {
  const { records } = createMemoryStore();
  let age = 0;
  const older: Records = {
    ...records,
    async *list(...args) {
      for await (const entry of records.list(...args)) yield { ...entry, writtenAt: entry.writtenAt - age };
    },
  };
  const made = () => createQueue({ records: createTaskRecords({ records: older }) });
  const left = async () => {
    const keys: string[] = [];
    for await (const { key } of records.list('v1/tasks/queued/')) keys.push(key);
    return keys.length;
  };
  const first = made();
  await first.load();
  await first.put(wish('1'));
  finish(first);
  await first.close();
  await made().load();
  t.equal(await left(), 1);
  age = 86_400_001;
  await made().load();
  t.equal(await left(), 0);
});
