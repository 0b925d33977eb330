import { readdir, readFile } from 'node:fs/promises';
import { test } from 'tap';

const room = new URL('../../../src/telemetry/tracing/', import.meta.url);

test('what loads the SDK is itself loaded only where tracing is on', async (t) => {
  for (const file of await readdir(room)) {
    const text = await readFile(new URL(file, room), 'utf8');
    const loaded = [...text.matchAll(/^import (?!type\b).*from '([^']+)';$/gm)].map(([, name = '']) => name);
    const names = loaded.filter((name) => name.startsWith('@opentelemetry/') || name === './sdk.ts');
    if (file === 'sdk.ts') t.ok(names.length > 0);
    else t.same(names, [], file);
  }
});
