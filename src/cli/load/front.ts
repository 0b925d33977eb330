import { once } from 'node:events';
import { createFront } from '../../load/traffic/front.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagTable, parseFlags } from '../flags/flag-table.ts';
import { type Run, stopCode } from '../flags/io.ts';
import { url } from './values.ts';

const flags = {
  upstream: { read: url },
  listen: { read: address, default: '127.0.0.1:8410' },
} as const satisfies FlagTable;

/** `quayside load front`: see its help. */
export const loadFront: Run = async (args, io) => {
  const { values, words } = parseFlags(flags, args);
  if (words[0] !== undefined) throw new UsageError(`takes no argument ${words[0]}`);
  if (values.upstream === undefined) throw new UsageError('needs --upstream URL');
  const front = await createFront({ upstream: new URL(values.upstream), ...values.listen });
  io.stderr.write(`counting what passes from ${values.upstream} at ${front.url}\n`);
  if (!io.signal.aborted) await once(io.signal, 'abort');
  const { bytes, requests } = front.count;
  await front.close();
  io.stdout.write(`${bytes} bytes in ${requests} requests\n`);
  return stopCode(io.signal.reason) === 143 ? 0 : stopCode(io.signal.reason);
};

function address(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]*?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host !== '' && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new Error(`must be HOST:PORT, not ${text}`);
}
