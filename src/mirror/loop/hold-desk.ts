import { defined } from '../../base/text/defined.ts';
import { CopyError } from '../failure.ts';
import type { LogMirror } from '../log.ts';
import type { Holds, MirrorHold } from '../queue/holds.ts';
import type { Queue } from '../queue/queue.ts';
import { taggedDestination } from './queue-admin.ts';

/** The holds as their HTTP API has them. */
export interface HoldDesk {
  list(): Promise<readonly object[]>;
  /**
   * The loop leaves the destination as it is from now on. Throws `RegistryError` or `CopyError` for
   * an order that cannot be meant, and what the store throws.
   */
  hold(order: HoldOrder, asker: HoldAsker): Promise<HeldItem>;
  /** Resolves to whether there was a hold. */
  release(destination: string, asker: HoldAsker): Promise<boolean>;
}

interface HoldOrder {
  /** With a tag. */
  readonly destination: string;
  /** A time (RFC 3339). Default: until it is released. */
  readonly until?: string;
  readonly why?: string;
}

interface HoldAsker {
  /** An address. */
  readonly client: string;
  readonly userAgent?: string;
}

/** A hold in JSON. */
interface HeldItem {
  readonly destination: string;
  readonly since: string;
  readonly until?: string;
  readonly why?: string;
  /** A copy to the destination runs in this process: it does not overwrite the tag any more. */
  readonly running: boolean;
}

interface HoldDeskOptions {
  readonly holds: Holds;
  readonly queue: Pick<Queue, 'list' | 'retry'>;
  readonly tell: LogMirror;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

const longestWhy = 500;
const timeShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/;

/** See `HoldDesk`. */
export function createHoldDesk({ holds, queue, tell, now = Date.now }: HoldDeskOptions): HoldDesk {
  const item = ({ destination, since, until, why }: MirrorHold): HeldItem => ({
    destination,
    since: new Date(since).toISOString(),
    ...(until === undefined ? {} : { until: new Date(until).toISOString() }),
    ...defined({ why }),
    running: [...queue.list({ destination, state: 'running' })].length > 0,
  });
  return {
    list: async () => (await holds.list()).map(item),
    async hold({ destination: written, until, why }, asker) {
      const { text: destination } = taggedDestination(written);
      if (why !== undefined && why.length > longestWhy)
        throw refusal(`why must have at most ${longestWhy} characters`);
      const since = now();
      const end = until === undefined ? {} : { until: endOf(until, since) };
      const hold: MirrorHold = { destination, since, ...end, ...defined({ why }) };
      await holds.put(hold);
      const { since: _since, running: _running, destination: target, ...shown } = item(hold);
      tell('holdSet', { target, ...shown, ...asker });
      return item(hold);
    },
    async release(written, asker) {
      const { text: destination } = taggedDestination(written);
      const isReleased = await holds.release(destination);
      if (!isReleased) return false;
      tell('holdReleased', { target: destination, ...asker });
      queue.retry({ destination });
      return true;
    },
  };
}

/** The failure of a task whose destination is held. */
export function heldFailure({ destination, until, why }: MirrorHold): CopyError {
  const end = until === undefined ? 'its release' : new Date(until).toISOString();
  return new CopyError(
    'held',
    `${destination}: held by an operator until ${end}${why === undefined ? '' : `: ${why}`}`,
  );
}

function endOf(text: string, now: number): number {
  const at = timeShape.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw refusal('until must be a time such as 2026-12-01T12:00:00Z');
  if (at <= now) throw refusal(`until must be in the future: ${text}`);
  return at;
}

function refusal(message: string): CopyError {
  return new CopyError('manifest-invalid', message);
}
