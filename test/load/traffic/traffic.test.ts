import { createServer } from 'node:http';
import { test } from 'tap';
import { createFront, createFrontCounter } from '../../../src/load/traffic/front.ts';
import { createMetricsCounter } from '../../../src/load/traffic/metrics-page.ts';
import { trafficBetween } from '../../../src/load/traffic/traffic.ts';
import { listening } from '../../support/listening.ts';
import { registryDouble } from '../../support/registry-double.ts';

const { signal } = new AbortController();

test('a front passes everything on and counts what came back', async (t) => {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const digest = registry.addBlob('team/app', Buffer.alloc(5_000, 'x'));
  const front = await createFront({ upstream: new URL(registry.url), host: '127.0.0.1', port: 0 });
  t.teardown(() => front.close());
  const counter = createFrontCounter(new URL(front.url));
  const before = await counter.read(signal);
  const answer = await fetch(`${front.url}/v2/team/app/blobs/${digest}`, {
    headers: { range: 'bytes=0-999' },
  });
  t.same([answer.status, (await answer.arrayBuffer()).byteLength], [206, 1000]);
  t.equal((await fetch(`${front.url}/v2/team/app/manifests/none`)).status, 404);
  const [ranged] = registry.requests;
  t.equal(ranged?.headers.host, registry.host);
  const { requests, bytes } = trafficBetween(before, await counter.read(signal));
  t.equal(requests, 2);
  t.ok(bytes > 1000);
});

test('a front says 502 where its upstream is down', async (t) => {
  const front = await createFront({ upstream: new URL('http://127.0.0.1:1'), host: '127.0.0.1', port: 0 });
  t.teardown(() => front.close());
  t.equal((await fetch(`${front.url}/v2/`)).status, 502);
});

test('the metrics page of the target is summed over its labels', async (t) => {
  const page = [
    '# HELP quayside_upstream_received_bytes_total Body bytes from upstreams.',
    'quayside_upstream_received_bytes_total{upstream="a"} 100',
    'quayside_upstream_received_bytes_total{upstream="b"} 23',
    'quayside_upstream_requests_total{upstream="a",kind="blob",status="200"} 4',
  ].join('\n');
  const { host, close } = await listening(createServer((_, answer) => answer.end(page)));
  t.teardown(close);
  const counter = createMetricsCounter(new URL(`http://${host}/metrics`));
  t.same(await counter.read(signal), { bytes: 123, requests: 4 });
  await t.rejects(createFrontCounter(new URL(`http://${host}`)).read(signal), /is no front of/);
});
