import { test } from 'tap';
import { remembered } from '../../../src/mirror/fallback/remembered.ts';

function rig(maxEntries = 3) {
  const clock = { ms: 0 };
  return { clock, memory: remembered<number>({ keepMs: 100, maxEntries, now: () => clock.ms }) };
}

test('what was said is remembered for its time, which begins anew when it is said again', (t) => {
  const { clock, memory } = rig();
  memory.set('a', 1);
  clock.ms = 60;
  t.equal(memory.get('a'), 1);
  memory.set('a', 2);
  clock.ms = 159;
  t.equal(memory.get('a'), 2);
  clock.ms = 160;
  t.equal(memory.get('a'), undefined);
  t.end();
});

test('the oldest give way to what is new', (t) => {
  const { memory } = rig();
  for (const [value, key] of ['a', 'b', 'a', 'c', 'd'].entries()) memory.set(key, value);
  t.same(
    ['a', 'b', 'c', 'd'].map((key) => memory.get(key)),
    [2, undefined, 3, 4],
  );
  memory.delete('d');
  t.equal(memory.get('d'), undefined);
  t.end();
});
