import { test } from 'tap';
import { createScrubPace } from '../../../src/cache/scrub/pace.ts';
import { bytesOf } from '../../../src/oci/content.ts';

const { signal } = new AbortController();

async function msOf(bytes: number, bytesPerSecond: number, others: number): Promise<number> {
  const { spend } = createScrubPace({ bytesPerSecond, others: () => others, signal });
  const since = performance.now();
  for (let spent = 0; spent < bytes; spent += 1_000) await spend(1_000);
  return performance.now() - since;
}

test('no more bytes go by than the pace allows, and fewer while others read', async (t) => {
  t.ok((await msOf(100_000, 1_000_000, 0)) >= 89);
  t.ok((await msOf(20_000, 1_000_000, 4)) >= 89);
  t.ok((await msOf(10_000, 1_000_000, 1_000)) >= 89, 'a tenth of it is always left');
  t.ok((await msOf(10_000, 1_000_000, 1_000)) < 5_000);
});

test('a body is the same at a pace, and an end is an end at once', async (t) => {
  const stopping = new AbortController();
  const { paced } = createScrubPace({ bytesPerSecond: 1, others: () => 0, signal: stopping.signal });
  const reading = paced(bytesOf(Buffer.from('bytes')));
  t.same((await reading.next()).value, Buffer.from('bytes'));
  const waiting = reading.next();
  stopping.abort(new Error('over'));
  await t.rejects(waiting, { message: 'over' });
});
