import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { failurePage } from './table.ts';

test('docs/failures.md is what client, log and metrics say: npm run failures -- --write', async (t) => {
  const page = await readFile(join(import.meta.dirname, '../../docs/failures.md'), 'utf8');
  t.same(page.split('\n'), (await failurePage()).split('\n'));
});
