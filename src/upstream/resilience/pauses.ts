import { sleep } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Dispatch, headerOf, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import type { UpstreamRequestKind } from '../upstream.ts';
import { parseRetryAfter } from './retry.ts';

/** The upstream wants no request of that kind for so long. */
export interface ToldPause {
  readonly kind: UpstreamRequestKind;
  readonly seconds: number;
}

interface PauseOptions {
  /** The configured name of the upstream. */
  readonly name: string;
  /** Requests wait for a pause up to this long, and are refused for a longer one. */
  readonly longestWaitSeconds: number;
  /** From 0 to 1: who waited does not ask in the same millisecond. */
  readonly random: () => number;
  /** Milliseconds since some point in time. */
  readonly steady: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The upstream itself began a pause, or made it longer. */
  readonly told: (pause: ToldPause) => void;
}

const throttled = 429;
const spreadMs = 250;
/** A pause that is longer by less is no news, milliseconds. */
const newsMs = 500;

/** How long a request waits in a pause that ends so late, ms; undefined where it is refused. */
export function waitInPause(
  leftMs: number,
  {
    isUrgent,
    longestWaitSeconds,
    random,
  }: Pick<PauseOptions, 'longestWaitSeconds' | 'random'> & { readonly isUrgent: boolean },
): number | undefined {
  return isUrgent || leftMs > longestWaitSeconds * 1000 ? undefined : leftMs + spreadMs * random();
}

/**
 * The `Retry-After` of a 429 (RFC 6585 section 4) for all requests of that kind to one upstream:
 * one that throttles manifests may still give blobs. A 503 may be of one repository alone, and is
 * left to the breaker.
 */
export class Pauses {
  readonly #options: PauseOptions;
  readonly #until = new Map<UpstreamRequestKind, number>();

  constructor(options: PauseOptions) {
    this.#options = options;
  }

  /** The same requests; those within a pause wait for its end, or are refused as the first one. */
  obeyed(send: Dispatch): Dispatch {
    return async (ask) => {
      await this.#passed(ask);
      const answer = await send(ask);
      if (answer.status === throttled) this.#note(ask.kind, answer);
      return answer;
    };
  }

  /** Another replica was told so. */
  elsewhere({ kind, seconds }: ToldPause): void {
    const until = this.#options.steady() + seconds * 1000;
    this.#until.set(kind, Math.max(until, this.#until.get(kind) ?? until));
  }

  #note(kind: UpstreamRequestKind, answer: UpstreamResponse): void {
    const { now, told } = this.#options;
    const seconds = parseRetryAfter(headerOf(answer, 'retry-after'), now());
    if (seconds === undefined || seconds === 0) return;
    const isNews = seconds * 1000 - this.#leftMs(kind) > newsMs;
    this.elsewhere({ kind, seconds });
    if (isNews) told({ kind, seconds });
  }

  async #passed({ kind, isUrgent = false, signal }: UpstreamRequest): Promise<void> {
    const { longestWaitSeconds, random } = this.#options;
    for (let left = this.#leftMs(kind); left > 0; left = this.#leftMs(kind)) {
      const waitMs = waitInPause(left, { isUrgent, longestWaitSeconds, random });
      if (waitMs === undefined) throw this.#refusal(left);
      await sleep(waitMs, signal);
    }
  }

  #leftMs(kind: UpstreamRequestKind): number {
    const until = this.#until.get(kind);
    return until === undefined ? 0 : until - this.#options.steady();
  }

  #refusal(leftMs: number): RegistryError {
    return new RegistryError('TOOMANYREQUESTS', 'the upstream throttles requests', {
      retryAfterSeconds: Math.ceil(leftMs / 1000),
      detail: { upstreamStatus: throttled },
      reply: { status: throttled, upstream: this.#options.name },
    });
  }
}
