/**
 * A way to a registry that has enough: it answers 429 to a share of the requests, the same share on
 * every machine.
 */
import { seeded } from '../../test/chaos/random.ts';
import { front } from '../../test/e2e/fixtures/front.ts';
import { answerQuestions } from './worker.ts';

export interface RefusingQuestion {
  /** An origin. */
  readonly target: string;
  /** Of 1. */
  readonly share: number;
}

export interface RefusingAnswer {
  readonly origin: string;
}

const headers = { 'content-type': 'application/json' };
const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'too many requests' }] });

answerQuestions(async ({ target, share }: RefusingQuestion): Promise<RefusingAnswer> => {
  const chance = seeded(1);
  // This process ends with what it serves: nothing is to be ended before.
  const { url } = await front({ defer: () => {} }, target, () =>
    chance.isLucky(share) ? { status: 429, headers, body } : undefined,
  );
  return { origin: url };
});
