import { test } from 'tap';
import { RegistryError } from '../../src/oci/errors.ts';
import type { DigestNeeds } from '../../src/prune/protection.ts';
import { createPruneRecord } from '../../src/prune/record.ts';
import { pruneTags, type TagPruning } from '../../src/prune/tags.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { digestFor, keptEvents, type MemoryPlace, memoryPlace } from './memory-place.ts';

const now = Date.parse('2026-11-29T12:00:00Z');
const nothingNeeds: DigestNeeds = { inSync: true, namedBy: () => undefined };

const namedByStream = (...images: string[]): DigestNeeds => ({
  inSync: true,
  namedBy: (digest) => (images.map(digestFor).includes(digest) ? 'ocp/4.20:cli' : undefined),
});

function options(place: MemoryPlace, more: Partial<TagPruning> = {}): TagPruning {
  return {
    ...{ place, needs: nothingNeeds, held: async () => [], confirm: true, atOnce: 2, ttlDays: 5 },
    ...{ events: keptEvents().events, signal: new AbortController().signal, now: () => now },
    ...more,
  };
}

/** `20261101000000_prune_a`: so many days before the end of November. */
function keptTag(day: number, of: string): string {
  return `202611${String(day).padStart(2, '0')}000000_prune_${of}`;
}

function sorted(tags: Iterable<string>): readonly string[] {
  return [...tags].sort((one, other) => (one < other ? -1 : 1));
}

const everyDay = Object.fromEntries(
  Array.from({ length: 28 }, (_, index) => [keptTag(index + 1, `t${index}`), `image ${index}`]),
);

test('what an image stream names stays, unless the float names it too', async (t) => {
  const place = memoryPlace({
    [keptTag(1, 'a')]: 'A',
    [keptTag(1, 'b')]: 'B',
    a: 'A',
    b: 'another',
    [keptTag(1, 'c')]: 'C',
  });
  const { events, outcomes } = keptEvents();
  await pruneTags(options(place, { needs: namedByStream('A', 'B'), events }));
  t.same(sorted(place.tags.keys()), [keptTag(1, 'b'), 'a', 'b']);
  t.match(
    outcomes.find(({ outcome }) => outcome === 'kept'),
    {
      kept: 'named by an image stream',
      why: /image stream tag ocp\/4\.20:cli names/,
    },
  );
});

test('while image streams are not in sync only what the float names too is deleted', async (t) => {
  const place = memoryPlace({ [keptTag(1, 'a')]: 'A', [keptTag(1, 'b')]: 'B', a: 'A' });
  await pruneTags(options(place, { needs: { inSync: false, namedBy: () => undefined } }));
  t.same(sorted(place.tags.keys()), [keptTag(1, 'b'), 'a']);
});

test('an index that loses its cluster in the middle of a run protects the rest', async (t) => {
  const needs = { inSync: true, namedBy: () => undefined };
  const place = memoryPlace(everyDay, (call) => {
    if (call === 'delete') needs.inSync = false;
  });
  await pruneTags(options(place, { needs, atOnce: 1 }));
  t.ok(place.writes.length <= 4, 'one in each part that runs');
});

test('a float that cannot be read is no other tag of the digest', async (t) => {
  const place = memoryPlace({ [keptTag(1, 'a')]: 'A', a: 'A' }, (call, tag) => {
    if (call === 'read' && tag === 'a') throw new RegistryError('UNAVAILABLE', 'not now');
  });
  await pruneTags(options(place, { needs: namedByStream('A') }));
  t.equal(place.writes.length, 0);
});

test('holds that cannot be read keep everything', async (t) => {
  const place = memoryPlace({ [keptTag(1, 'a')]: 'A' });
  const { events, unread, ended } = keptEvents();
  const held = () => Promise.reject(new Error('the store is away'));
  await pruneTags(options(place, { held, events }));
  t.equal(place.writes.length, 0);
  t.same(unread, ['the holds of the store']);
  t.same(ended('kept'), [keptTag(1, 'a')]);
});

test('a hold that is set between the plan and a deletion keeps the tag', async (t) => {
  const place = memoryPlace({ [keptTag(1, 'a')]: 'A', [keptTag(1, 'b')]: 'B' });
  const { events, ended } = keptEvents();
  const held = async () => (place.writes.length > 0 ? ['a', 'b'] : []);
  await pruneTags(options(place, { held, events, atOnce: 1 }));
  t.equal(place.writes.length, 1);
  t.equal(ended('kept').length, 1);
});

test('a page that cannot be listed is left to the next run, and the others are done', async (t) => {
  let isBroken = true;
  const place = memoryPlace(everyDay, (call, last) => {
    if (call === 'list' && isBroken && last.startsWith('2026111'))
      throw new RegistryError('UNAVAILABLE', '503');
  });
  const record = createPruneRecord(createMemoryStore().records, 'job');
  const { events, unread } = keptEvents();
  await pruneTags(options(place, { record, events }));
  t.ok(unread.length > 0);
  t.ok((await record.read())?.ranges.length);
  t.ok(place.tags.size > 6);
  isBroken = false;
  await pruneTags(options(place, { record }));
  t.equal(place.tags.size, 5, 'the young ones');
  t.same((await record.read())?.ranges, []);
});

test('what failed is tried first by the next run, without a listing of what was done', async (t) => {
  const failing = keptTag(3, 't2');
  let isBroken = true;
  const listed: string[] = [];
  const place = memoryPlace(everyDay, (call, subject) => {
    if (call === 'list') listed.push(subject);
    if (call === 'delete' && subject === failing && isBroken) throw new RegistryError('UNAVAILABLE', '500');
  });
  const record = createPruneRecord(createMemoryStore().records, 'job');
  await pruneTags(options(place, { record }));
  t.same([...((await record.read())?.failed ?? [])], [[failing, '500']]);
  isBroken = false;
  await pruneTags(options(place, { record }));
  t.notOk(place.tags.has(failing));
  t.equal((await record.read())?.failed.size, 0);
});

test('killed between any two writes, a run loses no work, and the next one finishes', async (t) => {
  const wanted = sorted([...Object.keys(everyDay).slice(23), 'float', keptTag(2, 'held')]);
  const images = { ...everyDay, float: 'F', [keptTag(2, 'held')]: 'H', [keptTag(4, 'float')]: 'F' };
  let boundaries = 0;
  for (let killAt = 0; killAt <= boundaries; killAt += 1) {
    let writes = 0;
    let isDead = false;
    const counted = (): void => {
      if (isDead || (killAt > 0 && writes === killAt)) {
        isDead = true;
        throw new Error('killed');
      }
      writes += 1;
    };
    const { records } = createMemoryStore();
    const place = memoryPlace(images, (call) => {
      if (call === 'delete') counted();
    });
    const put: typeof records.put = async (...words) => {
      counted();
      return records.put(...words);
    };
    const run = (own: Pick<typeof records, 'get' | 'put'>) =>
      pruneTags(
        options(place, {
          needs: namedByStream('F', 'H'),
          record: createPruneRecord(own, 'job'),
        }),
      );
    await run({ get: records.get, put }).catch((error: unknown) => t.match(error, /killed/));
    if (killAt === 0) boundaries = writes;
    const before = place.writes.length;
    killAt = killAt || 0;
    isDead = false;
    writes = Number.NEGATIVE_INFINITY;
    await run(records);
    t.same(sorted(place.tags.keys()), wanted, `killed at ${killAt}`);
    t.equal(place.writes.length, 24, `${before} before, and each tag once`);
  }
  t.ok(boundaries > 24);
});
