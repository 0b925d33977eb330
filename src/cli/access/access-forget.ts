import { refuseWords } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Run, writeJson } from '../flags/io.ts';
import { accessForgetFlags } from '../pages/server.ts';
import { adminListener, refusalText } from '../serve/admin-listener.ts';

/**
 * `quayside access forget`: a running server drops what it remembers of people and their rights. 1
 * where the server cannot be told, or refuses.
 */
export const accessForget: Run = async (args, io) => {
  const { values, words } = parseFlags(accessForgetFlags, args);
  refuseWords(words, '; name a file by --config');
  const { host, post } = await adminListener(values, io);
  const { status, text } = await post('/access/forget');
  if (status === 204) {
    if (values.output === 'json') writeJson(io.stdout, { host, forgotten: true });
    else io.stdout.write(`${host}: forgotten\n`);
    return 0;
  }
  io.stderr.write(`quayside access forget: ${host} ${status === undefined ? text : refusalText(status)}\n`);
  return 1;
};
