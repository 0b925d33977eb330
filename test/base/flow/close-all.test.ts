import { test } from 'tap';
import { closeInTurn, closeTogether } from '../../../src/base/flow/close-all.ts';

function fails(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}

for (const close of [closeInTurn, closeTogether]) {
  test(`every part is closed, whatever another throws: ${close.name}`, async (t) => {
    const closed: string[] = [];
    const part = (name: string) => async () => void closed.push(name);
    const parts = [part('first'), fails('at once'), part('second'), part('third')];
    await t.rejects(close(parts), { message: 'at once' });
    t.same(closed, ['first', 'second', 'third']);
  });

  test(`all that was thrown is told: ${close.name}`, async (t) => {
    const late = async () => fails('late')();
    await t.rejects(close([late, fails('at once')]), {
      errors: [{ message: 'late' }, { message: 'at once' }],
    });
    await close([]);
  });
}

test('parts that are closed in turn wait for the ones before them', async (t) => {
  const seen: string[] = [];
  const slow = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push('slow');
  };
  await closeInTurn([slow, () => seen.push('next')]);
  t.same(seen, ['slow', 'next']);
});
