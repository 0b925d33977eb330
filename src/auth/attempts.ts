import { isIPv6 } from 'node:net';
import { createLru } from '../base/state/lru.ts';
import { backoffMs } from '../base/time/backoff.ts';
import { type Clock, hasSlept, systemClock } from '../base/time/wait.ts';
import { RegistryError } from '../oci/errors.ts';

/** What failed: a password may be a guess, a cluster's token is too long to be guessed. */
type AttemptKind = 'password' | 'token';

/**
 * Slows down who guesses, by the address they come from. A login that succeeds is never held.
 * Passwords and tokens count apart. A node shows the pull secrets of many namespaces, some of which
 * may be stale: a wrong token counts once a minute however often it is shown, and each subject that
 * logged in from the address within an hour makes room for one more.
 */
export interface Attempts {
  /**
   * Counts a failed login, and resolves when its answer may go out: the first few at once, then
   * later and later; also when the client leaves and at shutdown. `token` is a hash of what was
   * shown, where that is a token. Throws `TOOMANYREQUESTS` when too many answers to that address
   * are held.
   */
  failed(address: string, signal: AbortSignal, token?: string): Promise<void>;
  /** Counts a login that failed at another replica. */
  failedElsewhere(address: string, token?: string): void;
  /** Notes a login that succeeded with a cluster's token. */
  succeeded(address: string, subject: string): void;
  /**
   * Resolves when an answer 429 to that address may go out: at once, but to one that `hasFailed` a
   * second later, or a refused flood would return at once and cost more than one that waits.
   */
  refused(address: string, signal: AbortSignal): Promise<void>;
  /**
   * Whether more logins of the kind failed from that address within the last minute than cost
   * nothing. Default: of any kind.
   */
  hasFailed(address: string, kind?: AttemptKind): boolean;
  /** Lets every answer go that is held, and holds none from now on. */
  close(): void;
}

export interface AttemptsOptions {
  /** Failures of a kind within a minute that cost nothing. Default 4. */
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
  /** A login failed here, and other replicas may want to count it. */
  readonly counted?: (address: string, token?: string) => void;
}

/** One address, or one IPv6 network. */
interface Origin {
  /** When its latest passwords were wrong; only as many as make a difference. */
  passwords: readonly number[];
  /** Its latest wrong tokens, and when each was last shown. */
  readonly tokens: Map<string, number>;
  /** Who logged in from there, and when last. */
  readonly subjects: Map<string, number>;
  held: number;
}

const windowMs = 60_000;
/** For so long a subject that logged in makes room. */
const subjectMs = 3_600_000;
/** Subjects of an address that make room: a node runs 250 pods by default, of 250 namespaces. */
const mostSubjects = 250;
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

  function originAt(address: string): Origin {
    const name = originOf(address);
    const origin = origins.get(name) ?? { passwords: [], tokens: new Map(), subjects: new Map(), held: 0 };
    origins.set(name, origin);
    return origin;
  }

  /** Failures of a kind beyond those that cost nothing. */
  function excess(origin: Origin, kind: AttemptKind): number {
    const since = clock.now() - windowMs;
    if (kind === 'password') return origin.passwords.filter((time) => time > since).length - free;
    const wrong = [...origin.tokens.values()].filter((time) => time > since).length;
    return wrong === 0 ? 0 : wrong - free - friends(origin);
  }

  function friends({ subjects }: Origin): number {
    const since = clock.now() - subjectMs;
    return [...subjects.values()].filter((time) => time > since).length;
  }

  function count(origin: Origin, token: string | undefined): void {
    if (token === undefined) {
      const since = clock.now() - windowMs;
      const recent = origin.passwords.filter((time) => time > since);
      origin.passwords = [...recent, clock.now()].slice(-free - mostDoublings);
    } else note(origin.tokens, token, clock.now(), free + mostSubjects + mostDoublings);
  }

  async function hold(origin: Origin, ms: number, signal: AbortSignal): Promise<void> {
    origin.held += 1;
    await hasSlept(ms, AbortSignal.any([signal, closing.signal]), clock);
    origin.held -= 1;
  }

  function hasFailed(origin: Origin, kind?: AttemptKind): boolean {
    if (kind !== undefined) return excess(origin, kind) > 0;
    return excess(origin, 'password') > 0 || excess(origin, 'token') > 0;
  }

  return {
    async failed(address, signal, token) {
      const origin = originAt(address);
      count(origin, token);
      options.counted?.(address, token);
      const past = excess(origin, token === undefined ? 'password' : 'token');
      if (past <= 0 || closing.signal.aborted || signal.aborted) return;
      if (origin.held >= mostHeld) throw tooMany(longestHoldMs);
      await hold(origin, backoffMs(past - 1, { firstMs: firstHoldMs, longestMs: longestHoldMs }), signal);
    },
    failedElsewhere: (address, token) => count(originAt(address), token),
    succeeded(address, subject) {
      note(originAt(address).subjects, subject, clock.now(), mostSubjects);
    },
    async refused(address, signal) {
      const origin = origins.peek(originOf(address));
      if (origin === undefined || closing.signal.aborted || signal.aborted || !hasFailed(origin)) return;
      await hold(origin, firstHoldMs, signal);
    },
    hasFailed(address, kind) {
      const origin = origins.peek(originOf(address));
      return origin !== undefined && hasFailed(origin, kind);
    },
    close() {
      closing.abort();
    },
  };
}

/** Sets the time of a key, and drops the oldest past so many. */
function note(times: Map<string, number>, key: string, now: number, most: number): void {
  times.delete(key);
  times.set(key, now);
  const [oldest] = times.keys();
  if (times.size > most && oldest !== undefined) times.delete(oldest);
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
