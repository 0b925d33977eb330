import { createBufferedOutput } from '../../telemetry/log.ts';
import type { Output } from '../flags/io.ts';

/** Log lines by the descriptor where there is one: they are many, and must not block. */
export function logOutput(stdout: Output & { readonly fd?: number }) {
  return stdout.fd === undefined
    ? { write: (line: string) => stdout.write(line), flush: () => undefined }
    : createBufferedOutput(stdout.fd);
}
