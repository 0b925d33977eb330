/**
 * Loaded before the program of a replica (`node --import`): its wall clock is ahead by as many
 * milliseconds as the file says that the URL of this module names. Timers stay as they are, as
 * when a machine's clock is set. OpenSSL has the time of the machine, so that certificates do not
 * expire by it.
 */
import { readFileSync, watch } from 'node:fs';

const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const RealDate = Date;
const realNow = Date.now;
let aheadMs = 0;

function look(): void {
  try {
    aheadMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    aheadMs = 0;
  }
}

look();
watch(file, { persistent: false }, look);
RealDate.now = () => realNow() + aheadMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, made) =>
    Reflect.construct(target, given.length === 0 ? [target.now()] : given, made),
});
