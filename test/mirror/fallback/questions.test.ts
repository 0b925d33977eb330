import { test } from 'tap';
import { createMissQuestions } from '../../../src/mirror/fallback/questions.ts';

test('a clock that is set back keeps no question from the sources', async (t) => {
  const clock = { ms: 86_400_000 };
  const limits = { absentMs: 5_000, knownMs: 600_000, maxEntries: 10, perSecond: 1 };
  const questions = createMissQuestions({ ...limits, now: () => clock.ms });
  t.ok(questions.mayAsk('a'));
  t.notOk(questions.mayAsk('b'), 'one a second');
  clock.ms = 1_000;
  questions.mayAsk('c');
  clock.ms = 2_500;
  t.ok(questions.mayAsk('d'));
});
