import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { shapeOf } from './count.ts';
import { drawing } from './drawing.ts';
import { roomsOf } from './rooms.ts';

const source = new URL('../../src/', import.meta.url).pathname;

test('a name of a type stands for one type', async (t) => {
  const { sharedTypes } = await shapeOf(source);
  t.same(Object.fromEntries(sharedTypes), {});
});

test('at most 14 types are exported in 1,000 lines', async (t) => {
  const { exportedTypes, lines } = await shapeOf(source);
  t.ok((1000 * exportedTypes) / lines <= 14, `${exportedTypes} in ${lines}`);
});

test('the drawing of the rooms is that of the source: npm run -s shape -- --draw > docs/rooms.svg', async (t) => {
  const drawn = await readFile(new URL('../../docs/rooms.svg', import.meta.url), 'utf8');
  t.equal(drawn, drawing(await roomsOf(source)));
});
