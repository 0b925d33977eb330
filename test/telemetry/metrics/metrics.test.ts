import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { createJoinedMetrics } from '../../../src/telemetry/metrics/joined.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { createPruneMetrics } from '../../../src/telemetry/metrics/prune.ts';
import { table } from '../../../src/telemetry/metrics/table.ts';

async function sample(of: { text(): Promise<string> }, name: string): Promise<string | undefined> {
  return (await of.text())
    .split('\n')
    .find((line) => line.startsWith(`${name} `))
    ?.slice(name.length + 1);
}

/** One download, for its events. */
function download(text: string) {
  return { upstream: 'quay.io', digest: digestOf(Buffer.from(text)) };
}

test('names and labels follow the rules: units last, labels of small closed sets', async (t) => {
  for (const [name, help, labels] of Object.values(table)) {
    t.match(
      name,
      /^quayside(_workers|_[a-z0-9_]+(_total|_seconds|_bytes|_ratio|_running|_waiting|_state|_blobs|_available|_streams|_digests|_references|_members|_info|_leader|_images|_holds))$/,
    );
    t.match(help, /^[A-Z0-9].*\.$/);
    for (const label of labels) t.notMatch(label, /repository|tag|digest|user|path|subject/);
  }
});

test('every metric of the table is exposed, and Node own ones beside', async (t) => {
  const metrics = createMetrics();
  t.notMatch(await metrics.text(), 'quayside_mirror_', 'a service without a mirror has no leader');
  metrics.mirror({ counts: () => undefined, holds: async () => 0 });
  const parts = [metrics, createPruneMetrics(), createJoinedMetrics()];
  const text = (await Promise.all(parts.map((part) => part.text()))).join('\n');
  for (const [name] of Object.values(table)) t.match(text, `# TYPE ${name} `);
  t.match(text, '# TYPE nodejs_eventloop_lag_seconds ');
  t.match(createMetrics().contentType, /^text\/plain/);
});

test('each event is counted where its name says', async (t) => {
  const { events, ...meter } = createMetrics();
  events.answered({ kind: 'manifest', status: 200, firstByteSeconds: 0.002, totalSeconds: 0.02 });
  events.read({ kind: 'manifest', hit: 'memory' });
  events.read({ kind: 'manifest', hit: 'memory' });
  events.limitOpened({ limit: 'read', running: () => 3, waiting: () => 2 });
  events.limitRefused({ limit: 'read', reason: 'queue-full' });
  events.accessRefused({ reason: 'credential' });
  events.tokenIssued();
  events.reviewed({ cluster: 'app.ci', kind: 'token', outcome: 'failed', failure: 'slow', seconds: 3 });
  events.remembered({ cluster: 'app.ci', kind: 'access' });
  events.missed({ outcome: 'served' });
  events.keysFailed({ cluster: 'app.ci', error: new Error('x') });
  const first = download('1');
  const second = download('2');
  events.fillStarted(first);
  events.fillStarted(second);
  events.fillEnded({ ...first, outcome: 'stored' });
  events.fillEnded({ ...second, outcome: 'spool-full' });
  events.joined(first);
  events.availabilityChanged({ isAvailable: false });
  events.idleClientCut();
  events.spoolChanged({ bytes: 7 });
  events.repaired();
  events.storeFailed({ operation: 'read', error: new Error('x') });
  events.measured({ blobs: 2, bytes: 20 });
  events.called({ operation: 'GetObject', outcome: 'ok', seconds: 0.1 });
  events.requested({ upstream: 'quay.io', kind: 'blob', status: 429, seconds: 0.1 });
  events.retried({ upstream: 'quay.io', reason: 'status' });
  events.breakerChanged({ upstream: 'quay.io', state: 'open' });
  events.breakerChanged({ upstream: 'quay.io', state: 'half-open' });
  for (const [name, value] of Object.entries({
    'quayside_requests_total{kind="manifest",status="200"}': 1,
    'quayside_request_first_byte_seconds_bucket{le="0.0025",kind="manifest"}': 1,
    'quayside_request_duration_seconds_bucket{le="0.01",kind="manifest"}': 0,
    'quayside_request_duration_seconds_count{kind="manifest"}': 1,
    'quayside_cache_reads_total{kind="manifest",hit="memory"}': 2,
    'quayside_requests_running{limit="read"}': 3,
    'quayside_requests_waiting{limit="read"}': 2,
    'quayside_requests_limited_total{limit="read",reason="queue-full"}': 1,
    'quayside_access_refused_total{reason="credential"}': 1,
    quayside_tokens_issued_total: 1,
    'quayside_misses_total{outcome="served"}': 1,
    'quayside_cluster_reviews_total{cluster="app.ci",kind="token",outcome="failed"}': 1,
    'quayside_cluster_review_duration_seconds_count{cluster="app.ci",kind="token"}': 1,
    'quayside_cluster_review_failures_total{cluster="app.ci",failure="slow"}': 1,
    'quayside_cluster_review_failures_total{cluster="app.ci",failure="keys"}': 1,
    'quayside_cluster_reviews_remembered_total{cluster="app.ci",kind="access"}': 1,
    quayside_fills_running: 0,
    'quayside_fills_total{outcome="stored"}': 1,
    'quayside_fills_total{outcome="not-kept"}': 1,
    'quayside_fills_not_kept_total{reason="spool-full"}': 1,
    quayside_store_available: 0,
    quayside_idle_clients_cut_total: 1,
    quayside_fill_joined_total: 1,
    quayside_spool_bytes: 7,
    quayside_store_repaired_total: 1,
    'quayside_store_failures_total{operation="read",cause="other"}': 1,
    quayside_store_blobs: 2,
    quayside_store_bytes: 20,
    'quayside_s3_calls_total{operation="GetObject",outcome="ok"}': 1,
    'quayside_s3_call_duration_seconds_count{operation="GetObject"}': 1,
    'quayside_upstream_requests_total{upstream="quay.io",kind="blob",status="429"}': 1,
    'quayside_upstream_request_duration_seconds_count{upstream="quay.io",kind="blob"}': 1,
    'quayside_upstream_retries_total{upstream="quay.io",reason="status"}': 1,
    'quayside_upstream_breaker_state{upstream="quay.io",state="open"}': 0,
    'quayside_upstream_breaker_state{upstream="quay.io",state="half-open"}': 1,
  })) {
    t.equal(await sample(meter, name), String(value), name);
  }
});

