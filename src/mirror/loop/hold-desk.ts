import { defined } from '../../base/text/defined.ts';
import { CopyError } from '../failure.ts';
import type { LogMirror } from '../log.ts';
import type { Holds, MirrorHold } from '../queue/holds.ts';
import type { Queue } from '../queue/queue.ts';
import { qci, qciProxy } from '../references/names.ts';
import { taggedDestination } from './queue-admin.ts';

/** The holds as their HTTP API has them. */
export interface HoldDesk {
  list(): Promise<readonly object[]>;
  /**
   * The loop leaves the destination as it is from now on. Throws `RegistryError` or `CopyError` for
   * an order that cannot be meant, a `CopyError` of the kind `held` where a later hold is there, as
   * clocks of replicas differ, and what the store throws.
   */
  hold(order: HoldOrder, asker: HoldAsker): Promise<HeldItem>;
  /** Resolves to whether there was a hold. */
  release(destination: string, asker: HoldAsker): Promise<boolean>;
}

interface HoldOrder {
  /** With a tag; in QCI also as people pull it. */
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
      const destination = heldDestination(written);
      if (why !== undefined && why.length > longestWhy)
        throw refusal(`why must have at most ${longestWhy} characters`);
      const since = now();
      const end = until === undefined ? {} : { until: endOf(until, since) };
      const hold: MirrorHold = { destination, since, ...end, ...defined({ why }) };
      if (!(await holds.put(hold))) throw laterHold(destination, await holds.find(destination));
      const { since: _since, running: _running, destination: target, ...shown } = item(hold);
      tell('holdSet', { target, ...shown, ...asker });
      return item(hold);
    },
    async release(written, asker) {
      const destination = heldDestination(written);
      const isReleased = await holds.release(destination);
      if (!isReleased) return false;
      tell('holdReleased', { target: destination, ...asker });
      queue.retry({ destination });
      return true;
    },
  };
}

/** The failure of a task whose destination is held. */
export function heldFailure({ destination, why, ...hold }: MirrorHold): CopyError {
  return new CopyError(
    'held',
    `${destination}: held by an operator until ${endText(hold)}${why === undefined ? '' : `: ${why}`}`,
  );
}

function laterHold(destination: string, { until }: Pick<MirrorHold, 'until'> = {}): CopyError {
  return new CopyError(
    'held',
    `${destination}: a later hold is there, until ${endText({ until })}: release it first`,
  );
}

function endText({ until }: { readonly until?: number | undefined }): string {
  return until === undefined ? 'its release' : new Date(until).toISOString();
}

/** The destination as tasks have it: no task names the proxy of QCI. */
function heldDestination(written: string): string {
  const { text } = taggedDestination(written);
  return text.startsWith(`${qciProxy}:`) ? qci + text.slice(qciProxy.length) : text;
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
