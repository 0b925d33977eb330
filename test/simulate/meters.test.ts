import { test } from 'tap';
import { createRandom } from '../../src/load/model/random.ts';
import { Meter, SpreadMeter } from '../../src/simulate/model/meters.ts';

test('bytes that are spread over seconds add up, and the fullest second is found', (t) => {
  const random = createRandom(5);
  const meter = new SpreadMeter();
  const seconds = new Map<number, number>();
  let total = 0;
  for (let from = 0; from < 20_000_000; from += random() * 40_000) {
    const until = from + random() * random() * 30_000;
    const bytes = random() * 1e9;
    meter.add(from, until, bytes);
    total += bytes;
    for (let second = Math.floor(from / 1000); second <= Math.floor(until / 1000); second += 1) {
      const ms = Math.min(until, (second + 1) * 1000) - Math.max(from, second * 1000);
      seconds.set(second, (seconds.get(second) ?? 0) + (bytes / (until - from)) * ms);
    }
  }
  const most = Math.max(...seconds.values());
  t.ok(Math.abs(meter.peak / most - 1) < 1e-6, `${meter.peak} of ${most}`);
  t.ok(Math.abs(seconds.get(meter.peakAtMs / 1000) ?? 0) / most > 1 - 1e-6);
  t.ok(Math.abs(meter.total / total - 1) < 1e-9);
  t.end();
});

test('what was before the beginning counts no more, and what lasts goes on', (t) => {
  const meter = new SpreadMeter();
  meter.add(0, 2_000, 500);
  meter.add(2_000, 12_000, 100);
  meter.reset(10_000);
  t.equal(meter.total, 0);
  meter.add(10_500, 10_600, 7);
  t.equal(meter.total, 7);
  t.equal(Math.round(meter.peak), 17);
  t.equal(meter.peakAtMs, 10_000);
  t.end();
});

test('the fullest second of counts is the one with the most', (t) => {
  const meter = new Meter();
  for (const atMs of [100, 200, 1_500, 2_100, 2_200, 2_300, 9_000]) meter.add(atMs);
  t.same([meter.total, meter.peak, meter.peakAtMs], [7, 3, 2_000]);
  t.end();
});
