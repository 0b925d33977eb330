import type { Log } from './log.ts';
import type { MirrorLine } from './mirror/loop/mirror-log.ts';

/** Writes the lines of the mirror. The original wrote all that it had to say, and its readers wait for it: our own level is no bound. */
export function mirrorWriter(log: Log): (line: MirrorLine) => void {
  const own = log.child({ component: 'ci-images-mirror' }, { level: 'debug' });
  return ({ level, fields, message }) => own[level](fields, message);
}
