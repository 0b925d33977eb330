import { test } from 'tap';
import { fieldsOf, listOf } from '../../../src/base/text/json.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { openMetricsPage } from '../../../src/telemetry/metrics/exemplars.ts';
import { createJoinedMetrics } from '../../../src/telemetry/metrics/joined.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';

/** The values of one metric, by the text of its labels. */
async function page(of: { text(): Promise<string> }, name: string): Promise<Record<string, number>> {
  const lines = (await of.text()).split('\n').filter((line) => new RegExp(`^${name}[ {]`).test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(name.length, space), Number(line.slice(space + 1))];
    }),
  );
}

const answered = { kind: 'blob', status: 200, firstByteSeconds: 0.002, totalSeconds: 0.02 } as const;

test('counters and histograms of workers add up; what all say of one thing does not', async (t) => {
  const workers = [createMetrics(), createMetrics()];
  const joined = createJoinedMetrics();
  for (const [index, { events, values }] of workers.entries()) {
    for (let count = 0; count <= index; count += 1) events.answered(answered);
    events.spoolChanged({ bytes: 10 });
    events.measured({ blobs: index === 0 ? 7 : 0, bytes: 0 });
    events.membersChanged({ live: ['a', 'b', 'c'] });
    events.availabilityChanged({ isAvailable: index === 0 });
    joined.taken(index + 1, await values());
  }
  t.same(await page(joined, 'quayside_requests_total'), { '{kind="blob",status="200"}': 3 });
  t.same(await page(joined, 'quayside_request_duration_seconds_count'), { '{kind="blob"}': 3 });
  t.same(await page(joined, 'quayside_spool_bytes'), { '': 20 });
  t.same(await page(joined, 'quayside_store_blobs'), { '': 7 });
  t.same(await page(joined, 'quayside_fleet_members'), { '': 3 });
  t.same(await page(joined, 'quayside_store_available'), { '': 0 });
  t.ok((await page(joined, 'process_start_time_seconds'))[''], 'the earliest start');
});

/** What each worker has for itself. */
const addedUp: ReadonlySet<string> = new Set([
  ...['quayside_requests_running', 'quayside_requests_waiting'],
  ...['quayside_fills_running', 'quayside_spool_bytes'],
]);

test('of each gauge it is decided whether it adds up: none doubles what two say of one thing', async (t) => {
  const values = [createMetrics(), createMetrics()].map((metrics) => {
    metrics.mirror({ counts: () => undefined, holds: async () => 1 });
    return metrics.values();
  });
  const gauges = listOf((await Promise.all(values))[0])
    .map(fieldsOf)
    .filter(({ type, name }) => type === 'gauge' && String(name).startsWith('quayside_'))
    .map(({ name, help }) => ({ name: String(name), help }));
  t.ok(gauges.length > 20);
  for (const { name, help } of gauges) {
    const joined = createJoinedMetrics();
    for (const worker of [1, 2])
      joined.taken(worker, [
        { name, help, type: 'gauge', aggregator: 'sum', values: [{ value: 1, labels: {} }] },
      ]);
    t.same(await page(joined, name), { '': addedUp.has(name) ? 2 : 1 }, name);
  }
});

test('what a worker counted stays counted when it is gone, once, and what it measured is no more', async (t) => {
  const joined = createJoinedMetrics();
  for (const round of [1, 2]) {
    const { events, values } = createMetrics();
    events.answered(answered);
    events.fillStarted({ upstream: 'quay.io', digest: digestOf(Buffer.from('x')) });
    joined.taken(1, await values());
    joined.taken(1, await values());
    joined.ended(1);
    joined.ended(1);
    t.same(await page(joined, 'quayside_requests_total'), { '{kind="blob",status="200"}': round });
    t.same(await page(joined, 'quayside_request_duration_seconds_bucket'), {
      ...(await page(joined, 'quayside_request_duration_seconds_bucket')),
      '{le="0.025",kind="blob"}': round,
      '{le="0.01",kind="blob"}': 0,
    });
    t.same(await page(joined, 'quayside_fills_running'), {});
  }
  const successor = createMetrics();
  successor.events.answered(answered);
  joined.taken(1, await successor.values());
  t.same(await page(joined, 'quayside_requests_total'), { '{kind="blob",status="200"}': 3 });
});

test('the page says how many workers serve, and how many crashed', async (t) => {
  const joined = createJoinedMetrics();
  joined.serving(2);
  joined.crashed();
  t.same(await page(joined, 'quayside_workers'), { '': 2 });
  t.same(await page(joined, 'quayside_worker_crashes_total'), { '': 1 });
});

test('the exemplars of all workers that serve are on one page', async (t) => {
  const joined = createJoinedMetrics();
  for (const worker of [1, 2]) {
    const id = String(worker).repeat(32);
    const { events, values } = createMetrics(() => ({ trace_id: id, span_id: id.slice(16) }));
    const [firstByteSeconds, totalSeconds] = [0.001, worker];
    events.answered({ kind: 'blob', status: 200, firstByteSeconds, totalSeconds });
    joined.taken(worker, JSON.parse(JSON.stringify(await values())));
  }
  const page = async () => openMetricsPage(await joined.text(), joined.exemplars());
  const found = (text: string) =>
    [...text.matchAll(/^(quayside_request_duration\S+) \d+ # \{trace_id="(\d)/gm)].map(
      ([, ...found]) => found,
    );
  const series = (le: number) => `quayside_request_duration_seconds_bucket{le="${le}",kind="blob"}`;
  t.same(found(await page()), [
    [series(1), '1'],
    [series(2.5), '2'],
  ]);
  joined.ended(1);
  t.same(found(await page()), [[series(2.5), '2']]);
});
