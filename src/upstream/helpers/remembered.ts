import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import type { UpstreamCredential } from '../credential.ts';
import { type Helper, type HelperAnswer, type HelperQuestion, keyOf, loginIn } from './answer.ts';

interface HelperAsked {
  readonly answer: HelperAnswer;
  readonly question: HelperQuestion;
}

interface RememberedAnswer {
  readonly answer: HelperAnswer;
  /** From here on a new one is asked for while this one is used. */
  readonly renewAt: number;
  readonly endsAt: number;
}

interface HelperFailure {
  readonly error: unknown;
  readonly until: number;
}

const mostAnswers = 1_000;
/** An answer is renewed after this part of its life, so that no request waits for the helper. */
const usedFraction = 0.8;
/** A helper that failed is asked again after this, milliseconds. */
const failurePauseMs = 5_000;
/** A registry that refuses again within this is not worth another question, milliseconds. */
const refusalPauseMs = 30_000;
const scopes = ['Image', 'Registry', 'Global'] as const;

/**
 * A helper whose answers are kept for their life. One question for a registry is under way at a
 * time, and all who wait share its answer, or its failure.
 */
export class RememberedHelper {
  readonly #helper: Helper;
  readonly #now: () => number;
  readonly #answers = createLru<string, RememberedAnswer>(mostAnswers);
  readonly #failures = createLru<string, HelperFailure>(mostAnswers);
  readonly #refusedAt = createLru<string, number>(mostAnswers);
  readonly #keyOf = new WeakMap<UpstreamCredential, string>();
  readonly #asking = createSingleFlight<HelperAsked>();

  /** `now`: milliseconds since some point in time; never goes back. */
  constructor(helper: Helper, now: () => number) {
    this.#helper = helper;
    this.#now = now;
  }

  /** Undefined where the helper has no login. Throws as the helper does. */
  async find(question: HelperQuestion): Promise<UpstreamCredential | undefined> {
    for (;;) {
      const kept = this.#kept(question);
      if (kept !== undefined) {
        if (kept.renewAt <= this.#now()) this.#ask(question).catch(() => undefined);
        return loginIn(kept.answer, question);
      }
      const { answer, question: asked } = await this.#ask(question);
      if (keyOf(answer.scope, asked) === keyOf(answer.scope, question)) return loginIn(answer, question);
    }
  }

  /** See `Credentials.refused`; at most one answer in 30 s is dropped for one registry or image. */
  refused(credential: UpstreamCredential): boolean {
    const key = this.#keyOf.get(credential);
    if (key === undefined) return false;
    const kept = this.#answers.peek(key);
    const isRenewed = kept !== undefined && !holds(kept.answer, credential);
    if (isRenewed) return true;
    const now = this.#now();
    if (now - (this.#refusedAt.get(key) ?? Number.NEGATIVE_INFINITY) < refusalPauseMs) return false;
    this.#refusedAt.set(key, now);
    this.#answers.delete(key);
    return true;
  }

  #kept(question: HelperQuestion): RememberedAnswer | undefined {
    const now = this.#now();
    for (const scope of scopes) {
      const kept = this.#answers.get(keyOf(scope, question));
      if (kept !== undefined && now < kept.endsAt) return kept;
    }
    return undefined;
  }

  async #ask(question: HelperQuestion): Promise<HelperAsked> {
    const { registry } = question;
    const failure = this.#failures.get(registry);
    if (failure !== undefined && this.#now() < failure.until) throw failure.error;
    return this.#asking(registry, () => this.#askNow(question));
  }

  async #askNow(question: HelperQuestion): Promise<HelperAsked> {
    const { registry } = question;
    try {
      const answer = await this.#helper.ask(question);
      this.#failures.delete(registry);
      this.#keep(answer, question);
      return { answer, question };
    } catch (error) {
      this.#failures.set(registry, { error, until: this.#now() + failurePauseMs });
      throw error;
    }
  }

  #keep(answer: HelperAnswer, question: HelperQuestion): void {
    const key = keyOf(answer.scope, question);
    for (const { credential } of answer.logins) this.#keyOf.set(credential, key);
    const now = this.#now();
    const { keepMs } = answer;
    const kept = { answer, renewAt: now + keepMs * usedFraction, endsAt: now + keepMs };
    if (keepMs > 0) this.#answers.set(key, kept);
  }
}

function holds({ logins }: HelperAnswer, credential: UpstreamCredential): boolean {
  return logins.some((login) => login.credential === credential);
}
