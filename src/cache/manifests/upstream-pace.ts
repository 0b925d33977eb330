import { steadied } from '../../base/time/steady.ts';

/** What is known of how fast an upstream answers, so that not each client learns it by waiting. */
interface UpstreamPace {
  /** How long to wait while an older answer is at hand, in ms: 0 after a late answer. */
  patienceMs(): number;
  /** The same question, its answer timed. */
  followed<Value>(question: Promise<Value>): Promise<Value>;
}

/** How long a late answer counts against the upstream, ms; then one client's wait tries again. */
const rememberedMs = 10_000;

/**
 * An upstream is slow from the moment when a question has had no answer for `mostMs` until one is
 * answered in less, or for 10 s after the last late one. A refusal is an answer.
 */
export function createUpstreamPace(mostMs: number, now: () => number): UpstreamPace {
  const steady = steadied(now);
  let slowUntil = Number.NEGATIVE_INFINITY;
  const late = (): void => {
    slowUntil = steady() + rememberedMs;
  };
  return {
    patienceMs: () => (steady() < slowUntil ? 0 : mostMs),
    followed(question) {
      const startedAt = steady();
      const timer = setTimeout(late, mostMs);
      timer.unref();
      const ended = (): void => {
        clearTimeout(timer);
        if (steady() - startedAt < mostMs) slowUntil = Number.NEGATIVE_INFINITY;
        else late();
      };
      question.then(ended, ended);
      return question;
    },
  };
}
