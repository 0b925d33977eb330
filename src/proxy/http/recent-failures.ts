import { defined } from '../../base/text/defined.ts';
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
  /** Of one subject; and on top of all, of those without one. Default: a quarter of all. */
  readonly mostOfOne?: number;
}

/**
 * The latest failed requests by id, in memory, with at most 10 MB. One subject's flood pushes out
 * its own requests, and those without a subject push out only one another.
 */
export class RecentFailures {
  readonly #byId = new Map<string, FailedRequest>();
  /** Those without a subject, which count apart. */
  readonly #unknown = new Map<string, FailedRequest>();
  readonly #owners = new Map<string, Set<string>>();
  readonly #most: number;
  readonly #mostOfOne: number;

  constructor({ most = 2_000, mostOfOne = Math.ceil(most / 4) }: RecentFailuresOptions = {}) {
    this.#most = most;
    this.#mostOfOne = mostOfOne;
  }

  add(request: FailedRequest): void {
    const owner = ownerOf(request);
    if (owner === undefined) {
      dropOldest(this.#unknown, this.#mostOfOne);
      this.#unknown.set(request.id, compact(request));
      return;
    }
    const own = this.#owners.get(owner) ?? new Set();
    this.#owners.set(owner, own);
    const [oldestOfOwner] = own;
    if (own.size >= this.#mostOfOne && oldestOfOwner !== undefined) this.#remove(oldestOfOwner);
    const [oldest] = this.#byId.keys();
    if (this.#byId.size >= this.#most && oldest !== undefined) this.#remove(oldest);
    this.#owners.set(owner, own.add(request.id));
    this.#byId.set(request.id, compact(request));
  }

  find(id: string): FailedRequest | undefined {
    return this.#byId.get(id) ?? this.#unknown.get(id);
  }

  /** The latest ones, the last of them last. */
  latest(most: number): readonly FailedRequest[] {
    const last = [this.#byId, this.#unknown].flatMap((requests) => [...requests.values()].slice(-most));
    return last.sort((one, other) => one.at - other.at).slice(-most);
  }

  #remove(id: string): void {
    const request = this.#byId.get(id);
    this.#byId.delete(id);
    const owner = request && ownerOf(request);
    if (owner === undefined) return;
    const own = this.#owners.get(owner);
    own?.delete(id);
    if (own?.size === 0) this.#owners.delete(owner);
  }
}

/** Undefined for who is not known. */
function ownerOf({ subject, cluster }: FailedRequest): string | undefined {
  return cluster === undefined ? undefined : `${cluster}\n${subject}`;
}

function dropOldest(requests: Map<string, unknown>, most: number): void {
  const [oldest] = requests.keys();
  if (requests.size >= most && oldest !== undefined) requests.delete(oldest);
}

/** With texts of its own: V8 keeps the whole of a URL, or of a field, for a part of it. */
function compact(request: FailedRequest): FailedRequest {
  const { path, host, message, question, upstreamSaid, cause } = request;
  const texts = { path, host, message, ...defined({ question, upstreamSaid, cause }) };
  const copies = Object.entries(texts).map(([name, text]) => [name, Buffer.from(text).toString()]);
  return { ...request, ...Object.fromEntries(copies) };
}
