import { type Test, test } from 'tap';
import { sleep } from '../../../src/base/time/wait.ts';
import { boundsOfOne } from '../../../src/load/engine/bounds.ts';
import { closedLoop } from '../../../src/load/engine/closed-loop.ts';
import { type LoadLoopOptions, openLoop } from '../../../src/load/engine/open-loop.ts';
import { createHistogram } from '../../../src/load/histogram.ts';
import { LoadRecorder } from '../../../src/load/recorder.ts';
import type { Arrival } from '../../../src/load/work.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const bounds = { durationMs: 20_000, maxRequests: 1e6, maxBytes: 1e9, maxConcurrency: 1e6, drainMs: 1_000 };

/** Ten arrivals a second at a server whose answers take 10 ms, and until 10 s from 5 s on. */
function stalled(options: Partial<LoadLoopOptions> = {}) {
  const clock = createManualClock();
  const recorder = new LoadRecorder();
  const lag = createHistogram();
  const counts = { heldBack: 0 };
  const loop: LoadLoopOptions = {
    arrivals: evenly(100),
    bounds,
    recorder,
    lag,
    clock,
    signal: new AbortController().signal,
    heldBack: () => {
      counts.heldBack += 1;
    },
    async work({ atMs }) {
      const now = clock.now();
      const isStalled = now >= 5_000 && now < 10_000;
      const { promise, resolve } = Promise.withResolvers<void>();
      clock.setTimeout(resolve, isStalled ? 10_000 - now : 10);
      await promise;
      recorder.latency('image', 'none', clock.now() - atMs);
    },
    ...options,
  };
  return { loop, clock, recorder, lag, counts };
}

function* evenly(everyMs: number): Generator<Arrival> {
  for (let atMs = 0; ; atMs += everyMs)
    yield { atMs, node: 'a', work: { kind: 'request', method: 'GET', path: '/v2/' } };
}

async function ended<T>(t: Test, load: Promise<T>, clock: { pass(ms: number): Promise<void> }): Promise<T> {
  let isEnded = false;
  const end = (): void => {
    isEnded = true;
  };
  load.then(end, end);
  for (let steps = 0; !isEnded && steps < 500; steps += 1) await clock.pass(100);
  t.ok(isEnded, 'the load ends');
  return load;
}

test('a server that stalls for 5 s shows in the p99 of an open loop', async (t) => {
  const { loop, clock, recorder, lag } = stalled();
  t.equal(await ended(t, openLoop(loop), clock), 'duration');
  t.same(recorder.totals.finished, 200);
  t.ok(recorder.atPercentile(99) > 4_800, `p99 ${recorder.atPercentile(99)}`);
  t.ok(recorder.atPercentile(90) > 2_900, 'as do the arrivals of half of the stall');
  t.equal(Math.round(recorder.atPercentile(50)), 10);
  t.ok(lag.atPercentile(100) < 1, 'no arrival was begun late');
});

test('a closed loop asks less while the server stalls, and its p99 shows nothing', async (t) => {
  const { loop, clock, recorder } = stalled();
  t.equal(await ended(t, closedLoop(loop, 1), clock), 'duration');
  t.ok(recorder.atPercentile(99) < 11, `p99 ${recorder.atPercentile(99)}`);
});

test('what waits for maxConcurrency counts from when it was due', async (t) => {
  const { loop, clock, recorder, lag, counts } = stalled({ bounds: { ...bounds, maxConcurrency: 10 } });
  await ended(t, openLoop(loop), clock);
  t.equal(recorder.totals.finished, 200);
  t.equal(counts.heldBack, 41);
  t.ok(recorder.atPercentile(99) > 4_800);
  t.ok(lag.atPercentile(100) < 1, 'the generator was not late');
});

test('what is not done when the time is over counts as at least that long', async (t) => {
  const { loop, clock, recorder } = stalled({ work: () => new Promise(() => undefined) });
  t.equal(await ended(t, openLoop({ ...loop, bounds: { ...bounds, durationMs: 1_000 } }), clock), 'duration');
  const { work, latencies, errors } = recorder.part();
  t.same(work, { due: 10, started: 10, finished: 0, failed: 0, unfinished: 10 });
  t.same(errors[0]?.kind, 'unfinished');
  t.same([latencies[0]?.class, Math.round((latencies[0]?.p50Ms ?? 0) / 100)], ['unfinished', 14]);
});

test('a bound ends the load, and what it cut says nothing of the target', async (t) => {
  const { loop, clock, recorder } = stalled();
  const { work } = loop;
  const counted = { ...loop, bounds: { ...bounds, maxRequests: 30 } };
  counted.work = async (arrival) => {
    recorder.requested(clock.now());
    await work(arrival);
  };
  t.equal(await ended(t, openLoop(counted), clock), 'maxRequests');
  t.same(recorder.totals.requests, 30);
  t.same(recorder.totals.errors, 0);
});

test('the load ends when it is stopped', async (t) => {
  const stop = new AbortController();
  const { loop, clock } = stalled({ signal: stop.signal });
  const load = openLoop(loop);
  await clock.pass(1_000);
  stop.abort();
  t.equal(await ended(t, load, clock), 'stopped');
});

test('an arrival that is begun late counts as late', async (t) => {
  const { loop, clock, lag } = stalled();
  async function* late(): AsyncGenerator<Arrival> {
    const [first] = evenly(100);
    await sleep(500, undefined, clock);
    if (first !== undefined) yield first;
  }
  t.equal(await ended(t, openLoop({ ...loop, arrivals: late() }), clock), 'trace');
  t.ok(lag.atPercentile(100) >= 499, `${lag.atPercentile(100)} ms`);
});

test('all processes together keep within the bounds of a load', (t) => {
  const share = boundsOfOne({ ...bounds, maxRequests: 10, maxBytes: 100, maxConcurrency: 1 }, 4);
  t.match(share, { maxRequests: 3, maxBytes: 25, maxConcurrency: 1, durationMs: bounds.durationMs });
  t.end();
});
