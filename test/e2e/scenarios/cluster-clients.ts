import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository, tags } from '../fixtures/cluster-stand.ts';
import { assertDirectoryHolds } from '../fixtures/compare.ts';
import { containerdDaemon } from '../fixtures/containerd.ts';
import { containersConfig, podmanStorage } from '../fixtures/containers.ts';
import { curled, loginHost, type NamedStand, namedStand, openHost } from '../fixtures/named-stand.ts';
import { people } from '../fixtures/people.ts';
import { tokenRequests } from '../fixtures/trace.ts';
import type { Scenario, Scene } from '../scenario.ts';

const mostTokenRequests = 2;
const refused = /unauthorized|denied|forbidden|authentication required|invalid username|401|403/i;

/**
 * Real clients, each with its own way to log in and to trust an authority, against host names with
 * TLS.
 */
export const clusterClients: Scenario = {
  name: 'cluster-clients',
  needs: [
    ...(['docker-registry', 'kubernetes', 'unshare', 'curl'] as const),
    ...(['podman', 'skopeo', 'containerd', 'ctr', 'crane'] as const),
  ],
  async play(scene) {
    const stand = await namedStand(scene);
    await curl(scene, stand);
    await podman(scene, stand);
    await skopeo(scene, stand);
    await containerd(scene, stand);
    await crane(scene, stand);
    await scene.fact('no log line holds a credential or a token', async () => {
      const log = await stand.proxy.output();
      for (const { token } of [...Object.values(people), stand.allowed]) assert.ok(!log.includes(token));
      assert.doesNotMatch(log, /eyJ[\w-]+\.eyJ/);
    });
  },
};

async function curl(scene: Scene, stand: NamedStand): Promise<void> {
  const ask = (path: string, ...more: readonly string[]) => curled(scene, stand, loginHost, path, ...more);
  const account = '?account=alice&client_id=docker&offline_token=true';
  const basic = ['--user', `alice:${people.alice.token}`];

  await scene.fact('docker login: a challenge, a token without a scope, and a ping with it', async () => {
    const challenge = (await ask('/v2/')).head.get('www-authenticate') ?? '';
    const [, realm = '', service = ''] = /^Bearer realm="([^"]+)",service="([^"]+)"/.exec(challenge) ?? [];
    assert.equal(realm, `https://${loginHost}:${stand.port}/v2/auth`);
    const path = realm.slice(realm.indexOf('/v2/'));
    const { status, body } = await ask(`${path}${account}&service=${service}`, ...basic);
    assert.equal(status, 200, body);
    const { token } = JSON.parse(body) as { token: string };
    assert.equal((await ask('/v2/', '--oauth2-bearer', token)).status, 200);
  });
  await scene.fact('docker login with a wrong password fails at the first step', async () =>
    assert.equal((await ask(`/v2/auth${account}`, '--user', 'alice:wrong')).status, 401),
  );
  await scene.fact('an unconfigured name is refused to every client', async () =>
    assert.equal((await curled(scene, stand, 'elsewhere.example', '/v2/', '--insecure')).status, 404),
  );
}

async function podman(scene: Scene, stand: NamedStand): Promise<void> {
  const { stage, fact } = scene;
  const { env, policy } = await containersConfig(stage);
  const host = `${loginHost}:${stand.port}`;
  const trust = ['--cert-dir', stand.certificates];
  const run = (args: readonly string[], input?: string) => {
    const [command, all] = stand.named(scene.path('podman'), [...podmanStorage(stage), ...args]);
    return stage.run(command, all, { env, mayFail: true, ...(input === undefined ? {} : { input }) });
  };
  const login = (name: string, token: string) =>
    run(['login', ...trust, '--username', name, '--password-stdin', host], token);
  const pull = (tag: string) =>
    run(['pull', '--quiet', ...trust, '--signature-policy', policy, `${host}/${repository}:${tag}`]);

  await fact('podman login refuses a token that the cluster does not know', async () => {
    const { code, stderr } = await login('alice', 'sha256~nobody');
    assert.notEqual(code, 0);
    assert.match(stderr, refused);
  });
  await fact('podman login takes the token of a person', async () => {
    const { code, stderr } = await login('alice', people.alice.token);
    assert.equal(code, 0, stderr);
  });
  await fact('podman pull gets the image with the digest that was pushed', async () => {
    const { code, stderr } = await pull(tags.cli);
    assert.equal(code, 0, stderr);
    const reference = `${host}/${repository}:${tags.cli}`;
    const { stdout } = await run(['image', 'inspect', '--format', '{{.Digest}}', reference]);
    assert.equal(stdout.trim(), stand.images.cli.root.descriptor.digest);
  });
  await asksForFewTokens(scene, stand, 'podman pull', async () => {
    await run(['rmi', '--all', '--force']);
    return pull(tags.cli);
  });
  await fact('podman pull shows why an image is denied', async () => {
    const { code, stderr } = await pull(tags.secret);
    assert.notEqual(code, 0);
    assert.match(stderr, refused);
    assert.match(stderr, /imagestreams/);
  });
}

