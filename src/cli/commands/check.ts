import { ConfigError, faultLine } from '../../config/faults.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';
import { configFile } from '../serve/config-file.ts';

/** `quayside config check FILE`. */
export const check: Run = async (args, io) => {
  const { positionals } = parsed(args, {});
  const [fileName, ...rest] = positionals;
  if (fileName === undefined || rest.length > 0) throw new UsageError('needs the name of one file');
  try {
    await configFile(fileName, io);
    io.stdout.write(`${fileName}: fine\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) io.stdout.write(`${faultLine(fileName, fault)}\n`);
    return 2;
  }
};
