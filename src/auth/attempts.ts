import { isIPv6 } from 'node:net';
import { createLru } from '../base/state/lru.ts';
import { backoffMs } from '../base/time/backoff.ts';
import { type Clock, hasSlept, systemClock } from '../base/time/wait.ts';
import { RegistryError } from '../oci/errors.ts';

/** Slows down who guesses, by the address they come from. A login that succeeds is never held. */
export interface Attempts {
  /**
   * Counts a failed login, and resolves when its answer may go out: the first few at once, then
   * later and later; also when the client leaves and at shutdown. Throws `TOOMANYREQUESTS` when too
   * many answers to that address are held.
   */
  failed(address: string, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when an answer 429 to that address may go out: at once, but to one that `hasFailed` a
   * second later, or a refused flood would return at once and cost more than one that waits.
   */
  refused(address: string, signal: AbortSignal): Promise<void>;
  /** Whether more logins from that address failed within the last minute than cost nothing. */
  hasFailed(address: string): boolean;
  /** Lets every answer go that is held, and holds none from now on. */
  close(): void;
}

export interface AttemptsOptions {
  /** Failures within a minute that cost nothing. Default 4. */
  readonly free?: number;
  /** How long the first one is held, in ms; each further one twice as long. Default 1,000. */
  readonly firstHoldMs?: number;
  /** The longest that one is held, in milliseconds. Default 5,000. */
  readonly longestHoldMs?: number;
  /** Answers held for one address at a time. Default 50. */
  readonly mostHeld?: number;
  /** Addresses remembered; who failed longest ago is forgotten first. Default 10,000. */
  readonly mostAddresses?: number;
  readonly clock?: Clock;
}

/** One address, or one IPv6 network. */
interface Origin {
  /** When its latest logins failed; only as many as make a difference. */
  times: readonly number[];
  held: number;
}

const windowMs = 60_000;
/** After so many doublings the longest hold is reached. */
const mostDoublings = 8;

export function createAttempts(options: AttemptsOptions = {}): Attempts {
  const {
    free = 4,
    firstHoldMs = 1000,
    longestHoldMs = 5000,
    mostHeld = 50,
    mostAddresses = 10_000,
  } = options;
  const { clock = systemClock } = options;
  const origins = createLru<string, Origin>(mostAddresses);
  const closing = new AbortController();

  function holdMs(origin: Origin): number {
    const past = origin.times.length - free;
    return past <= 0 ? 0 : backoffMs(past - 1, { firstMs: firstHoldMs, longestMs: longestHoldMs });
  }

  function isSuspect({ times }: Origin): boolean {
    const since = clock.now() - windowMs;
    return times.filter((time) => time > since).length > free;
  }

  async function hold(origin: Origin, ms: number, signal: AbortSignal): Promise<void> {
    origin.held += 1;
    await hasSlept(ms, AbortSignal.any([signal, closing.signal]), clock);
    origin.held -= 1;
  }

  return {
    async failed(address, signal) {
      const name = originOf(address);
      const origin = origins.get(name) ?? { times: [], held: 0 };
      origins.set(name, origin);
      const since = clock.now() - windowMs;
      origin.times = [...origin.times, clock.now()]
        .filter((time) => time > since)
        .slice(-free - mostDoublings);
      const ms = holdMs(origin);
      if (ms === 0 || closing.signal.aborted || signal.aborted) return;
      if (origin.held >= mostHeld) throw tooMany(longestHoldMs);
      await hold(origin, ms, signal);
    },
    async refused(address, signal) {
      const origin = origins.peek(originOf(address));
      if (origin === undefined || closing.signal.aborted || signal.aborted || !isSuspect(origin)) return;
      await hold(origin, firstHoldMs, signal);
    },
    hasFailed(address) {
      const origin = origins.peek(originOf(address));
      return origin !== undefined && isSuspect(origin);
    },
    close() {
      closing.abort();
    },
  };
}

/** Of IPv6 the network: a client with one address there has 2^64. */
function originOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => '0');
  const all = tail === undefined ? groups : [...groups, ...zeros, ...rest];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group || '0', 16).toString(16))
    .join(':');
}

function tooMany(holdMs: number): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many failed logins from this address', {
    retryAfterSeconds: Math.ceil(holdMs / 1000),
  });
}
