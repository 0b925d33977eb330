import { test } from 'tap';
import { createAnswerCache } from '../../../src/auth/clusters/answer-cache.ts';

test('an answer that was under way when all was forgotten is not kept', async (t) => {
  const answers = createAnswerCache<boolean>({
    isYes: (yes) => yes,
    yesMs: 1000,
    noMs: 1000,
    maxEntries: 10,
    now: () => 0,
  });
  const answer = Promise.withResolvers<boolean>();
  const asked = answers.ask('alice', () => answer.promise);
  answers.clear();
  answer.resolve(true);
  t.equal(await asked, true);
  t.equal(answers.find('alice'), undefined);
});
