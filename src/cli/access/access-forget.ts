import { parsed, UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';
import { adminFlags, adminListener, refusalText } from '../serve/admin-listener.ts';

/**
 * `quayside access forget`: a running server drops what it remembers of people and their rights. 1
 * where the server cannot be told, or refuses.
 */
export const accessForget: Run = async (args, io) => {
  const { values, positionals } = parsed(args, adminFlags);
  const [word] = positionals;
  if (word !== undefined) throw new UsageError(`takes no argument ${word}; name a file by --config`);
  const { host, post } = await adminListener(values, io);
  const { status, text } = await post('/access/forget');
  if (status === 204) {
    io.stdout.write(`${host}: forgotten\n`);
    return 0;
  }
  io.stderr.write(`quayside access forget: ${host} ${status === undefined ? text : refusalText(status)}\n`);
  return 1;
};
