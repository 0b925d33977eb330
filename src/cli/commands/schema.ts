import { publishedSchema } from '../../config/schema/published.ts';
import { refuseWords } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Run } from '../flags/io.ts';
import { configSchemaFlags } from '../pages/config.ts';

/** `quayside config schema`: see its help. */
export const schema: Run = async (args, io) => {
  refuseWords(parseFlags(configSchemaFlags, args).words);
  const document = { title: 'Configuration of Quayside', ...publishedSchema() };
  io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  return 0;
};
