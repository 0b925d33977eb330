import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedImage, pushImage } from '../../support/images.ts';
import { contentPaths, manifestPath, repository, tags } from '../fixtures/cluster-stand.ts';
import { type ConfiguredMachine, configuredMachine } from '../fixtures/configured-machine.ts';
import { containerdDaemon } from '../fixtures/containerd.ts';
import { podmanStorage } from '../fixtures/containers.ts';
import { dockerEngine } from '../fixtures/docker-engine.ts';
import { curled, loginHost, type NamedStand, namedStand, openHost } from '../fixtures/named-stand.ts';
import { people } from '../fixtures/people.ts';
import { quayside } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** What users write; nothing listens there. */
const source = 'quay-proxy.test';

/**
 * The files that `quayside clients generate` writes are those of real clients, and
 * `quayside clients check` finds what they find: podman and containerd before a Quayside with the
 * rights of a namespace's service account, and a docker engine before one that stands for
 * docker.io.
 */
export const clients: Scenario = {
  name: 'clients',
  needs: [
    'docker-registry',
    'podman',
    'containerd',
    'ctr',
    'dockerd',
    'kubernetes',
    'puller-crio-1.37',
    'unshare',
    'curl',
  ],
  async play(scene) {
    const stand = await namedStand(scene);
    await podmanUnderRights(scene, stand);
    await containerdUnderRights(scene, stand);
    await pullSecret(scene, stand);
    await docker(scene);
  },
};

/** A machine whose files are generated for the stand, with the token of the service account. */
async function machineOf(
  scene: Scene,
  stand: NamedStand,
  words: readonly string[],
  token = stand.allowed.token,
) {
  const [name = ''] = words;
  const machine = await configuredMachine(scene, `machine-${name.replace(',', '-')}`, [
    loginHost,
    openHost,
    source,
    'quay.io',
  ]);
  const host = ['--host', `${loginHost}:${stand.port}`, '--ca', stand.ca, '--for', ...words];
  const output = ['--dir', machine.folder, '--password-file', '-'];
  const written = await machine.clients(['generate', ...host, ...output], { input: token });
  assert.ok(!`${written.stdout}${written.stderr}`.includes(token));
  return machine;
}

async function podmanUnderRights(scene: Scene, stand: NamedStand): Promise<void> {
  const { stage, fact } = scene;
  const words = ['podman', '--source', `${source}/${repository}`, '--path', repository];
  const machine = await machineOf(scene, stand, [
    ...words,
    '--fallback',
    `${openHost}:${stand.port}/${repository}`,
  ]);
  const { env, named, clients: run } = machine;
  const podman = (...args: string[]) => {
    const [program, all] = named(scene.path('podman'), [...podmanStorage(stage), ...args]);
    return stage.run(program, all, { env, mayFail: true });
  };
  const image = (tag: string) => `${source}/${repository}:${tag}`;

  await fact('podman pulls by the files of generate, as the service account of its namespace', async () => {
    await stand.log.forget();
    const { code, stderr } = await podman('pull', '--quiet', image(tags.cli));
    assert.equal(code, 0, stderr);
    const { stdout } = await podman('image', 'inspect', '--format', '{{.Digest}}', image(tags.cli));
    assert.equal(stdout.trim(), stand.images.cli.root.descriptor.digest);
    const manifests = (await stand.log.requests()).filter(({ path }) => path.includes('/manifests/'));
    assert.deepEqual(new Set(manifests.map(({ subject }) => subject)), new Set([stand.allowed.name]));
  });
  await fact(
    'check says that the mirror answers podman, and that nothing listens at the source',
    async () => {
      await trustFallback(stand, machine);
      const { code, stdout } = await run(['check', image(tags.cli)], { mayFail: true });
      assert.equal(code, 1, stdout);
      assert.match(
        stdout,
        /^podman pulls quay-proxy\.test\/.* by .*\/etc\/containers\/registries\.conf\.d\/50-quayside\.conf/,
      );
      assert.match(
        stdout,
        new RegExp(`✓ ${loginHost}:\\d+/${repository} {2}200 {2}manifest, config and 2 layers`),
      );
      assert.match(stdout, new RegExp(`✓ ${openHost}:\\d+/${repository} {2}200 {2}`));
      assert.match(stdout, new RegExp(`✗ ${source}/${repository} ${source} refuses the connection`));
    },
  );
  await fact('of a private image that is cached the mirror gives the namespace nothing', async () => {
    for (const path of [manifestPath(tags.secret), ...contentPaths(stand.images.secret)])
      assert.equal(
        (
          await curled(
            scene,
            stand,
            loginHost,
            `/v2/${path}`,
            '--user',
            `admin:${people.admin.token}`,
            '--output',
            '/dev/null',
            '--write-out',
            'HTTP/1.1 %{http_code}\r\n\r\n',
          )
        ).status,
        200,
      );
    await stand.log.forget();
    await podman('rmi', '--all', '--force');
    await podman('pull', '--quiet', image(tags.secret));
    const asked = await stand.log.requests();
    const refused = asked.filter(
      ({ subject, path }) => subject === stand.allowed.name && path !== '/v2/auth' && path !== '/v2/',
    );
    assert.ok(refused.length > 0);
    for (const { status, path } of refused) assert.equal(status, 403, path);
  });
  await fact('check says why, in the words of the registry, and what to do', async () => {
    const { code, stdout } = await run(['check', image(tags.secret)], { mayFail: true });
    assert.equal(code, 1, stdout);
    assert.match(stdout, /✗ .* 403 {2}manifest: DENIED: .*imagestreams.*ocp-priv.* → grant the right/);
    assert.match(stdout, new RegExp(`✓ ${openHost}:\\d+/`), 'and that podman has it from the next place');
  });
  await fact('check says that a token has expired or is unknown', async () => {
    const file = join(machine.folder, 'wrong.json');
    const auth = Buffer.from('serviceaccount:sha256~nothing').toString('base64');
    await writeFile(file, JSON.stringify({ auths: { [`${loginHost}:${stand.port}`]: { auth } } }));
    const { stdout } = await run(['check', '--auth-file', file, image(tags.cli)], { mayFail: true });
    assert.match(
      stdout,
      /✗ .* 401 {2}login: UNAUTHORIZED: .* → the login in .*wrong\.json is refused: renew it/,
    );
  });
}

