import { test } from 'tap';
import { persistently, retryOptions } from '../../../src/mirror/copy/retry.ts';
import { CopyError, doubtfulTries } from '../../../src/mirror/failure.ts';

/** Tries in vain, at most six times, and says how long each pause was. */
async function pauses(failure: CopyError, random: () => number): Promise<readonly number[]> {
  const waits: number[] = [];
  const options = retryOptions({ firstPauseMs: 2, longestPauseMs: 8, random });
  const { signal } = new AbortController();
  const retried = (_failure: CopyError, waitMs: number) => waits.push(waitMs);
  const work = () => Promise.reject(failure);
  await persistently(work, { ...options, tries: 6, signal, retried }).catch(() => undefined);
  return waits;
}

test('pauses double up to the longest, and any part of them may be taken', async (t) => {
  const failure = new CopyError('unavailable', 'down');
  t.same(await pauses(failure, () => 1), [2, 4, 8, 8, 8]);
  t.same(await pauses(failure, () => 0.5), [1, 2, 4, 4, 4]);
});

test('what the registry asks for comes before a pause, and is not waited for when it is too long', async (t) => {
  const asked = (retryAfterSeconds: number) => new CopyError('throttled', 'slow down', { retryAfterSeconds });
  t.same(await pauses(asked(0.001), () => 1), [3, 5, 9, 9, 9]);
  t.same(await pauses(asked(301), () => 1), []);
});

test('what will not pass is not tried again, what is doubtful as often as that is', async (t) => {
  t.same(await pauses(new CopyError('denied', 'no'), () => 0), []);
  t.same(await pauses(new CopyError('unavailable', 'down', { retry: 'later' }), () => 0), []);
  const doubtful = new CopyError('blob-unknown', 'not there yet', { isDoubtful: true });
  t.equal((await pauses(doubtful, () => 0)).length, doubtfulTries - 1);
});
