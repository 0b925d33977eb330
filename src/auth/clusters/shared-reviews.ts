import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Current } from '../../base/state/watched-file.ts';
import { ageMs, hasSlept, mostSkewMs, withFairTimeout, withTimeout } from '../../base/time/wait.ts';
import type { Subject } from '../access.ts';
import type { LoginPlaces } from '../login-places.ts';
import type { TokenKeys } from '../tokens/token-keys.ts';
import { claimsOf, isClusterToken } from './cluster-token.ts';
import {
  openedReview,
  type ReviewRecords,
  type ReviewSlot,
  reviewSlot,
  sealedReview,
} from './review-records.ts';

/** What the replicas of one store share reviews by. */
export interface ReviewSharing {
  readonly records: ReviewRecords;
  /** The first one seals: replicas that sign with the same key read each other's reviews. */
  readonly keys: Current<TokenKeys>;
  /** The store could not be asked; called once in 10 s at most. */
  readonly failed: (error: unknown) => void;
  /**
   * How long the answer of the replica that asks is waited for, in milliseconds; that of the store
   * half as long. Default 1,000.
   */
  readonly patienceMs?: number | undefined;
}

interface SharedReviewsOptions extends ReviewSharing {
  readonly cluster: string;
  /** How long an accepted token counts, in milliseconds. */
  readonly tokenMs: number;
  /** Where logins wait for a look at the store. */
  readonly places: Pick<LoginPlaces, 'run'>;
  /** The clock, in milliseconds since the epoch, as other replicas have it. Default `Date.now`. */
  readonly now?: () => number;
}

/** Whose token it is, and for how long that counts, in milliseconds; nothing for a no. */
export interface ReviewedToken {
  readonly subject?: Subject;
  readonly leftMs?: number;
  /** Another replica asked. */
  readonly isShared?: boolean;
}

interface ReviewTurn {
  readonly address?: string | undefined;
  /** The token was accepted here before. */
  readonly isKnown: boolean;
}

/** What the store says of a token: an answer, or who asks for one. */
type Look = FoundReview | PendingReview | { readonly kind: 'none' };

interface FoundReview {
  readonly kind: 'answer';
  readonly answer: ReviewedToken;
}

interface PendingReview {
  readonly kind: 'ours' | 'theirs';
  readonly slot: ReviewSlot;
  /** Of the claim that another replica has. */
  readonly version?: string;
}

const none: Look = { kind: 'none' };
const silent = (): never => {
  throw new Error('the store does not answer');
};
/** How long the store is left alone after it failed. */
const restMs = 10_000;
/** The claim of a replica that has not answered for so long counts no more. */
const claimMs = 30_000;
const firstPollMs = 25;
const longestPollMs = 200;
/** Looks at the store for tokens that are then not accepted: at once, and one more each second. */
const mostWasted = 60;

/**
 * Accepted TokenReviews of one cluster, shared through records of the store. A token that this
 * process does not remember is looked up there first. Replicas that look at the same time agree by
 * a conditional write on the one that asks, and the others wait for its answer. When it takes too
 * long, one of them asks in its place, and after the same time each asks for itself. Only a yes is
 * shared, for as long as it counts where it was given.
 *
 * A store that is slow or down delays a login by half of `patienceMs`, and then none for 10 s.
 * Guesses leave no record, and only a few of them reach the store: none of another form, no expired
 * token, and after 60 in vain one a second, unless the token was accepted before.
 */
export class SharedReviews {
  readonly #options: SharedReviewsOptions;
  readonly #patienceMs: number;
  readonly #now: () => number;
  readonly #running = new Set<Promise<unknown>>();
  #restsUntilMs = Number.NEGATIVE_INFINITY;
  #forgottenAtMs = Number.NEGATIVE_INFINITY;
  #allowed = mostWasted;
  #allowedAtMs = performance.now();

