import { test } from 'tap';
import { kneeOf } from '../../../src/load/engine/knee.ts';
import { generatorOf } from '../../../src/load/engine/usage.ts';
import { createHistogram } from '../../../src/load/histogram.ts';
import type { KneeStep } from '../../../src/load/result.ts';

const search = (stepOf: (rate: number) => Partial<KneeStep>) =>
  kneeOf({
    firstPerSecond: 10,
    factor: 2,
    mostSteps: 6,
    signal: new AbortController().signal,
    run: async (ratePerSecond) => ({
      ratePerSecond,
      achievedPerSecond: ratePerSecond,
      p50Ms: 5,
      p99Ms: 100,
      errors: 0,
      isGeneratorBound: false,
      ...stepOf(ratePerSecond),
    }),
  });

test('the knee is where the p99 is twice that of the first step', async (t) => {
  const knee = await search((rate) => ({ p99Ms: rate < 80 ? 100 + rate : 300 }));
  t.same(
    knee.steps.map(({ ratePerSecond }) => ratePerSecond),
    [10, 20, 40, 80, 80],
  );
  t.match(knee, { end: 'the p99 doubled', beyondPerSecond: 80, lastGoodPerSecond: 40 });
});

test('a p99 that doubles once and not again is no knee', async (t) => {
  let outliers = 1;
  const knee = await search((rate) => {
    if (rate >= 80) return { p99Ms: 300 };
    return { p99Ms: rate === 20 && outliers-- > 0 ? 500 : 100 };
  });
  t.match(knee, { end: 'the p99 doubled', beyondPerSecond: 80, lastGoodPerSecond: 40 });
});

test('errors and a busy generator end the search without a knee', async (t) => {
  const failed = await search((rate) => ({ errors: rate >= 20 ? 1 : 0 }));
  t.match(failed, { end: 'errors at 20 a second', lastGoodPerSecond: 10 });
  t.notOk('beyondPerSecond' in failed);
  const bound = await search((rate) => ({ isGeneratorBound: rate >= 40 }));
  t.match(bound, { end: 'the generator became the bottleneck', lastGoodPerSecond: 20 });
  t.equal((await search(() => ({}))).end, '6 steps found none');
});

test('the report says why the generator was the bottleneck', async (t) => {
  const lag = createHistogram();
  lag.record(50);
  const usage = { processorMs: 1_900, busyLoop: 0.95, residentBytes: 1, lag: lag.summary(), heldBack: 3 };
  const measured = { durationMs: 1_000, cores: 2, loadBefore: 5, p99Ms: 400 };
  const { bottlenecks } = generatorOf([{ ...usage, verifyWaitMs: 100 }], measured);
  t.same(
    bottlenecks.map((text) => text.split(/[,;]/, 1)[0]),
    [
      'arrivals were begun 50 ms late (p99)',
      'a process was busy 95 % of a second',
      'the generator took 95 % of the processors',
      'readers waited 10 % of the time for the threads that check digests',
      'this machine had other work',
      '3 arrivals waited because --max-concurrency was under way',
    ],
  );
  const slowTarget = generatorOf([{ ...usage, verifyWaitMs: 0 }], { ...measured, p99Ms: 600 });
  t.notMatch(slowTarget.bottlenecks.join(), 'late', 'a tenth of the latency of the target');
  const idle = { ...usage, processorMs: 10, busyLoop: 0.1, lag: createHistogram().summary(), heldBack: 0 };
  t.same(generatorOf([{ ...idle, verifyWaitMs: 0 }], { ...measured, loadBefore: 0.1 }).bottlenecks, []);
});
