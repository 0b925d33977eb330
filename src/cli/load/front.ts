import { once } from 'node:events';
import { createFront } from '../../load/traffic/front.ts';
import { refuseWords, UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Run, stopCode, writeJson } from '../flags/io.ts';
import { frontFlags } from '../pages/load.ts';

/** `quayside load front`: see its help. */
export const loadFront: Run = async (args, io) => {
  const { values, words } = parseFlags(frontFlags, args);
  refuseWords(words);
  if (values.upstream === undefined) throw new UsageError('needs --upstream URL');
  const front = await createFront({ upstream: new URL(values.upstream), ...values.listen });
  io.stderr.write(`counting what passes from ${values.upstream} at ${front.url}\n`);
  if (!io.signal.aborted) await once(io.signal, 'abort');
  const { bytes, requests } = front.count;
  await front.close();
  if (values.output === 'json') writeJson(io.stdout, { bytes, requests });
  else io.stdout.write(`${bytes} bytes in ${requests} requests\n`);
  return stopCode(io.signal.reason) === 143 ? 0 : stopCode(io.signal.reason);
};
