import type { ErrorCode } from '../../oci/errors.ts';

/** A request that failed, in a few hundred bytes; without anything that the log does not have. */
export interface FailedRequest {
  /** One that we made, whatever the client sent. */
  readonly id: string;
  /** The client's own `X-Request-Id`. */
  readonly clientId?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  /** The `Host` field. */
  readonly host: string;
  readonly status: number;
  readonly error?: ErrorCode;
  readonly message: string;
  readonly upstream?: string;
  readonly subject?: string;
  readonly cluster?: string;
  readonly rule?: string;
  readonly question?: string;
  readonly verdict?: 'allowed' | 'refused';
  readonly upstreamStatus?: number;
  readonly upstreamSaid?: string;
  readonly cause?: string;
}

interface RecentFailuresOptions {
  /** Requests of known subjects that are kept. Default 2,000. */
  readonly most?: number;
  /** Of one subject, and of all who are not known. Default: a quarter of all. */
  readonly mostOfOne?: number;
}

/**
 * The latest failed requests by id, in memory. One subject's flood pushes out its own requests, and
 * those without a subject push out only one another.
 */
export class RecentFailures {
  readonly #byId = new Map<string, FailedRequest>();
  readonly #owners = new Map<string, Set<string>>();
  readonly #most: number;
  readonly #mostOfOne: number;

  constructor({ most = 2_000, mostOfOne = Math.ceil(most / 4) }: RecentFailuresOptions = {}) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  add(request: FailedRequest): void {
    const owner = ownerOf(request);
    const own = this.#owners.get(owner) ?? new Set();
    this.#owners.set(owner, own);
    const [oldestOfOwner] = own;
    if (own.size >= this.#mostOfOne && oldestOfOwner !== undefined) this.#remove(oldestOfOwner);
    const [oldest] = this.#byId.keys();
    if (this.#byId.size >= this.#most && oldest !== undefined) this.#remove(oldest);
    this.#owners.set(owner, own.add(request.id));
    this.#byId.set(request.id, request);
  }

  find(id: string): FailedRequest | undefined {
    return this.#byId.get(id);
  }

  #remove(id: string): void {
    const request = this.#byId.get(id);
    this.#byId.delete(id);
    if (request === undefined) return;
    const owner = ownerOf(request);
    const own = this.#owners.get(owner);
    own?.delete(id);
    if (own?.size === 0) this.#owners.delete(owner);
  }
}

/** Who is not known shares one place. */
function ownerOf({ subject, cluster }: FailedRequest): string {
  return cluster === undefined ? '' : `${cluster}\n${subject}`;
}
