import { test } from 'tap';
import {
  emptyPartialRecord,
  isFull,
  mergedPartial,
  parsePartial,
  partialBytes,
} from '../../../src/cache/records/partial-record.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseTag } from '../../../src/oci/reference.ts';

const day = 86_400_000;
const now = 1_000 * day;
const manifest = digestOf(Buffer.from('giant'));
const tag = parseTag('latest');
const one = { groups: [{ manifest, tags: [tag], at: now }] };

test('a record is read as it was written, and other bytes as an empty one', async (t) => {
  t.same(parsePartial(partialBytes({ ...one, fullAt: now })), { ...one, fullAt: now });
  for (const text of ['', '{}', '[1]', '{"groups":[null,{"tags":1},{"tags":["a/b"]}]}'])
    t.same(parsePartial(Buffer.from(text)), emptyPartialRecord);
  t.equal(parsePartial(undefined), emptyPartialRecord);
});

test('what adds nothing leaves the record as it is, and is noted again after a day', async (t) => {
  const known = mergedPartial(emptyPartialRecord, one, now);
  const again = (at: number) => mergedPartial(known, { groups: [{ manifest, tags: [tag], at }] }, at);
  t.equal(again(now + 1_000), known);
  t.same(again(now + day), { groups: [{ manifest, tags: [tag], at: now + day }] });
});

test('tags of one manifest come together, and all are forgotten after thirty days', async (t) => {
  const other = { groups: [{ manifest, tags: [parseTag('next')], at: now + 5 }] };
  const both = mergedPartial(one, other, now + 5);
  t.same(both, { groups: [{ manifest, tags: ['latest', 'next'], at: now + 5 }] });
  const later = { groups: [{ tags: [tag], at: now + 31 * day }] };
  t.same(mergedPartial(both, later, now + 31 * day), later);
});

test('a record that has no room says so, for thirty days', async (t) => {
  const tags = Array.from({ length: 1_001 }, (_, index) => parseTag(`t${index}`));
  const full = mergedPartial(emptyPartialRecord, { groups: [{ tags, at: now }] }, now);
  t.equal(full.groups[0]?.tags.length, 1_000);
  t.equal(isFull(full, now), true);
  t.equal(isFull(full, now + 31 * day), false);
  t.equal(isFull(mergedPartial(full, one, now + 1), now + 1), true);
  t.equal(isFull(mergedPartial(one, full, now + 1), now + 1), true);
});
