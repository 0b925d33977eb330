import { test } from 'tap';
import { WriteLanes } from '../../../src/base/flow/lanes.ts';

const filled = (...keys: readonly string[]): WriteLanes<number> => {
  const lanes = new WriteLanes<number>();
  for (const [index, key] of keys.entries()) lanes.set(key.charAt(0), key, index);
  return lanes;
};

function taken(lanes: WriteLanes<number>): string[] {
  const keys: string[] = [];
  for (let next = lanes.take(); next !== undefined; next = lanes.take()) keys.push(next.key);
  return keys;
}

test('lanes take turns, each with its oldest', async (t) => {
  t.same(taken(filled('a1', 'a2', 'a3', 'b1', 'c1', 'c2')), ['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
});

test('a later job of the same key takes the place of the earlier', async (t) => {
  const lanes = filled('a1', 'a2');
  lanes.set('a', 'a1', 9);
  t.equal(lanes.size, 2);
  t.equal(lanes.get('a1'), 9);
  t.same(lanes.take(), { key: 'a1', job: 9 });
  t.equal(lanes.get('a1'), undefined);
});

test('of too many jobs the longest lane loses its oldest', async (t) => {
  const lanes = filled('a1', 'b1', 'b2', 'b3', 'c1', 'c2');
  const lost = Array.from({ length: 6 }, () => lanes.takeFromLongest()?.key);
  t.equal(lost[0], 'b1');
  t.same(new Set(lost.slice(1, 3)), new Set(['b2', 'c1']));
  t.same(new Set(lost.slice(3)), new Set(['a1', 'b3', 'c2']));
  t.equal(lanes.takeFromLongest(), undefined);
  t.equal(lanes.take(), undefined);
  lanes.set('b', 'b4', 1);
  t.same(taken(lanes), ['b4'], 'and goes on');
});

test('lanes that come and go leave nothing behind', async (t) => {
  const lanes = filled('k1');
  for (let index = 0; index < 10_000; index += 1) {
    lanes.set(`lane ${index}`, `${index}`, index);
    if (lanes.size > 3) lanes.takeFromLongest();
  }
  t.equal(lanes.size, 3);
  t.equal(taken(lanes).length, 3);
});
