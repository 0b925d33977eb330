import { test } from 'tap';
import { createHistogram, parseHistogram } from '../../src/load/histogram.ts';
import { LoadRecorder, mergedParts, wholeLatencies } from '../../src/load/recorder.ts';
import { parseLoadResult } from '../../src/load/result-file.ts';
import type { Digest } from '../../src/oci/digest.ts';

test('a histogram survives being written and read, to three digits', async (t) => {
  const written = createHistogram();
  for (let ms = 1; ms <= 1000; ms += 1) written.record(ms);
  written.record(100_000_000);
  const { p50Ms, p99Ms, maxMs, count, hdr } = written.summary();
  t.same([count, Math.round(p50Ms), Math.round(p99Ms / 10)], [1001, 501, 99]);
  t.ok(Math.abs(maxMs - 3_600_000) < 3_600, 'an hour is the longest');
  const read = parseHistogram({ hdr });
  t.same([read.count, read.atPercentile(50)], [1001, written.atPercentile(50)]);
  t.ok(hdr.length < 3_000);
});

test('the parts of several generators add up', async (t) => {
  const parts = [1, 2].map((factor) => {
    const recorder = new LoadRecorder();
    recorder.due(100);
    recorder.started(100);
    recorder.requested(150);
    recorder.received(1000 * factor, 2_500);
    recorder.latency('image', 'hit', 100 * factor);
    recorder.asked(`sha256:${'a'.repeat(64)}` as Digest, 1000);
    recorder.error('status 503', 'GET /v2/', 2_600);
    recorder.ended('finished', 2_700, 2_600 * factor);
    t.same(recorder.totals.underWay, 0);
    return JSON.parse(JSON.stringify(recorder.part()));
  });
  const merged = mergedParts(parts);
  t.same(merged.work, { due: 2, started: 2, finished: 2, failed: 0, unfinished: 0 });
  t.same(
    merged.seconds.map(({ bytes, underWay, longestMs }) => [bytes, underWay, longestMs]),
    [
      [0, 2, 0],
      [0, 2, 0],
      [3000, 0, 5200],
    ],
  );
  t.same(merged.distinct, { [`sha256:${'a'.repeat(64)}`]: 1000 });
  t.same(merged.errors, [{ kind: 'status 503', count: 2, example: 'GET /v2/' }]);
  t.same(wholeLatencies(merged.latencies, ['image']).count, 2);
  t.equal(Math.round(merged.latencies[0]?.maxMs ?? 0), 200);
});

test('a file that is no report of this format is refused by name', async (t) => {
  t.throws(() => parseLoadResult('{"format":"quayside-load/9"}'), /is of the format quayside-load\/9/);
  t.throws(() => parseLoadResult('<html>'), /is no report of a load/);
});
