import { test } from 'tap';
import { KeptParts } from '../../../src/base/state/kept-parts.ts';
import { Succession } from '../../../src/base/state/succession.ts';

test('a use keeps the value that was in force when it began', async (t) => {
  const succession = new Succession('one');
  const { value, leave } = succession.enter();
  let isUnused = false;
  const unused = succession.replace('two').then(() => {
    isUnused = true;
  });
  t.same([value, succession.current, succession.enter().value], ['one', 'two', 'two']);
  await Promise.resolve();
  t.notOk(isUnused);
  leave();
  leave();
  await unused;
  t.ok(isUnused);
});

test('a value without a use is over at once', async (t) => {
  const succession = new Succession(1);
  succession.enter().leave();
  await t.resolves(succession.replace(2));
});

/** Parts that are their own names, and which of them were closed. */
function kept(closed: string[], before?: KeptParts<string>) {
  return new KeptParts<string>((value) => void closed.push(value), before);
}

test('a part of the same settings is taken over, and one of others is made', async (t) => {
  const closed: string[] = [];
  const before = kept(closed);
  const one = await before.take('one', { url: 'a' }, () => 'one');
  await before.take('two', { url: 'b' }, () => 'two');
  const after = kept(closed, before);
  const same = await after.take('one', { url: 'a' }, () => 'never');
  t.same([same.value, same.id], ['one', one.id]);
  const other = await after.take('two', { url: 'c' }, async () => 'another');
  t.not(other.id, one.id);
  t.same(after.without(before), ['another']);
  await before.closeWithout(after);
  t.same(closed, ['two']);
  await after.closeWithout();
  t.same(new Set(closed), new Set(['two', 'one', 'another']));
});

test('a part that cannot be made leaves the others as they are', async (t) => {
  const closed: string[] = [];
  const before = kept(closed);
  await before.take('one', 1, () => 'one');
  const after = kept(closed, before);
  await after.take('one', 1, () => 'never');
  await after.take('two', 2, () => 'two');
  await t.rejects(after.take('three', 3, () => Promise.reject(new Error('no address'))));
  await after.closeWithout(before);
  t.same(closed, ['two'], 'what was made for nothing');
});