  constructor(options: SharedReviewsOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? 1_000;
    this.#now = options.now ?? Date.now;
  }

  /** The answer of another replica that still counts, or else that of `ask`, which is shared. */
  async reviewed(
    token: string,
    ask: () => MaybePromise<Subject | undefined>,
    { address, isKnown }: ReviewTurn,
  ): Promise<ReviewedToken> {
    if (!this.#mayLook(token, isKnown)) return this.#asked(token, ask, none);
    const name = claimsOf(token)?.subject ?? '';
    const found = async () => {
      // Those before it may have used up all looks, or found that the store does not answer.
      const look = this.#mayLook(token, isKnown) ? await this.#look(token) : none;
      return look.kind === 'answer' ? look.answer : this.#asked(token, ask, look);
    };
    return this.#options.places.run(found, { address, name, isKnown });
  }

  /** Ignores all that was reviewed until now; other replicas' clocks may be ahead by 10 s. */
  forget(): void {
    this.#forgottenAtMs = this.#now();
  }

  /** Resolves once nothing is being written, or after `patienceMs`. */
  async settled(): Promise<void> {
    await withTimeout(Promise.allSettled(this.#running), this.#patienceMs, () => undefined);
  }

  /** Expired tokens, and what no cluster made, are no secrets of a cluster: they cost no look. */
  #isShareable(token: string): boolean {
    if (this.#options.tokenMs <= 0 || performance.now() < this.#restsUntilMs) return false;
    return isClusterToken(token) && (claimsOf(token)?.expiresAtMs ?? Number.POSITIVE_INFINITY) > this.#now();
  }

  #mayLook(token: string, isKnown: boolean): boolean {
    if (!this.#isShareable(token)) return false;
    if (this.#now() - this.#forgottenAtMs <= mostSkewMs) return false;
    const time = performance.now();
    this.#allowed = Math.min(mostWasted, this.#allowed + (time - this.#allowedAtMs) / 1_000);
    this.#allowedAtMs = time;
    return isKnown || this.#allowed >= 1;
  }

  async #asked(
    token: string,
    ask: () => MaybePromise<Subject | undefined>,
    look: Look,
  ): Promise<ReviewedToken> {
    const reviewedAtMs = this.#now();
    let subject: Subject | undefined;
    try {
      subject = await ask();
    } finally {
      if (subject === undefined) this.#inVain(look);
    }
    if (subject === undefined) return {};
    if (this.#isShareable(token)) this.#inBackground(this.#share(token, subject, reviewedAtMs));
    return { subject, leftMs: this.#options.tokenMs - Math.max(0, this.#now() - reviewedAtMs) };
  }

  /** Neither a no nor a failure is shared: those who wait ask themselves. */
  #inVain(look: Look): void {
    if (look.kind !== 'none') this.#allowed -= 1;
    if (look.kind === 'ours') this.#withdraw(look.slot);
  }

  #withdraw({ key }: ReviewSlot): void {
    this.#inBackground(this.#options.records.delete(key));
  }

  async #share(token: string, subject: Subject, reviewedAtMs: number): Promise<void> {
    const { tokenMs, records } = this.#options;
    const endMs = claimsOf(token)?.expiresAtMs ?? Number.POSITIVE_INFINITY;
    const slot = await this.#slotOf(token);
    const review = { subject, reviewedAtMs, validUntilMs: Math.min(reviewedAtMs + tokenMs, endMs) };
    if (slot !== undefined) await records.put(slot.key, sealedReview(review, slot));
  }

  /** Never rejects. Takes as long as `patienceMs` says. */
  async #look(token: string): Promise<Look> {
    const claiming = this.#claimed(token);
    try {
      const look = await withFairTimeout(claiming, this.#patienceMs / 2, silent);
      return look.kind === 'theirs' ? await this.#awaited(look) : look;
    } catch (error) {
      this.#rest(error);
      const withdrawn = (late: Look) => late.kind === 'ours' && this.#withdraw(late.slot);
      claiming.then(withdrawn, () => undefined);
      return none;
    }
  }

  /** The answer, or the right to ask for it, where no other replica has that. */
  async #claimed(token: string): Promise<Look> {
    const slot = await this.#slotOf(token);
    if (slot === undefined) return none;
    const found = await this.#options.records.get(slot.key);
    const state = found === undefined ? undefined : this.#stateIn(found.bytes, slot);
    if (state === 'claimed') return { kind: 'theirs', slot };
    return state ?? this.#claim(slot, found?.version);
  }

  async #claim(slot: ReviewSlot, ifVersion = 'absent'): Promise<PendingReview> {
    const claim = sealedReview({ claimedAtMs: this.#now() }, slot);
    const version = await this.#options.records.put(slot.key, claim, { ifVersion });
    return { kind: version === undefined ? 'theirs' : 'ours', slot };
  }

  /**
   * The answer of the replica that asks. When it takes too long, one of those who wait asks in its
   * place, and the others wait for that one as long again.
   */
  async #awaited(look: PendingReview): Promise<Look> {
    const seen = await this.#waited(look);
    if (seen.kind !== 'theirs' || seen.version === undefined) return seen;
    const claiming = this.#claim(look.slot, seen.version);
    const second = await withFairTimeout(claiming, this.#patienceMs / 2, silent);
    return second.kind === 'ours' ? second : this.#waited(second);
  }

  /** `theirs` with the version of a claim after `patienceMs`, without one when it was withdrawn. */
  async #waited(look: PendingReview): Promise<Look> {
    const ending = new AbortController();
    const seen = { ...look };
    try {
      return await withFairTimeout(this.#polled(seen, ending.signal), this.#patienceMs, () => seen);
    } finally {
      ending.abort();
    }
  }

  async #polled(look: PendingReview & { version?: string }, signal: AbortSignal): Promise<Look> {
    for (let pauseMs = firstPollMs; ; pauseMs = Math.min(2 * pauseMs, longestPollMs)) {
      if (!(await hasSlept(pauseMs, signal))) return look;
      const found = await this.#options.records.get(look.slot.key);
      const state = found === undefined ? undefined : this.#stateIn(found.bytes, look.slot);
      if (state !== 'claimed') return state ?? { kind: look.kind, slot: look.slot };
      if (found !== undefined) look.version = found.version;
    }
  }

  #stateIn(bytes: Uint8Array, slot: ReviewSlot): FoundReview | 'claimed' | undefined {
    const record = openedReview(bytes, slot);
    if (record === undefined) return undefined;
    const now = this.#now();
    if ('claimedAtMs' in record) return ageMs(record.claimedAtMs, now) < claimMs ? 'claimed' : undefined;
    const { subject, reviewedAtMs, validUntilMs } = record;
    if (subject.cluster !== this.#options.cluster) return undefined;
    if (reviewedAtMs <= this.#forgottenAtMs + mostSkewMs) return undefined;
    const leftMs = Math.min(this.#options.tokenMs - ageMs(reviewedAtMs, now), validUntilMs - now);
    return leftMs > 0 ? { kind: 'answer', answer: { subject, leftMs, isShared: true } } : undefined;
  }

  /** Undefined while the keys cannot be read: then no token of ours can be issued either. */
  async #slotOf(token: string): Promise<ReviewSlot | undefined> {
    const keys = await Promise.try(this.#options.keys).catch(() => undefined);
    return keys && reviewSlot(keys.signing.signing, this.#options.cluster, token);
  }

  #rest(error: unknown): void {
    const time = performance.now();
    if (time >= this.#restsUntilMs) this.#options.failed(error);
    this.#restsUntilMs = time + restMs;
  }

  #inBackground(work: Promise<void>): void {
    const running = work
      .catch((error: unknown) => this.#rest(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
