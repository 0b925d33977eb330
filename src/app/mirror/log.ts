import type { MirrorLine } from '../../mirror/log.ts';
import type { Log } from '../../telemetry/log.ts';

/** Writes the lines of the mirror. The original wrote all that it had to say, and its readers wait for it: our own level is no bound. */
export function mirrorWriter(log: Log): (line: MirrorLine) => void {
  const own = log.child({ component: 'ci-images-mirror' }, { level: 'debug' });
  return ({ level, fields, message }) => own[level](fields, message);
}
