import { test } from 'tap';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';

/** What a service with a spool on a disk, and a bucket, tells of itself. */
function described({ revision = 'unknown', spool }: { readonly revision?: string; readonly spool: string }) {
  const metrics = createMetrics();
  metrics.describe({
    version: '1.2.3',
    revision,
    upstreams: ['quay.io'],
    directories: { spool },
    maxBytes: { spool: 1_000 },
  });
  return metrics;
}

test('the build, the limits and the room of the disk are shown', async (t) => {
  const text = await described({ revision: 'abc', spool: t.testdir() }).text();
  t.match(text, `quayside_build_info{version="1.2.3",revision="abc",node="${process.versions.node}"} 1`);
  t.match(text, 'quayside_max_bytes{use="spool"} 1000');
  t.match(text, /^quayside_filesystem_size_bytes\{use="spool"\} [1-9]/m);
  t.match(text, /^quayside_filesystem_available_bytes\{use="spool"\} [1-9]/m);
  t.match(await described({ spool: '/' }).text(), 'revision="unknown"');
});

test('a directory that is gone takes its lines along, and nothing else', async (t) => {
  const text = await described({ spool: '/nowhere/at/all' }).text();
  t.notMatch(text, 'quayside_filesystem_size_bytes{');
  t.match(text, 'quayside_max_bytes{use="spool"} 1000');
});

test('what must never happen begins with 0, so that its first time is an increase', async (t) => {
  const { events, ...metrics } = described({ spool: '/' });
  t.match(await metrics.text(), 'quayside_upstream_wrong_content_total{upstream="quay.io",kind="blob"} 0');
  events.wrongContent?.({ upstream: 'quay.io', kind: 'blob' });
  t.match(await metrics.text(), 'quayside_upstream_wrong_content_total{upstream="quay.io",kind="blob"} 1');
});

test('the end of a certificate is shown once it is known', async (t) => {
  const metrics = createMetrics();
  metrics.certificate(Date.parse('2027-01-01T00:00:00Z'));
  t.match(await metrics.text(), 'quayside_certificate_not_after_timestamp_seconds 1798761600');
});
