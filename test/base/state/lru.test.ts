import { test } from 'tap';
import { createLru } from '../../../src/base/state/lru.ts';

test('of too many entries the least recently used give way', async (t) => {
  const lru = createLru<string, number>(3);
  for (const [value, key] of ['a', 'b', 'a', 'c', 'd'].entries()) lru.set(key, value);
  t.same(
    ['a', 'b', 'c', 'd'].map((key) => lru.get(key)),
    [2, undefined, 3, 4],
  );
});

test('a value is kept for its time, which begins anew when it is set again', async (t) => {
  const clock = { ms: 0 };
  const lru = createLru<string, number>(3, { keepMs: 100, now: () => clock.ms });
  lru.set('a', 1);
  clock.ms = 60;
  t.equal(lru.get('a'), 1);
  lru.set('a', 2);
  clock.ms = 160;
  t.equal(lru.get('a'), 2);
  clock.ms = 161;
  t.equal(lru.get('a'), undefined);
});

test('a clock that is set back keeps nothing for longer', async (t) => {
  const clock = { ms: 86_400_000 };
  const lru = createLru<string, number>(3, { keepMs: 100, now: () => clock.ms });
  lru.set('a', 1);
  clock.ms = 5;
  t.equal(lru.get('a'), 1);
  clock.ms = 106;
  t.equal(lru.get('a'), undefined);
});

test('a time below a millisecond is one, not for ever', async (t) => {
  const clock = { ms: 0 };
  for (const keepMs of [0, 0.2]) {
    const lru = createLru<string, number>(3, { keepMs, now: () => clock.ms });
    clock.ms = 0;
    lru.set('a', 1);
    clock.ms = 2;
    t.equal(lru.get('a'), undefined);
  }
});

test('what gives way is told', async (t) => {
  const gone: unknown[] = [];
  const lru = createLru<string, number>(1, { dispose: (...parts) => gone.push(parts) });
  lru.set('a', 1);
  lru.set('b', 2);
  t.same(gone, [[1, 'a', 'evict']]);
});
