import manifest from '../../../package.json' with { type: 'json' };
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';

/** `quayside version`. */
export const version: Run = async (args, { stdout }) => {
  const [word] = parsed(args, {}).positionals;
  if (word !== undefined) throw new UsageError(`takes no argument ${word}`);
  stdout.write(`${manifest.name} ${manifest.version}\n`);
  return 0;
};
