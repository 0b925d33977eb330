import { publishedSchema } from '../../config/schema/published.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';

/** `quayside config schema`: see its help. */
export const schema: Run = async (args, io) => {
  const { positionals } = parsed(args, {});
  if (positionals.length > 0) throw new UsageError(`takes no argument ${positionals[0]}`);
  const document = { title: 'Configuration of Quayside', ...publishedSchema() };
  io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  return 0;
};
