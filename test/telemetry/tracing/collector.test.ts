import { test } from 'tap';
import { badDay } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { collectorDouble } from '../../support/collector-double.ts';

const manifests = 'GET /v2/<name>/manifests/<reference>';
const moreVariables = {
  OTEL_EXPORTER_OTLP_HEADERS: 'x-scope-orgid=ci',
  OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  OTEL_SERVICE_NAME: 'cache',
};
const asTold = { 'x-scope-orgid': 'ci', 'content-encoding': 'gzip' };
const asSent = {
  ...{ kind: 2, traceId: /^[0-9a-f]{32}$/, spanId: /^[0-9a-f]{16}$/, parentId: '' },
  attributes: { 'http.response.status_code': 200, 'quayside.first_byte_ms': Number },
  resource: { 'service.name': 'cache' },
};
const told = /^the collector takes/;

test('a collector that takes nothing is told once, costs no pull, and is told to be well again', async (t) => {
  const collector = await collectorDouble(t);
  collector.answers(400);
  const rig = await badDay(t, { env: { ...collector.env, OTEL_BSP_MAX_QUEUE_SIZE: '20' } });
  const lines = () => rig.log.filter(({ msg }) => told.test(msg));
  const pull = async () => {
    const answer = await rig.get('manifests/tools');
    await answer.arrayBuffer();
    return answer.status;
  };
  for (let count = 0; count < 30; count += 1) t.equal(await pull(), 200);
  await until(() => lines().length === 1);
  await pull();
  t.match(lines(), [
    { level: 'warn', component: 'tracing', collector: collector.url.slice('http://'.length) },
  ]);
  collector.answers(200);
  await until(async () => (await pull()) === 200 && lines().length === 2);
  t.match(lines()[1], { level: 'info', msg: 'the collector takes spans again' });
});

test('what waits is sent at the end, as JSON; a silent collector delays the end for 2 s at most', async (t) => {
  const collector = await collectorDouble(t);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const json = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' };
  const first = await badDay(t, { env: { ...env, ...moreVariables, ...json } });
  await (await first.get('manifests/tools')).arrayBuffer();
  await first.stop();
  t.match(await collector.one(manifests), asSent);
  t.match(collector.headers(), { ...asTold, 'content-type': 'application/json' });
  const second = await badDay(t, { env });
  await (await second.get('manifests/tools')).arrayBuffer();
  collector.answers(0);
  const begunAt = performance.now();
  await second.stop();
  t.ok(performance.now() - begunAt < 4_000);
});

test('without variables nothing is recorded, and the page of metrics is as before', async (t) => {
  const rig = await badDay(t);
  const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
  await (await rig.get('manifests/tools', { headers })).arrayBuffer();
  t.notOk(
    rig.double.requests.some((request) => 'traceparent' in request.headers),
    'nothing is passed on',
  );
  const page = await fetch(`http://${rig.service.adminAddress}/metrics`, {
    headers: { accept: 'application/openmetrics-text' },
  });
  t.match(page.headers.get('content-type'), /^text\/plain/);
  t.notMatch(rig.logText(), 'traceId');
});

test('spans go as protobuf; histograms have exemplars, for a scraper that prefers OpenMetrics', async (t) => {
  const collector = await collectorDouble(t);
  const rig = await badDay(t, { env: { ...collector.env, ...moreVariables } });
  await (await rig.get('manifests/tools')).arrayBuffer();
  const request = await collector.one(manifests);
  const { traceId } = request;
  t.match(request, asSent);
  t.match(collector.headers(), { ...asTold, 'content-type': 'application/x-protobuf' });
  const page = async (accept: string) =>
    fetch(`http://${rig.service.adminAddress}/metrics`, { headers: { accept } });
  const accept = 'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';
  const open = await page(accept);
  t.match(open.headers.get('content-type'), /^application\/openmetrics-text; version=1\.0\.0/);
  const text = await open.text();
  t.match(
    text,
    new RegExp(
      `^quayside_request_duration_seconds_bucket\\{le="[\\d.]+",kind="manifest"\\} 1 # \\{trace_id="${traceId}",span_id="[0-9a-f]{16}"\\} [\\d.]+ \\d+\\.\\d{3}$`,
      'm',
    ),
  );
  t.match(text, /^quayside_upstream_request_duration_seconds_bucket\{.*# \{trace_id=/m);
  t.match(text, /^# TYPE quayside_requests counter\nquayside_requests_total\{/m);
  t.match(text, /# EOF\n$/);
  t.notMatch(text, /\n\n/);
  const plain = await (await page('text/plain')).text();
  // Conditions may be looked at for the first time between the two scrapes.
  const isLasting = (line: string): boolean => !line.startsWith('quayside_condition_');
  const seriesOf = (shown: string) =>
    new Set(
      shown
        .split('\n')
        .filter(isLasting)
        .flatMap((line) => /^(quayside_[^ ]+) /.exec(line)?.[1] ?? []),
    );
  t.same(seriesOf(text), seriesOf(plain), 'the series are the same');
  t.match(plain, /^# TYPE quayside_requests_total counter$/m);
  t.notMatch(plain, '# {');
});
