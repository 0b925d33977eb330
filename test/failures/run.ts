/**
 * Prints what client, log and metrics say of each failure, or writes it to docs/failures.md:
 *
 *     npm run failures -- [--write]
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failurePage } from './table.ts';

const { values } = parseArgs({ options: { write: { type: 'boolean' } } });
const page = await failurePage();
if (values.write === true) await writeFile(join(import.meta.dirname, '../../docs/failures.md'), page);
else process.stdout.write(page);
