import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { FaultError, parseFaults, withFault } from './faults.ts';

const root = new URL('../../', import.meta.url).pathname;

test('each fault of the list fits the source, so that npm run mutate can try it', async (t) => {
  const faults = parseFaults(await readFile(new URL('faults.txt', import.meta.url), 'utf8'));
  const misfits: string[] = [];
  for (const fault of faults) {
    await withFault(root, fault).catch((error: unknown) => {
      if (!(error instanceof FaultError)) throw error;
      misfits.push(error.message);
    });
  }
  t.same(misfits, [], 'change the fault with the code, in test/mutate/faults.txt');
});
