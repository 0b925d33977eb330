import { test } from 'tap';
import { answerInTime } from '../../../src/mirror/fallback/wait.ts';

test('a question that fails ends the wait, and its cause is told', async (t) => {
  const causes: unknown[] = [];
  const { signal } = new AbortController();
  const wait = { waitMs: 5_000, pollMs: 1, signal, failed: (error: unknown) => void causes.push(error) };
  const ask = () => Promise.reject(new Error('down'));
  t.equal(await answerInTime(ask, wait), undefined);
  t.match(causes, [{ message: 'down' }]);
});

test('a wait that is ended is no failure', async (t) => {
  const failed = () => t.fail('told');
  const signal = AbortSignal.abort(new Error('closing'));
  t.equal(await answerInTime(async () => 1, { waitMs: 5_000, pollMs: 1, signal, failed }), undefined);
});
