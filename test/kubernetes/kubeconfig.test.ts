import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { createKubernetesCluster } from '../../src/auth/clusters/api-server/cluster-reviews.ts';
import { loadKubeconfig } from '../../src/kubernetes/kubeconfig.ts';
import { createLogins } from '../../src/kubernetes/login.ts';
import { clusterDouble } from '../support/cluster-double.ts';
import { listening } from '../support/listening.ts';

async function started(t: Test) {
  const api = await clusterDouble({ users: { 'sha256~a': { username: 'alice' } } });
  t.teardown(() => api.close());
  return api;
}

/** The same kubeconfig, altered as text. */
async function altered(t: Test, change: (text: string) => string): Promise<string> {
  const api = await started(t);
  const path = await api.kubeconfig(t.testdir());
  await writeFile(path, change(await readFile(path, 'utf8')));
  return path;
}

for (const credential of ['token', 'token-file', 'certificate', 'exec'] as const) {
  test(`a kubeconfig may say who we are by ${credential}`, async (t) => {
    const api = await started(t);
    const kubeconfigFile = await api.kubeconfig(t.testdir(), credential);
    // A busy machine takes seconds to start a program.
    const cluster = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile, timeoutMs: 60_000 });
    t.teardown(() => cluster.close());
    t.match(await cluster.review('sha256~a'), { name: 'alice' });
  });
}

test('without a kubeconfig it is the cluster that we run in', async (t) => {
  const api = await started(t);
  const root = t.testdir();
  const secrets = join(root, 'var/run/secrets/kubernetes.io/serviceaccount');
  await mkdir(dirname(secrets), { recursive: true });
  await api.kubeconfig(secrets);
  const { hostname, port } = new URL(api.url);
  t.intercept(process, 'env', {
    value: { ...process.env, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  });
  const cluster = await createKubernetesCluster({ name: 'here', root, everyMs: 0 });
  t.teardown(() => cluster.close());
  t.match(await cluster.review('sha256~a'), { name: 'alice', cluster: 'here' });
  await api.rotateToken();
  t.match(await cluster.review('sha256~a'), { name: 'alice' }, 'also with the next token of ours');
});

test('outside of a cluster there has to be a kubeconfig', async (t) => {
  t.intercept(process, 'env', { value: { ...process.env, KUBERNETES_SERVICE_HOST: undefined } });
  const message = 'cluster here: no kubeconfigFile is set, and this process does not run in a cluster';
  await t.rejects(createKubernetesCluster({ name: 'here' }), { message });
});

test('a kubeconfig that cannot be used is said at once, and quotes no secret', async (t) => {
  const complaints: readonly (readonly [(text: string) => string, RegExp])[] = [
    [() => 'users: [{ name: us, user: { token: ours-secret } ]', /is not YAML/],
    [
      (text) => text.replace('"current-context":"double"', '"current-context":"other"'),
      /lacks the cluster or user of the context other/,
    ],
    [(text) => text.replace('https:', 'http:'), /not an https URL/],
    [
      (text) => text.replace('"server"', '"insecure-skip-tls-verify":true,"server"'),
      /insecure-skip-tls-verify/,
    ],
    [(text) => text.replace('ca.crt', 'missing.crt'), /ENOENT.*missing\.crt/],
  ];
  for (const [change, message] of complaints) {
    const kubeconfigFile = await altered(t, change);
    const error = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile }).catch(
      (thrown: Error) => thrown,
    );
    t.match(error, { message });
    t.match(error, { message: /^cluster app\.ci: / });
    t.notMatch(JSON.stringify(error), 'ours-');
  }
  await t.rejects(createKubernetesCluster({ name: 'app.ci', kubeconfigFile: '/nowhere/at/all' }), /ENOENT/);
});

test('another context than the current one can be chosen', async (t) => {
  const path = await altered(t, (text) =>
    text.replace('"current-context":"double"', '"current-context":"x"'),
  );
  const cluster = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile: path, context: 'double' });
  t.teardown(() => cluster.close());
  t.match(await cluster.review('sha256~a'), { name: 'alice' });
});

test('the proxy of a kubeconfig is used, through a few tunnels that are kept', async (t) => {
  const tunnels: (string | undefined)[] = [];
  const proxy = createServer((_, response) => response.writeHead(405).end());
  proxy.on('connect', ({ url }, client) => {
    tunnels.push(url);
    const server = connect(Number(new URL(`https://${url}`).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      server.pipe(client).pipe(server);
    });
    server.on('error', () => client.destroy());
    client.on('error', () => server.destroy());
  });
  const { port, close } = await listening(proxy);
  t.teardown(close);
  const kubeconfigFile = await altered(t, (text) =>
    text.replace('"server"', `"proxy-url":"http://127.0.0.1:${port}","server"`),
  );
  const cluster = await createKubernetesCluster({ name: 'app.ci', kubeconfigFile, connections: 2 });
  t.teardown(() => cluster.close());
  const reviews = Array.from({ length: 20 }, () => cluster.review('sha256~a'));
  t.match((await Promise.all(reviews)).at(-1), { name: 'alice' });
  t.ok(tunnels.length <= 2, `${tunnels.length}`);
});

test('the user that the kubeconfig acts as is sent to the cluster', async (t) => {
  const api = await started(t);
  const kubeconfigFile = await api.kubeconfig(t.testdir(), 'token');
  const text = await readFile(kubeconfigFile, 'utf8');
  await writeFile(kubeconfigFile, text.replace('"token"', '"as":"reviewer","token"'));
  const login = await createLogins(await loadKubeconfig({ kubeconfigFile }))();
  t.same(login.headers, { 'impersonate-user': 'reviewer', authorization: `Bearer ${api.ourToken()}` });
});
