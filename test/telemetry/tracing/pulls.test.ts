import { readFile } from 'node:fs/promises';
import { type Test, test } from 'tap';
import { badDay } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { collectorDouble, type SentSpan } from '../../support/collector-double.ts';
import type { ServiceRigOptions } from '../../support/service.ts';

const manifests = 'GET /v2/<name>/manifests/<reference>';
const blobs = 'GET /v2/<name>/blobs/<digest>';

async function traced(t: Test, { env, ...options }: ServiceRigOptions = {}) {
  const collector = await collectorDouble(t);
  const rig = await badDay(t, { ...options, env: { ...collector.env, ...env } });
  return { collector, rig };
}

async function pulled(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  await response.arrayBuffer();
  return response;
}

/** A trace as text: each span below its parent. */
function treeOf(spans: readonly SentSpan[], parentId = '', indent = ''): string[] {
  return spans
    .filter((span) => span.parentId === parentId)
    .flatMap((span) => [`${indent}${span.name}`, ...treeOf(spans, span.spanId, `${indent}  `)]);
}

async function shownSpans(): Promise<ReadonlySet<string>> {
  const page = await readFile(new URL('../../../docs/tracing.md', import.meta.url), 'utf8');
  const [, shown = ''] = /^```text\n([\s\S]*?)^```$/m.exec(page) ?? [];
  return new Set([...shown.matchAll(/^( *\S.*?) {2,}\d+ ms /gm)].map(([, line = '']) => line));
}

test('a cold pull is a trace: access, tag, fill, and what the upstream was asked for', async (t) => {
  const { collector, rig } = await traced(t);
  await pulled(rig.get('manifests/tools'));
  const request = await collector.one(manifests);
  t.match(request, {
    kind: 2,
    attributes: {
      'http.request.method': 'GET',
      'http.route': '/v2/<name>/manifests/<reference>',
      'http.response.status_code': 200,
      'url.path': '/v2/openshift/ci/manifests/tools',
      'server.address': '127.0.0.1',
      'quayside.cache': 'fill',
      'quayside.upstream': 'quay.io',
    },
    resource: { 'service.name': 'quayside', 'service.version': /^\d/, 'service.instance.id': String },
    hasFailed: false,
  });
  await pulled(rig.getLayer());
  const fill = await collector.one('fill');
  t.match(fill.attributes, {
    'quayside.upstream': 'quay.io',
    'quayside.repository': 'openshift/ci',
    'quayside.digest': rig.layer.digest,
    'quayside.outcome': 'stored',
    'quayside.bytes': 400_000,
  });
  const [asked] = (await collector.named('upstream GET blob')).filter(
    ({ parentId }) => parentId === fill.spanId,
  );
  t.match(asked, {
    kind: 3,
    attributes: {
      'http.response.status_code': 200,
      'url.full': `${rig.double.url}/v2/openshift/ci/blobs/${rig.layer.digest}`,
    },
  });
  const whole = await collector.one(blobs);
  t.equal(fill.parentId, whole.spanId);
  t.ok((await collector.named('store adopt')).some(({ traceId }) => traceId === whole.traceId));
  await collector.named('store put');
  const begun = collector.spans.toSorted((one, other) => one.startedAt - other.startedAt);
  const trees = [request, whole].map(({ traceId }) =>
    treeOf(begun.filter((span) => span.traceId === traceId)),
  );
  t.same(new Set(trees.flat()), await shownSpans(), 'the page on tracing shows the spans of today');
  await pulled(rig.get('manifests/tools'));
  await pulled(rig.getLayer());
  const [, again] = await collector.named(blobs, 2);
  t.match(again?.attributes, { 'quayside.cache': 'store' });
  const warmTree = treeOf(collector.spans.filter(({ traceId }) => traceId === again?.traceId));
  t.notOk(
    warmTree.some((line) => /fill|upstream/.test(line)),
    'a warm pull asks no upstream',
  );
});

test('an upstream that is not named gets no trace', async (t) => {
  const { collector, rig } = await traced(t);
  await pulled(rig.get('manifests/tools'));
  await collector.one('upstream GET manifest');
  t.notOk(rig.double.requests.some(({ headers }) => 'traceparent' in headers));
});