/** Of the place that is no Quayside to the files of generate. */
async function trustFallback(stand: NamedStand, { folder }: ConfiguredMachine): Promise<void> {
  const place = join(folder, 'etc/containers/certs.d', `${openHost}:${stand.port}`);
  await mkdir(place, { recursive: true });
  await copyFile(stand.ca, join(place, 'ca.crt'));
}

async function containerdUnderRights(scene: Scene, stand: NamedStand): Promise<void> {
  const { fact } = scene;
  const machine = await machineOf(scene, stand, ['containerd', '--source', 'quay.io']);
  const ctr = await containerdDaemon(scene, machine.named);
  const image = (tag: string) => `quay.io/${repository}:${tag}`;
  const pull = (tag: string) => {
    const settings = ['--hosts-dir', '/etc/containerd/certs.d', '--snapshotter', 'native'];
    return ctr(['images', 'pull', ...settings, image(tag)], { mayFail: true });
  };
  await fact('containerd pulls by the files of generate, with their login and their authority', async () => {
    await stand.log.forget();
    const { code, stderr } = await pull(tags.cli);
    assert.equal(code, 0, stderr);
    const { digest } = stand.images.cli.root.descriptor;
    assert.equal((await ctr(['content', 'get', digest], { mayFail: true })).code, 0);
    const subjects = (await stand.log.requests()).map(({ subject }) => subject);
    assert.ok(subjects.includes(stand.allowed.name));
  });
  await fact('check finds the same for containerd: the host answers, the server is not there', async () => {
    const { stdout } = await machine.clients(['check', '--client', 'containerd', image(tags.cli)], {
      mayFail: true,
    });
    assert.match(stdout, new RegExp(`✓ https://${loginHost}:\\d+ {2}200`));
    assert.match(stdout, /✗ https:\/\/quay\.io quay\.io refuses the connection/);
    const denied = await machine.clients(['check', '--client', 'containerd', image(tags.secret)], {
      mayFail: true,
    });
    assert.match(denied.stdout, /✗ https:.* 403 {2}manifest: DENIED/);
    assert.notEqual((await pull(tags.secret)).code, 0, 'and containerd is refused as well');
  });
}

