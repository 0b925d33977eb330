import { setTimeout as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import { KeptParts } from '../../../src/base/state/kept-parts.ts';

const nothing = (): void => undefined;

test('a part of equal settings is taken over, and one of others is made anew', async (t) => {
  const first = new KeptParts<object>(nothing);
  const made = await first.take('a', { size: 1 }, () => ({}));
  first.complete();
  const second = new KeptParts<object>(nothing, first);
  t.equal((await second.take('a', { size: 1 }, () => ({}))).value, made.value);
  const third = new KeptParts<object>(nothing, second);
  t.not((await third.take('a', { size: 2 }, () => ({}))).id, made.id);
  t.same(third.without(second), third.values);
});

test('what settings of long ago made is not held', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let parts: KeptParts<object> | undefined;
  const made: WeakRef<object>[] = [];
  for (let round = 0; round < 4; round += 1) {
    const next = new KeptParts<object>(nothing, parts);
    made.push(new WeakRef((await next.take('a', round, () => ({ round }))).value));
    next.complete();
    parts = next;
  }
  await turn(0);
  collect();
  t.same(
    made.map((each) => each.deref() !== undefined),
    [false, false, false, true],
  );
  t.equal(parts?.values.length, 1);
});