async function skopeo(scene: Scene, stand: NamedStand): Promise<void> {
  const { stage, fact } = scene;
  const { env } = await containersConfig(stage);
  const copy = (credentials: readonly string[], tag: string, folder: string, host = loginHost) => {
    const [from, to] = [
      `docker://${host}:${stand.port}/${repository}:${tag}`,
      `dir:${join(stage.directory, folder)}`,
    ];
    const args = [
      'copy',
      '--insecure-policy',
      '--src-cert-dir',
      stand.certificates,
      ...credentials,
      from,
      to,
    ];
    const [command, all] = stand.named(scene.path('skopeo'), args);
    return stage.run(command, all, { env, mayFail: true });
  };
  const creds = ['--src-creds', `serviceaccount:${stand.allowed.token}`];

  await fact('skopeo copies byte for byte with the bound token of a service account', async () => {
    const { code, stderr } = await copy(creds, tags.cli, 'skopeo');
    assert.equal(code, 0, stderr);
    await assertDirectoryHolds(join(stage.directory, 'skopeo'), stand.images.cli);
  });
  await asksForFewTokens(scene, stand, 'skopeo copy', () => copy(creds, tags.cli, 'skopeo-again'));
  await fact('skopeo is refused what the account may not pull, and all without an account', async () => {
    assert.match((await copy(creds, tags.secret, 'skopeo-secret')).stderr, refused);
    assert.match((await copy(['--src-no-creds'], tags.cli, 'skopeo-nobody')).stderr, refused);
  });
  await fact('under the other name of the service skopeo copies without any login', async () => {
    const { code, stderr } = await copy(['--src-no-creds'], tags.tools, 'skopeo-open', openHost);
    assert.equal(code, 0, stderr);
    await assertDirectoryHolds(join(stage.directory, 'skopeo-open'), stand.images.tools);
  });
}

async function containerd(scene: Scene, stand: NamedStand): Promise<void> {
  const { stage, fact } = scene;
  const host = `${loginHost}:${stand.port}`;
  const hosts = join(stage.directory, 'certs.d');
  await mkdir(join(hosts, host), { recursive: true });
  const lines = [`server = "https://${host}"`, `[host."https://${host}"]`, `  ca = "${stand.ca}"`];
  await writeFile(join(hosts, host, 'hosts.toml'), lines.join('\n'));
  const ctr = await containerdDaemon(scene, stand.named);
  const pull = (tag: string, token = stand.allowed.token) => {
    const settings = ['--hosts-dir', hosts, '--snapshotter', 'native', '--user', `serviceaccount:${token}`];
    return ctr(['images', 'pull', ...settings, `${host}/${repository}:${tag}`], { mayFail: true });
  };

  await fact('containerd pulls and unpacks with the bound token of a service account', async () => {
    const { code, stderr } = await pull(tags.cli);
    assert.equal(code, 0, stderr);
    const { digest } = stand.images.cli.root.descriptor;
    assert.equal((await ctr(['content', 'get', digest], { mayFail: true })).code, 0);
  });
  await asksForFewTokens(scene, stand, 'a containerd pull', async () => {
    await ctr(['images', 'rm', '--sync', `${host}/${repository}:${tags.cli}`]);
    return pull(tags.cli);
  });
  await fact('containerd is refused what the account may not pull, and all with a wrong token', async () => {
    assert.match((await pull(tags.secret)).stderr, refused);
    assert.match((await pull(tags.cli, 'sha256~nobody')).stderr, refused);
  });
}

async function crane(scene: Scene, stand: NamedStand): Promise<void> {
  const { stage, fact } = scene;
  const host = `${loginHost}:${stand.port}`;
  const env = { SSL_CERT_FILE: stand.ca, DOCKER_CONFIG: join(stage.directory, 'crane') };
  const run = (args: readonly string[]) => {
    const [command, all] = stand.named(scene.path('crane'), args);
    return stage.run(command, all, { env, mayFail: true });
  };
  const validate = (tag: string) => run(['validate', '--remote', `${host}/${repository}:${tag}`]);

  await fact('crane, logged in as a person, validates every digest, size and layer', async () => {
    await run(['auth', 'login', host, '--username', 'alice', '--password', people.alice.token]);
    const { code, stderr } = await validate(tags.cli);
    assert.equal(code, 0, stderr);
  });
  await asksForFewTokens(scene, stand, 'crane validate', () => validate(tags.cli));
  await fact('crane lists what the person may pull', async () => {
    const { stdout } = await run(['ls', `${host}/${repository}`]);
    assert.equal(stdout.trim(), tags.cli);
  });
  await fact('crane is refused what the person may not pull', async () =>
    assert.match((await validate(tags.secret)).stderr, refused),
  );
}

/**
 * The pull succeeds, and Quayside's log shows at most two token requests, each of a known subject.
 */
async function asksForFewTokens(
  scene: Scene,
  { log }: NamedStand,
  what: string,
  pull: () => Promise<{ readonly code: number; readonly stderr: string }>,
): Promise<void> {
  await scene.fact(`${what} asks for a token at most twice, and then for content`, async () => {
    await log.forget();
    const { code, stderr } = await pull();
    assert.equal(code, 0, stderr);
    const requests = await log.requests();
    const flow = requests.map(({ method, path, status }) => `${method} ${path} ${status}`).join('\n');
    const tokens = tokenRequests(requests);
    assert.ok(tokens.length >= 1 && tokens.length <= mostTokenRequests, flow);
    for (const token of tokens) assert.match(token, /^200 \S+/, flow);
    assert.ok(
      requests.some(({ path, status }) => path.includes('/manifests/') && status === 200),
      flow,
    );
    for (const { path, status } of requests) assert.ok(status < 400 || status === 401, `${path}\n${flow}`);
  });
}
