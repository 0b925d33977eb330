import { createBufferedOutput } from '../../telemetry/log.ts';
import type { Io } from '../flags/io.ts';
import type { LogFormat } from '../pages/server.ts';

/**
 * Log lines by the descriptor where there is one: they are many, and must not block. As `pretty`
 * each is a line for people, coloured on a terminal unless `NO_COLOR` is set.
 */
export async function logOutput({ stdout, env }: Pick<Io, 'stdout' | 'env'>, format: LogFormat = 'json') {
  const output =
    stdout.fd === undefined
      ? { write: (line: string) => void stdout.write(line), flush: () => undefined }
      : createBufferedOutput(stdout.fd);
  if (format === 'json') return output;
  const { prettyLines } = await import('../../telemetry/pretty-lines.ts');
  const hasColours = stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '';
  return { ...output, write: prettyLines((line) => output.write(line), { hasColours }) };
}