test('bytes from upstreams, stored bytes and bytes for clients are counted apart', async (t) => {
  const { events, ...meter } = createMetrics();
  t.equal(await sample(meter, 'quayside_fills_stored_bytes_total'), '0', 'there from the start');
  events.received({ upstream: 'quay.io', bytes: 50 });
  events.fillEnded({ ...download('1'), outcome: 'stored', bytes: 40 });
  events.sent({ source: 'fill', bytes: 900 });
  t.equal(await sample(meter, 'quayside_fills_stored_bytes_total'), '40');
  t.equal(await sample(meter, 'quayside_sent_bytes_total{source="fill"}'), '900');
  t.equal(await sample(meter, 'quayside_upstream_received_bytes_total{upstream="quay.io"}'), '50');
});

test('asking twice counts nothing twice', async (t) => {
  const { events, ...meter } = createMetrics();
  events.joined(download('1'));
  await meter.text();
  t.equal(await sample(meter, 'quayside_fill_joined_total'), '1');
});

test('a cluster that is followed no more has no gauges, and one with new settings keeps them', async (t) => {
  const { events, text } = createMetrics();
  const size = { streams: 3, digests: 2, references: 5, refused: 0, tags: 1 };
  const index = (cluster: string): void => {
    events.streamsFollowed({ cluster });
    events.streamStateChanged({ cluster, state: 'synced' });
    events.streamsSized({ cluster, ...size });
  };
  for (const cluster of ['a', 'b', 'a']) index(cluster);
  events.streamsLeft({ cluster: 'a' });
  events.streamsLeft({ cluster: 'b' });
  const page = await text();
  t.match(page, 'quayside_stream_index_streams{cluster="a"} 3');
  t.match(page, 'quayside_stream_index_state{cluster="a",state="synced"} 1');
  t.notMatch(page, /_(state|streams|digests|references)\{cluster="b"/);
  index('b');
  t.match(await text(), 'quayside_stream_index_streams{cluster="b"} 3');
});

test('services of one process share what measures the process, and nothing else', async (t) => {
  const [one, other] = [createMetrics(), createMetrics()];
  const same = (name: string) => one.registry.getSingleMetric(name) === other.registry.getSingleMetric(name);
  t.ok(same('nodejs_gc_duration_seconds'));
  t.ok(same('nodejs_eventloop_lag_seconds'));
  t.notOk(same('quayside_requests_total'));
  t.match(await one.text(), /^nodejs_eventloop_lag_p99_seconds /m);
  t.notMatch(await other.text(), 'nodejs_active_handles_total');
});