test('a trace is taken in from a client and passed on to an upstream that is named', async (t) => {
  const { collector, rig } = await traced(t, { settings: { tracing: { upstreams: ['quay.io'] } } });
  const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const headers = { traceparent: `00-${traceId}-${spanId}-01` };
  await pulled(rig.get('manifests/tools', { headers }));
  t.match(await collector.one(manifests), { traceId, parentId: spanId });
  const asked = await collector.one('upstream GET manifest');
  const passed = rig.double.requests.find(({ path }) => path.includes('/manifests/tools'))?.headers;
  t.equal(passed?.['traceparent'], `00-${traceId}-${asked.spanId}-01`);
  const line = () => rig.log.find(({ msg, path }) => msg === 'request' && /tools$/.test(String(path)));
  await until(() => line() !== undefined);
  t.equal(line()?.['traceId'], traceId, 'the line of the request names the trace');
  await pulled(rig.get('manifests/tools', { headers: { traceparent: `00-${traceId}-${spanId}-00` } }));
  await pulled(rig.get('manifests/tools', { headers: { traceparent: 'nonsense' } }));
  const [, other] = await collector.named(manifests, 2);
  t.notMatch(
    other,
    { traceId },
    'one that its sender does not record is not recorded; nonsense begins a trace',
  );
  t.equal(collector.spans.filter(({ name }) => name === manifests).length, 2);
});

test('a fill is linked to every request that reads it, and they to it', async (t) => {
  const { collector, rig } = await traced(t);
  await pulled(rig.get('manifests/tools'));
  rig.double.switches.bytesPerSecond = 1_000_000;
  await Promise.all([1, 2, 3].map(() => pulled(rig.getLayer())));
  const requests = await collector.named(blobs, 3);
  const fill = await collector.one('fill');
  const begun = requests.find(({ spanId }) => spanId === fill.parentId);
  const joined = requests.filter((request) => request !== begun);
  t.same(new Set(fill.links.map((link) => link.spanId)), new Set(joined.map(({ spanId }) => spanId)));
  for (const { links, attributes } of joined) {
    t.match(links, [{ spanId: fill.spanId, traceId: fill.traceId }]);
    t.equal(attributes['quayside.cache'], 'joined');
  }
});

test('a refusal names its code, and is no failure of ours; one of the upstream is', async (t) => {
  const { collector, rig } = await traced(t, { upstream: { retries: 0 } });
  await pulled(rig.get('manifests/absent'));
  t.match(await collector.one(manifests), {
    hasFailed: false,
    attributes: { 'http.response.status_code': 404, 'error.type': 'MANIFEST_UNKNOWN' },
  });
  t.match(await collector.one('tag'), { hasFailed: false, attributes: { 'error.type': 'MANIFEST_UNKNOWN' } });
  rig.double.switches.status = { of: 'manifests', code: 500 };
  await pulled(rig.get('manifests/tools'));
  const [, failed] = await collector.named(manifests, 2);
  t.match(failed, { hasFailed: true, attributes: { 'error.type': 'UNAVAILABLE' } });
  t.ok((await collector.named('upstream GET manifest', 2)).some(({ hasFailed }) => hasFailed));
});

test('no credential and no query reaches the collector', async (t) => {
  const { collector, rig } = await traced(t, { settings: { tracing: { upstreams: ['quay.io'] } } });
  rig.double.switches.redirectsBlobs = true;
  const authorization = 'Bearer a-token-that-nobody-may-see';
  const headers = { authorization, cookie: 'session=a-cookie-that-nobody-may-see' };
  await pulled(
    fetch(`${rig.url}/v2/openshift/ci/tags/list?n=1&last=a-query-that-nobody-may-see`, { headers }),
  );
  await pulled(rig.get('manifests/tools', { headers }));
  await pulled(rig.getLayer({ headers }));
  await collector.named('fill');
  t.notMatch(collector.text(), /nobody-may-see|X-Amz|[Ss]ignature=/);
  const storage = rig.double.requests.filter(({ cdn }) => cdn);
  t.ok(storage.length > 0);
  t.notOk(
    storage.some((request) => 'traceparent' in request.headers),
    'storage gets no header of ours',
  );
});

test('of a client that is not trusted the trace is linked, and not joined', async (t) => {
  const settings = (trustedParents: readonly string[]) => ({ settings: { tracing: { trustedParents } } });
  const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const headers = { traceparent: `00-${traceId}-${spanId}-00` };
  const strange = await traced(t, settings(['10.0.0.0/8']));
  await pulled(strange.rig.get('manifests/tools', { headers }));
  const request = await strange.collector.one(manifests);
  t.match(request, { parentId: '', links: [{ traceId, spanId }] });
  t.not(request.traceId, traceId);
  const known = await traced(t, settings(['127.0.0.0/8']));
  await pulled(known.rig.get('manifests/tools', { headers: { traceparent: `00-${traceId}-${spanId}-01` } }));
  t.match(await known.collector.one(manifests), { traceId, parentId: spanId });
});
