import { settingsSchema } from '../../config/schema/schema.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';

/** `quayside config schema`: see its help. */
export const schema: Run = async (args, io) => {
  const { positionals } = parsed(args, {});
  if (positionals.length > 0) throw new UsageError(`takes no argument ${positionals[0]}`);
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of Quayside',
    ...settingsSchema,
  };
  io.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
  return 0;
};
