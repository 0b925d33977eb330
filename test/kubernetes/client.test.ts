import { createServer } from 'node:http';
import { KubeConfig } from '@kubernetes/client-node';
import { type Test, test } from 'tap';
import { createKubernetesClient } from '../../src/kubernetes/client.ts';
import { ApiFailure } from '../../src/kubernetes/failure.ts';
import { imageStreamDouble } from '../support/image-stream-double.ts';
import { listening } from '../support/listening.ts';
import { standStill } from '../support/stand-still.ts';

const streams = '/apis/image.openshift.io/v1/imagestreams';
const leases = '/apis/coordination.k8s.io/v1/namespaces/ci/leases';
const watch = `${streams}?watch=true&resourceVersion=1`;

async function started(t: Test) {
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  return api;
}

async function failure(asked: Promise<unknown>): Promise<unknown> {
  return await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('a write whose connection is cut is not sent twice', async (t) => {
  const api = await started(t);
  api.switches.cutsAnswers = true;
  const body = JSON.stringify({ metadata: { name: 'one' } });
  const error = await failure(api.client.text({ method: 'POST', path: leases, body }));
  t.ok(error instanceof ApiFailure);
  t.match(error, { kind: 'unreachable', message: 'the API server cannot be reached' });
  t.equal(api.requests.length, 1);
});

test('an answer beyond the limit of a call is not read', async (t) => {
  const api = await started(t);
  const digest = `sha256:${'a'.repeat(64)}`;
  for (let stream = 0; stream < 20; stream += 1) api.put(`ocp/${stream}`, { base: { digest } });
  t.match(await failure(api.client.json({ path: streams, maxBytes: 1000 })), { kind: 'invalid' });
  t.match(await api.client.json({ path: streams }), { kind: 'ImageStreamList' });
});

test('an API server whose answer this process did not read in time is not slow', async (t) => {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.end('{}');
      setImmediate(standStill, 600);
    });
  });
  const { host, close } = await listening(server);
  const config = new KubeConfig();
  const cluster = { name: 'double', server: `http://${host}`, skipTLSVerify: true };
  config.loadFromClusterAndUser(cluster, { name: 'us', token: 'a-token' });
  const client = createKubernetesClient({ kubeconfig: async () => config, timeoutMs: 500 });
  t.teardown(async () => {
    await client.close();
    await close();
  });
  t.equal(await client.text({ method: 'POST', path: '/x', body: '{}' }), '{}');
});

test('a stream that stays silent fails as slow', async (t) => {
  const api = await started(t);
  api.switches.hangs = true;
  const { signal } = new AbortController();
  const silent = Array.fromAsync(api.client.stream({ path: watch, idleMs: 50, signal }));
  t.match(await failure(silent), { kind: 'slow', message: 'the API server did not answer within 50 ms' });
});

test('a stream ends with the reason of its signal, and its connection with it', async (t) => {
  const api = await started(t);
  const stop = new AbortController();
  const read = failure(
    Array.fromAsync(api.client.stream({ path: watch, idleMs: 30_000, signal: stop.signal })),
  );
  while (api.watches === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('enough'));
  t.match(await read, { message: 'enough' });
  while (api.watches > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(api.watches, 0);
});

test('a client that was closed asks nothing more', async (t) => {
  const api = await started(t);
  await api.client.close();
  t.match(await failure(api.client.json({ path: streams })), { kind: 'unreachable' });
  t.equal(api.requests.length, 0);
});
