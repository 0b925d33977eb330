import { test } from 'tap';
import { createScrubber, type ScrubberOptions } from '../../../src/cache/scrub/scrubber.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { randomContent, until } from '../../support/bodies.ts';

const everyMs = 86_400_000;

/**
 * A store of so many blobs that may be read wrongly or not at all, and what the scrubs of it say.
 */
async function rig(count: number) {
  const store = createMemoryStore();
  const digests: Digest[] = [];
  for (let index = 0; index < count; index += 1) {
    const { bytes, descriptor } = randomContent(1_000 + index);
    await store.blobs.put(descriptor, bytesOf(bytes));
    digests.push(descriptor.digest);
  }
  digests.sort((a, b) => (a < b ? -1 : 1));
  const read: Digest[] = [];
  /** How often a blob is still read with a wrong byte. */
  const garbled = new Map<Digest, number>();
  const unreadable = new Set<Digest>();
  const blobs: typeof store.blobs = {
    ...store.blobs,
    async open(digest, options) {
      read.push(digest);
      if (unreadable.has(digest)) throw new Error('a bad sector');
      const content = await store.blobs.open(digest, options);
      const times = garbled.get(digest) ?? 0;
      if (content === undefined || times === 0) return content;
      garbled.set(digest, times - 1);
      return { ...content, body: bytesOf(Buffer.alloc(content.descriptor.size)) };
    },
  };
  const clock = { now: 1_700_000_000_000 };
  const events: [string, unknown][] = [];
  const take = (name: string) => (event: unknown) => void events.push([name, event]);
  const made = (overrides: Partial<ScrubberOptions> = {}) =>
    createScrubber({
      store: { blobs, records: store.records },
      instance: 'one',
      everyMs,
      bytesPerSecond: 1e12,
      openReads: () => 0,
      verified: () => undefined,
      deleted: take('deleted'),
      events: {
        scrubbed: () => undefined,
        scrubFoundWrong: take('wrong'),
        scrubEnded: take('ended'),
        scrubFailed: take('failed'),
      },
      clock: () => clock.now,
      ...overrides,
    });
  const [first, second, third] = digests;
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few blobs');
  return { store, digests, first, second, third, read, garbled, unreadable, clock, events, made };
}

test('a blob that is not what its digest says is deleted and told, the others stay', async (t) => {
  const { store, digests, second, garbled, events, made } = await rig(5);
  const right: Digest[] = [];
  garbled.set(second, Number.POSITIVE_INFINITY);
  const report = await made({ verified: ({ digest }) => void right.push(digest) }).run();
  t.match(report, { outcome: 'complete', blobs: 5, wrong: 1, dueInMs: everyMs });
  t.equal(await store.blobs.stat(second), undefined);
  t.same(
    right,
    digests.filter((digest) => digest !== second),
  );
  t.match(events, [
    ['deleted', second],
    ['wrong', { digest: second }],
    ['ended', { blobs: 5, wrong: 1 }],
  ]);
});

test('one wrong read is no reason to delete', async (t) => {
  const { store, second, garbled, made } = await rig(3);
  garbled.set(second, 1);
  t.match(await made().run(), { outcome: 'complete', wrong: 0 });
  t.ok(await store.blobs.stat(second));
});

test('a blob that cannot be read stays, and the next run goes on behind it', async (t) => {
  const { store, digests, second, unreadable, read, made } = await rig(5);
  unreadable.add(second);
  const scrub = made();
  await t.rejects(scrub.run(), { digest: second, cause: { message: 'a bad sector' } });
  t.ok(await store.blobs.stat(second));
  t.match(await scrub.run(), { outcome: 'complete', blobs: 4 });
  t.same(read, digests, 'and none is read twice');
});

test('a process that is stopped in the middle is followed by one that goes on there', async (t) => {
  const { digests, third, read, made } = await rig(6);
  const stopping = made({ verified: ({ digest }) => void (digest === third && stopping.close()) });
  await t.rejects(stopping.run());
  t.match(await made().run(), { outcome: 'complete', blobs: 6 });
  t.same(read.slice(0, 3), digests.slice(0, 3));
  t.same(read.slice(-3), digests.slice(-3));
});

test('progress is on record while a scrub runs, for one that is killed', async (t) => {
  const { store, digests, read, clock, made } = await rig(6);
  const later = () => {
    clock.now += 20_000;
  };
  const killed = new Error('killed');
  let isDead = false;
  const records: typeof store.records = {
    ...store.records,
    put: (key, bytes, condition) =>
      isDead ? Promise.reject(killed) : store.records.put(key, bytes, condition),
  };
  const blobs: typeof store.blobs = {
    ...store.blobs,
    async open(digest, options) {
      isDead = digest === digests[4];
      if (isDead) throw killed;
      return store.blobs.open(digest, options);
    },
  };
  await t.rejects(made({ store: { blobs, records }, verified: later }).run());
  clock.now += 600_000;
  t.match(await made({ instance: 'two' }).run(), { outcome: 'complete' });
  t.ok(read.length > 0 && read.length < 6, 'what is on record is not read again');
  t.same(read, digests.slice(-read.length));
});

test('a scrub is due once in its time, also for the process after', async (t) => {
  const { read, clock, made } = await rig(3);
  t.match(await made().run(), { outcome: 'complete' });
  clock.now += everyMs / 2;
  t.match(await made().run(), { outcome: 'not due', dueInMs: everyMs / 2 });
  t.equal(read.length, 3);
  clock.now += everyMs / 2;
  t.match(await made().run(), { outcome: 'complete', blobs: 3 });
  clock.now -= 10 * everyMs;
  t.match(await made().run(), { outcome: 'not due', dueInMs: everyMs }, 'a clock set back puts it off once');
});

test('of two replicas one scrubs', async (t) => {
  const { store, made } = await rig(3);
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const blobs: typeof store.blobs = {
    ...store.blobs,
    async open(digest, options) {
      begun.resolve();
      await over.promise;
      return store.blobs.open(digest, options);
    },
  };
  const busy = made({ store: { blobs, records: store.records } }).run();
  await begun.promise;
  t.match(await made({ store, instance: 'two' }).run(), { outcome: 'busy' });
  over.resolve();
  t.match(await busy, { outcome: 'complete' });
});

test('started, it runs by itself, and tells why a run broke off', async (t) => {
  const { second, unreadable, events, made } = await rig(3);
  unreadable.add(second);
  let isOver = false;
  const scrub = made({
    everyMs: 500,
    clock: Date.now,
    events: {
      scrubbed: () => undefined,
      scrubFoundWrong: () => undefined,
      scrubEnded: () => {
        isOver = true;
      },
      scrubFailed: (event) => void events.push(['failed', event]),
    },
  });
  scrub.start();
  await until(() => isOver, 'the end of the scrub');
  await scrub.close();
  t.match(events, [['failed', { digest: second, error: { message: 'a bad sector' } }]]);
});
