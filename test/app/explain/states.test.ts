import { createServer } from 'node:http';
import { type Test, test } from 'tap';
import { UpstreamStates } from '../../../src/app/explain/states.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { mirrorMetrics } from '../../../src/predecessors/outputs/mirror-metrics.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { createUpstream } from '../../../src/upstream/client/client.ts';
import { listening } from '../../support/listening.ts';

function metered() {
  const meters = createMetrics();
  return { ...meters.events, ...mirrorMetrics(meters) };
}

/** A registry that tells in header fields what is left, as Docker Hub does. */
async function countingRegistry(t: Test): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '3;w=21600' });
    response.end();
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return `http://${host}`;
}

test('what a registry says is left is kept, and said in its own words', async (t) => {
  const states = new UpstreamStates();
  const upstream = createUpstream({
    name: 'docker.io',
    url: await countingRegistry(t),
    allowPrivateAddresses: true,
    events: states.noted(metered()),
  });
  t.teardown(() => upstream.close());
  t.same(states.of('docker.io'), { breaker: 'closed' });
  await upstream.manifest(parseRepository('library/alpine'), parseReference('latest'), { method: 'HEAD' });
  t.match(states.of('docker.io').limits, { text: '3;w=21600 left of 100;w=21600' });
});

test('a breaker that changed says since when', async (t) => {
  const states = new UpstreamStates();
  const events = states.noted(metered());
  events.breakerChanged({ upstream: 'quay.io', state: 'open' });
  t.match(states.of('quay.io'), { breaker: 'open' });
  t.ok(Number(states.of('quay.io').breakerAt) > 0);
  t.same(states.of('ghcr.io'), { breaker: 'closed' });
});

test('the last failure of the store is said by its cause, without a credential', async (t) => {
  const states = new UpstreamStates();
  const events = states.noted(metered());
  t.equal(states.storeTrouble(), undefined);
  const cause = Object.assign(new Error('at https://user:secret@s3.example.com/'), { code: 'NoSuchBucket' });
  events.storeFailed({ operation: 'write', error: new RegistryError('UNAVAILABLE', 'x', { cause }) });
  const text = states.storeTrouble()?.text ?? '';
  t.match(text, /^the last write of the store failed: NoSuchBucket: at https/);
  t.notMatch(text, 'secret@');
});
