import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type LoginOrigin, LoginPlaces, type LoginPlacesOptions } from '../login-places.ts';
import { loginsUnavailable } from '../unavailable.ts';

/** Compares passwords with bcrypt hashes on its own thread, so that guesses do not delay pulls. */
export interface Bcrypt {
  /** Throws `TOOMANYREQUESTS` when too many comparisons wait, `UNAVAILABLE` without the thread. */
  matches(password: string, hash: string, origin?: LoginOrigin): Promise<boolean>;
  /** Ends the thread; comparisons under way throw `UNAVAILABLE`. */
  close(): Promise<void>;
}

/** What the thread is asked. */
export interface Comparison {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

type WaitingCheck = Map<number, { resolve(matches: boolean): void; reject(error: unknown): void }>;

/** One comparison at a time. At a cost of 10 this queue is some five seconds of work. */
const bounds = { maxRunning: 1, maxWaiting: 64, maxWaitMs: 10_000 };

/** Starts its thread with the first comparison, and after a crash. An idle thread is unref'ed. */
export function createBcrypt(options: Pick<LoginPlacesOptions, 'hasFailed'> = {}): Bcrypt {
  const places = new LoginPlaces({ ...bounds, ...options });
  const waiting: WaitingCheck = new Map();
  let worker: Worker | undefined;
  let serial = 0;
  let isClosed = false;

  function started(): Worker {
    const fresh = new Worker(new URL(`./bcrypt-worker${extname(import.meta.url)}`, import.meta.url));
    fresh.on('message', ({ id, matches }: { readonly id: number; readonly matches: boolean }) => {
      waiting.get(id)?.resolve(matches);
      waiting.delete(id);
      if (waiting.size === 0) fresh.unref();
    });
    fresh.once('error', (cause) => abandon(waiting, cause));
    fresh.once('exit', () => {
      abandon(waiting, undefined);
      if (worker === fresh) worker = undefined;
    });
    return fresh;
  }

  async function compared(password: string, hash: string): Promise<boolean> {
    if (isClosed) throw loginsUnavailable(undefined);
    worker ??= started();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const id = serial++;
    waiting.set(id, { resolve, reject });
    worker.ref();
    worker.postMessage({ id, password, hash } satisfies Comparison);
    return promise;
  }

  return {
    matches: (password, hash, origin) => places.run(() => compared(password, hash), origin),
    async close() {
      isClosed = true;
      await worker?.terminate();
    },
  };
}

function abandon(waiting: WaitingCheck, cause: unknown): void {
  for (const { reject } of waiting.values()) reject(loginsUnavailable(cause));
  waiting.clear();
}
