import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { temporary } from '../../bad-days/rig.ts';
import { overS3, stored } from '../../bad-days/s3-rig.ts';
import { until } from '../../support/bodies.ts';
import { collectorDouble, type SentSpan } from '../../support/collector-double.ts';
import { freePort } from '../../support/program.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { serviceRig } from '../../support/service.ts';

const manifests = 'GET /v2/<name>/manifests/<reference>';

const isClient = ({ kind }: SentSpan): boolean => kind === 3;
const isServer = ({ kind }: SentSpan): boolean => kind === 2;

test('what another member does for a pull is part of its trace', async (t) => {
  const collector = await collectorDouble(t);
  const double = await registryDouble();
  t.teardown(() => double.close());
  const keyFile = join(await temporary(t), 'fleet-key');
  await writeFile(keyFile, 'the key that both replicas of the fleet share');
  const addresses = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const begin = (listen = '') =>
    serviceRig(t, { double, env: collector.env, settings: { fleet: { listen, keyFile, addresses } } });
  const members = [await begin(addresses[0]), await begin(addresses[1])];
  for (const member of members)
    await until(async () => /quayside_fleet_members 2/.test(await member.metrics()));
  const { layers } = double.addImage('openshift/ci', 'tools', { layers: [400_000] });
  for (const { url } of members) {
    await (await fetch(`${url}/v2/openshift/ci/manifests/tools`)).arrayBuffer();
    const blob = await fetch(`${url}/v2/openshift/ci/blobs/${layers[0]?.digest}`);
    t.equal((await blob.arrayBuffer()).byteLength, 400_000);
  }
  await until(() => collector.spans.filter(({ name }) => name === 'peer blob').length >= 2);
  const hops = collector.spans.filter(({ name }) => name === 'peer blob');
  const asked = hops.find(isClient);
  const answered = hops.find(({ parentId }) => parentId === asked?.spanId);
  t.match(asked?.attributes, { 'quayside.member': /^127\.0\.0\.1:/, 'quayside.digest': layers[0]?.digest });
  t.match(answered, {
    kind: 2,
    traceId: asked?.traceId,
    attributes: { 'quayside.answer': /^(?:found|uncached|follows|seeking)$/ },
  });
  t.ok(
    hops
      .filter(isServer)
      .every(({ traceId }) => hops.some((hop) => isClient(hop) && hop.traceId === traceId)),
  );
});

test('a copy is a trace of its own, linked to the request whose miss asked for it', async (t) => {
  const collector = await collectorDouble(t);
  const [qci, source] = await Promise.all([registryDouble(), registryDouble()]);
  t.teardown(() => Promise.all([qci.close(), source.close()]));
  const upstream = ({ url }: typeof qci) => ({ url, allowPrivateAddresses: true, retries: 0 });
  const rig = await serviceRig(t, {
    ...{ double: qci, env: collector.env },
    settings: {
      mirror: {},
      upstreams: { 'quay.io': upstream(qci), 'registry.ci.openshift.org': upstream(source) },
    },
  });
  const { digest } = source.addImage('ocp/4.20', 'cli');
  const answer = await fetch(`${rig.url}/v2/openshift/ci/manifests/ocp_4.20_cli`);
  await answer.arrayBuffer();
  t.equal(answer.status, 200);
  await until(() => qci.tagOf('openshift/ci', 'ocp_4.20_cli') === digest, 'the copy');
  const request = await collector.one(manifests);
  t.ok(request.events.includes('miss') || collector.spans.some(({ events }) => events.includes('miss')));
  const task = await collector.one('mirror task');
  t.not(task.traceId, request.traceId);
  t.match(task, { parentId: '', attributes: { 'quayside.owner': 'misses', 'quayside.outcome': 'success' } });
  t.match(task.links, [{ traceId: request.traceId }]);
  const copy = await collector.one('copy');
  t.match(copy, {
    ...{ traceId: task.traceId, parentId: task.spanId },
    attributes: {
      'quayside.source': 'registry.ci.openshift.org/ocp/4.20:cli',
      'quayside.destination': 'quay.io/openshift/ci:ocp_4.20_cli',
    },
  });
  const pushes = await collector.named('upstream PUT manifest');
  t.ok(pushes.every(({ parentId }) => parentId === copy.spanId));
});

test('calls to S3 are spans below what made them, and carry no trace', async (t) => {
  const collector = await collectorDouble(t);
  const { s3, rig } = await overS3(t, { env: collector.env });
  await stored({ s3, rig });
  await (await rig.getLayer()).arrayBuffer();
  const fill = (await collector.named('fill', 2)).find(
    ({ attributes }) => attributes['quayside.digest'] === rig.layer.digest,
  );
  const put = (await collector.named('store put')).find(({ parentId }) => parentId === fill?.spanId);
  const calls = () => collector.spans.filter(({ name }) => name.startsWith('S3 '));
  await until(() => calls().some(({ parentId }) => parentId === put?.spanId), 'a call of the put');
  t.ok(calls().every(({ kind, attributes }) => kind === 3 && attributes['quayside.outcome'] !== undefined));
  t.notOk(s3.requests.some(({ headers }) => 'traceparent' in headers));
});
