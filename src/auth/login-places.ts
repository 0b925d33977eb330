import { createFairQueue, type FairQueue } from '../base/flow/fair-queue.ts';
import { RegistryError } from '../oci/errors.ts';

/** A login to be checked, with the facts that decide its turn. Grants nothing. */
export interface LoginOrigin {
  /** Of the client. Default: not known, and shared by all such. */
  readonly address?: string | undefined;
  /** Who they say they are. Default: nothing. */
  readonly name?: string;
  /** The same credential was right before. */
  readonly isKnown?: boolean;
}

export interface LoginPlacesOptions {
  /** Looked at at a time. */
  readonly maxRunning: number;
  /** That wait, of each of the three kinds. */
  readonly maxWaiting: number;
  /** How long one may wait, in milliseconds. */
  readonly maxWaitMs: number;
  /** Whether logins from that address failed recently. Default: false. */
  readonly hasFailed?: ((address: string) => boolean) | undefined;
}

interface PlaceWaiter {
  readonly begin: () => void;
  readonly refuse: () => void;
}

/**
 * Places for checks that cost something: a comparison of passwords, a request to a cluster.
 * Credentials that were accepted before go first, then those from addresses without a recent
 * failure, then the others; within each kind addresses take turns, and so do names at an address.
 * So guesses queue behind each other and delay no login from elsewhere.
 */
export class LoginPlaces {
  readonly #options: LoginPlacesOptions;
  readonly #known: FairQueue<PlaceWaiter>;
  readonly #unsuspected: FairQueue<PlaceWaiter>;
  readonly #suspected: FairQueue<PlaceWaiter>;
  #running = 0;

  constructor(options: LoginPlacesOptions) {
    this.#options = options;
    this.#known = createFairQueue(options.maxWaiting);
    this.#unsuspected = createFairQueue(options.maxWaiting);
    this.#suspected = createFairQueue(options.maxWaiting);
  }

  /** The work's outcome once there is a place; throws `TOOMANYREQUESTS` if none came. */
  async run<Value>(work: () => Promise<Value>, origin: LoginOrigin = {}): Promise<Value> {
    if (this.#running >= this.#options.maxRunning) await this.#place(origin);
    else this.#running += 1;
    try {
      return await work();
    } finally {
      this.#handOn();
    }
  }

  /** Resolves when the place of another was handed to this one. */
  #place(origin: LoginOrigin): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const queue = this.#queueOf(origin);
    const waiter: PlaceWaiter = {
      begin() {
        clearTimeout(timer);
        resolve();
      },
      refuse() {
        clearTimeout(timer);
        queue.delete(waiter);
        reject(tooMany());
      },
    };
    const timer = setTimeout(waiter.refuse, this.#options.maxWaitMs);
    queue.add(waiter, origin.address ?? '', origin.name)?.refuse();
    return promise;
  }

  #queueOf({ address = '', isKnown = false }: LoginOrigin): FairQueue<PlaceWaiter> {
    if (isKnown) return this.#known;
    return this.#options.hasFailed?.(address) === true ? this.#suspected : this.#unsuspected;
  }

  #handOn(): void {
    const next = this.#known.next() ?? this.#unsuspected.next() ?? this.#suspected.next();
    if (next === undefined) this.#running -= 1;
    else next.begin();
  }
}

function tooMany(): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many logins wait to be checked', { retryAfterSeconds: 2 });
}
