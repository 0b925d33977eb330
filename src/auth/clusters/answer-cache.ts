import { LRUCache } from 'lru-cache';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';

interface KeptOptions<Value> {
  readonly isYes: (value: Value) => boolean;
  readonly yesMs: number;
  readonly noMs: number;
  /** Answers kept, of each kind. */
  readonly maxEntries: number;
  /** The weight of a yes, in characters; the sum stays below 32 Mi. Default: 0. */
  readonly sizeOf?: (value: Value) => number;
  /** How long a yes counts if that is less than `yesMs`, in milliseconds. Default: no less. */
  readonly leftMsOf?: (value: Value) => number | undefined;
  readonly now: () => number;
}

/** Answers by question, kept for a while. Yes and no are apart: guesses cannot evict a yes. */
interface AnswerCache<Value> {
  /** The answer of before, in a box because undefined may be one. */
  find(key: string): { readonly value: Value } | undefined;
  /** Whether the last answer was a yes, though it may have lapsed. */
  wasYes(key: string): boolean;
  /**
   * Asks, unless the same question is under way, and keeps the answer; a yes not beyond `endMs`.
   * All callers that wait share a failure, which is not kept.
   */
  ask(key: string, question: () => MaybePromise<Value>, endMs?: number): Promise<Value>;
  /** Forgets everything; later callers get no earlier answer. */
  clear(): void;
}

interface KeptAnswer<Value> {
  readonly value: Value;
  readonly untilMs: number;
}

const maxSize = 32 * 1024 * 1024;

export function createAnswerCache<Value>(options: KeptOptions<Value>): AnswerCache<Value> {
  const { isYes, yesMs, noMs, maxEntries, sizeOf = () => 1, leftMsOf, now } = options;
  // A small answer counts for its share: with `max`, lru-cache takes memory for all at the start.
  const share = Math.ceil(maxSize / maxEntries);
  const sizeCalculation = ({ value }: KeptAnswer<Value>) => Math.max(share, sizeOf(value));
  const yes = new LRUCache<string, KeptAnswer<Value>>({ maxSize, sizeCalculation });
  const no = createLru<string, KeptAnswer<Value>>(maxEntries);
  let asking = createSingleFlight<Value>();

  function keep(key: string, value: Value, endMs: number): void {
    if (isYes(value)) {
      const leftMs = Math.min(yesMs, leftMsOf?.(value) ?? yesMs);
      yes.set(key, { value, untilMs: Math.min(now() + leftMs, endMs) });
    } else {
      yes.delete(key);
      no.set(key, { value, untilMs: now() + noMs });
    }
  }

  return {
    find(key) {
      const time = now();
      const answer = yes.get(key);
      if (answer !== undefined && time < answer.untilMs) return answer;
      const refusal = no.get(key);
      return refusal !== undefined && time < refusal.untilMs ? refusal : undefined;
    },
    wasYes: (key) => yes.has(key),
    ask(key, question, endMs = Number.POSITIVE_INFINITY) {
      const askingThen = asking;
      return asking(key, async () => {
        const value = await question();
        if (askingThen === asking) keep(key, value, endMs);
        return value;
      });
    },
    clear() {
      yes.clear();
      no.clear();
      asking = createSingleFlight();
    },
  };
}
