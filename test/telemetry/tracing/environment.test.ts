import { join } from 'node:path';
import { test } from 'tap';
import { fileWarnings, tracingIn } from '../../../src/telemetry/tracing/environment.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

test('tracing is off until an endpoint or the exporter is named', (t) => {
  for (const env of [
    {},
    { OTEL_SERVICE_NAME: 'cache' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
    { ...endpoint, OTEL_SDK_DISABLED: 'true' },
    { ...endpoint, OTEL_TRACES_EXPORTER: 'none' },
  ])
    t.same(tracingIn(env), { settings: undefined, warnings: [] });
  t.match(tracingIn({ OTEL_TRACES_EXPORTER: 'otlp' }).settings, { url: 'http://localhost:4318/v1/traces' });
  t.end();
});

test('the variables say where spans go, how, how many, and under which name', (t) => {
  const { settings, warnings } = tracingIn({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/base/',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc, x-team=ci',
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '2000',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_PROPAGATORS: 'baggage,tracecontext',
    OTEL_SERVICE_NAME: 'cache',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=prod',
    OTEL_BSP_MAX_QUEUE_SIZE: '100',
  });
  t.same(warnings, []);
  t.same(settings, {
    url: 'https://collector.example/base/v1/traces',
    protocol: 'http/json',
    headers: { authorization: 'Bearer abc', 'x-team': 'ci' },
    timeoutMs: 2_000,
    compression: 'gzip',
    sampler: { kind: 'traceidratio', isParentBased: true, ratio: 0.25 },
    propagates: true,
    resource: { 'service.name': 'cache', 'deployment.environment.name': 'prod' },
    batch: {
      maxQueueSize: 100,
      maxExportBatchSize: 512,
      scheduledDelayMillis: 5_000,
      exportTimeoutMillis: 30_000,
    },
  });
  const whole = { ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:4318/here' };
  t.equal(tracingIn(whole).settings?.url, 'http://traces:4318/here', 'the one for traces is the whole URL');
  t.end();
});

test('a file of TLS that cannot be read is told, since the exporter goes on without it', async (t) => {
  const file = join(t.testdir({ 'ca.pem': 'a certificate' }), 'ca.pem');
  const read = { OTEL_EXPORTER_OTLP_CERTIFICATE: file };
  t.same(await fileWarnings({ ...endpoint, ...read }), []);
  const missing = {
    OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: `${file}.key`,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: file,
  };
  t.match(await fileWarnings({ ...endpoint, ...read, ...missing }), [
    /^OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY is .* \(ENOENT\); .* write the path/,
  ]);
});

test('a wrong value is told in a sentence, and its default counts or tracing is off', (t) => {
  const wrong = (env: Readonly<Record<string, string>>) => tracingIn({ ...endpoint, ...env });
  for (const [name, value, isOff] of [
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', true],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', true],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://collector:4317', true],
    ['OTEL_TRACES_EXPORTER', 'zipkin', true],
    ['OTEL_SDK_DISABLED', 'yes', false],
    ['OTEL_TRACES_SAMPLER', 'all', false],
    ['OTEL_PROPAGATORS', 'b3', false],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '-1', false],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '10s', false],
    ['OTEL_BSP_SCHEDULE_DELAY', '99999999999', false],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd', false],
    ['OTEL_RESOURCE_ATTRIBUTES', 'no pair', false],
  ] as const) {
    const { settings, warnings } = wrong({ [name]: value });
    t.equal(settings === undefined, isOff, `${name}=${value}`);
    t.equal(warnings.length, 1);
    t.match(warnings[0], new RegExp(`${name}.* write `));
  }
  const ratio = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '25%' };
  t.match(wrong(ratio).warnings, [/OTEL_TRACES_SAMPLER_ARG is "25%", which counts as 1: write a number/]);
  const secret = wrong({ OTEL_EXPORTER_OTLP_HEADERS: 'the-secret,key=%zz-secret' });
  t.equal(secret.warnings.length, 2);
  t.notMatch(secret.warnings.join(), /the-secret|zz-secret/);
  t.end();
});