/** As the credential provider does: reads the Secret as the pod's account, for CRI-O to use. */
async function pullSecret(scene: Scene, stand: NamedStand): Promise<void> {
  const { cluster } = stand;
  const { fact } = scene;
  const where = ['--source', source, '--path', '', '--namespace', 'ci', '--service-account', 'puller'];
  const machine = await machineOf(scene, stand, ['podman,kubernetes', ...where]);
  const auth = join(machine.folder, 'root/.config/containers/auth.json');

  await fact('a cluster takes the pull secret, which pods of the account may then read', async () => {
    await cluster.kubectl(['apply', '--filename', join(machine.folder, 'kubernetes')]);
    const kubeconfig = await cluster.kubeconfig('puller', stand.allowed.token);
    const { stdout } = await cluster.kubectl(['get', 'secrets', '-n', 'ci', '-o', 'json'], { kubeconfig });
    const { items } = JSON.parse(stdout) as {
      readonly items: readonly { readonly data: Record<string, string> }[];
    };
    await writeFile(auth, Buffer.from(items[0]?.data['.dockerconfigjson'] ?? '', 'base64'));
    const others = await cluster.kubectl(['get', 'secrets', '-n', 'ocp'], { kubeconfig, mayFail: true });
    assert.notEqual(others.code, 0);
  });
  const pull = async (tag: string) => {
    const content = join(machine.folder, tag);
    await mkdir(content);
    const conf = '/etc/containers/registries.conf.d/50-quayside.conf';
    const words = ['-registries-conf', conf, '-auth-file', auth, '-scratch', machine.folder];
    const image = `${source}/${repository}:${tag}`;
    const [program, args] = machine.named(scene.path('puller-crio-1.37'), [...words, 'pull', image, content]);
    return scene.stage.run(program, args, { env: machine.env, mayFail: true });
  };
  await fact(
    'the library of CRI-O 1.37 shows the mirror that secret, and has the rights of the account',
    async () => {
      await stand.log.forget();
      const { code, stderr } = await pull(tags.cli);
      assert.equal(code, 0, stderr);
      const subjects = (await stand.log.requests()).map(({ subject }) => subject);
      assert.ok(subjects.includes(stand.allowed.name), subjects.join());
      const refused = await pull(tags.secret);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /denied/i);
    },
  );
}

async function docker(scene: Scene): Promise<void> {
  const { stage, fact } = scene;
  const hub = await registry(scene, { name: 'hub' });
  const image = await generatedImage({
    seed: 'docker engine',
    layers: [3_000, 90_000],
    mediaTypes: 'docker',
  });
  await pushImage(hub.url, 'library/app', 'v1', image);
  const proxy = await quayside(stage, {
    name: 'hub-cache',
    upstream: hub.url,
    upstreamName: 'docker.io',
    config: { hosts: { '*': { upstream: 'docker.io' } } },
  });
  const machine = await configuredMachine(scene, 'machine-docker', [
    'registry-1.docker.io',
    'auth.docker.io',
  ]);
  const words = ['--host', proxy.host, '--plain-http', '--for', 'docker', '--source', 'docker.io'];
  await machine.clients(['generate', ...words, '--dir', machine.folder]);
  const engine = await dockerEngine(scene, machine.named);
  await fact('a docker engine pulls by the daemon.json of generate', async () => {
    await engine.pull('app', 'v1');
    assert.deepEqual(await engine.digests('app:v1'), [`app@${image.root.descriptor.digest}`]);
    await proxy.said('"userAgent":"docker/');
  });
  await fact('check finds the same for docker: the mirror answers, Docker Hub is not there', async () => {
    const { code, stdout } = await machine.clients(['check', '--client', 'docker', 'app:v1'], {
      mayFail: true,
    });
    assert.equal(code, 1, stdout);
    assert.match(stdout, /^docker pulls docker\.io\/library\/app:v1 by .*\/etc\/docker\/daemon\.json/);
    assert.match(stdout, new RegExp(`✓ ${proxy.url} {2}200 {2}.*Quayside: hit; `));
    assert.match(stdout, /✗ https:\/\/registry-1\.docker\.io registry-1\.docker\.io refuses the connection/);
  });
  await fact('with Quayside stopped, check says so', async () => {
    await proxy.stop();
    const { stdout } = await machine.clients(['check', '--client', 'docker', 'app:v1'], { mayFail: true });
    assert.match(stdout, new RegExp(`✗ ${proxy.url} .*nothing listens there → is Quayside`));
  });
}
