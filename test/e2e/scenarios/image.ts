import assert from 'node:assert/strict';
import { chown, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { generatedImage, pushImage } from '../../support/images.ts';
import { freePort, until } from '../../support/program.ts';
import { finished } from '../../support/run-command.ts';
import { podmanStorage } from '../fixtures/containers.ts';
import { nodeImage } from '../fixtures/node-image.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

const project = join(import.meta.dirname, '../../..');
const user = 12_345;
/** What the image adds to its base. */
const mostMegabytes = 120;

/** Prints the packages of the bill of materials, and those that are there. */
const listing = `
  const folder = '/opt/quayside/';
  const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
  const named = ({ group, name, version }) => (group ? group + '/' : '') + name + '@' + version;
  const present = fs.globSync(folder + 'node_modules/**/package.json')
    .filter((file) => /node_modules\\/(@[^/]+\\/)?[^/@]+\\/package\\.json$/.test(file))
    .map(read).filter(({ name, version }) => name && version).map(named);
  console.log(JSON.stringify({ listed: read(folder + 'sbom.cdx.json').components.map(named), present }));`;

/** Prints the bytes of the files below /opt/quayside. */
const sizing = `
  const files = fs.globSync('/opt/quayside/**', { withFileTypes: true }).filter((file) => file.isFile());
  console.log(files.reduce((sum, { parentPath, name }) =>
    sum + fs.statSync(parentPath + '/' + name).size, 0));`;

/** The image of deploy/Containerfile, made of what npm has kept, and run as a cluster runs it. */
export const image: Scenario = {
  name: 'image',
  needs: ['buildah', 'docker-registry', 'podman', 'skopeo'],
  limitMs: 300_000,
  async play(scene) {
    const { stage, fact, path } = scene;
    const [root, runroot] = [join(stage.directory, 'podman-root'), join(stage.directory, 'podman-run')];
    const buildah = [
      path('buildah'),
      ...['--root', root, '--runroot', runroot, '--storage-driver', 'overlay'],
    ] as const;
    // Layers that share their files: vfs copies all of Node for each step of the build.
    const storage = podmanStorage(stage).map((word) => (word === 'vfs' ? 'overlay' : word));
    // This runs last, once all containers have ended.
    stage.defer(() => unmounted(join(root, 'overlay')));
    const podman = (...args: string[]) => stage.run(path('podman'), [...storage, ...args]);
    const { stdout: cache } = await stage.run('npm', ['config', 'get', 'cache']);
    const { stdout: source } = await stage.run('npm', ['config', 'get', 'registry']);
    const base = await nodeImage(scene, buildah, source.trim());

    const built = () =>
      stage.run(
        buildah[0],
        [
          ...buildah.slice(1),
          ...['build', '--isolation', 'chroot', '--layers=false', '--format', 'docker'],
          ...['--build-arg', `NODE_IMAGE=${base}`, '--build-arg', 'REVISION=abcdef'],
          ...['--build-arg', 'SOURCE=https://git.example.com/quayside'],
          ...['--volume', `${cache.trim()}:/root/.npm`, '--file', 'deploy/Containerfile'],
          ...['--tag', 'localhost/quayside', '.'],
        ],
        { cwd: project, timeoutMs: 240_000 },
      );
    await fact('buildah builds the image from the packages that npm has kept', () =>
      built().catch(async (error: unknown) => {
        if (!String(error).includes('ENOTCACHED')) throw error;
        await kept(scene);
        return built();
      }),
    );

    const upstream = await registry(scene);
    const content = await generatedImage({ seed: 'image', layers: [3_000, 70_000], mediaTypes: 'oci' });
    await pushImage(upstream.url, 'team/app', 'v1', content);
    const [port, adminPort] = [await freePort(), await freePort()];
    const [settings, data] = [join(stage.directory, 'settings'), join(stage.directory, 'data')];
    for (const folder of [settings, data]) await mkdir(folder);
    await chown(data, user, user);
    await writeFile(
      join(settings, 'quayside.yaml'),
      stringify({
        listen: `127.0.0.1:${port}`,
        admin: { listen: `127.0.0.1:${adminPort}` },
        store: { filesystem: { path: '/var/lib/quayside' } },
        shutdownDelayMs: 0,
        defaultUpstream: 'registry.test',
        upstreams: { 'registry.test': { url: upstream.url, allowPrivateAddresses: true } },
      }),
    );
    const confined = [
      ...['run', '--rm', '--read-only', '--user', String(user), '--network', 'host', '--no-healthcheck'],
      ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges'],
      // The defaults of podman are above what this machine may have.
      ...['--ulimit', 'nofile=1024:1024', '--ulimit', `nproc=${1_000 * availableParallelism()}`],
    ];
    const mounts = ['--volume', `${settings}:/etc/quayside:ro`, '--volume', `${data}:/var/lib/quayside`];

    await fact('it tells the revision that it was built from', async () => {
      const { stdout } = await podman(...confined, 'localhost/quayside', 'version', '--output', 'json');
      assert.equal(JSON.parse(stdout).revision, 'abcdef');
    });
    const running = stage.start(path('podman'), [
      ...storage,
      ...confined,
      ...mounts,
      ...['--name', 'served', 'localhost/quayside'],
    ]);
    const admin = `http://127.0.0.1:${adminPort}`;
    const isLive = (): Promise<boolean> =>
      fetch(`${admin}/livez`).then(
        ({ ok }) => ok,
        () => false,
      );
    await fact('it starts as another user, on a root that is read-only, without a capability', async () => {
      await running;
      await until('/livez', isLive, 30_000);
    });
    await fact('it serves a pull', () =>
      stage.run(path('skopeo'), [
        ...['copy', '--src-tls-verify=false', `docker://127.0.0.1:${port}/team/app:v1`],
        `dir:${join(stage.directory, 'pulled')}`,
      ]),
    );
    await fact('its health check, and quayside in it, answer', async () => {
      await podman(
        'exec',
        'served',
        'node',
        '--eval',
        `fetch('${admin}/livez').then((a) => process.exit(a.ok ? 0 : 1))`,
      );
      await podman('exec', 'served', 'quayside', 'status', '--admin', admin);
    });
    await fact('its bill of materials names every package, in the version that it has', async () => {
      const { stdout } = await podman('exec', 'served', 'node', '--eval', listing);
      const { listed, present } = JSON.parse(stdout) as Record<'listed' | 'present', readonly string[]>;
      assert.ok(present.length > 100);
      assert.deepEqual(
        present.filter((name) => !listed.includes(name)),
        [],
      );
    });
    await fact('its labels name it, and it has the health check', async () => {
      const { stdout } = await podman('image', 'inspect', 'localhost/quayside');
      const [{ Config, Healthcheck, Labels }] = JSON.parse(stdout);
      const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'));
      const label = (name: string) => Labels[`org.opencontainers.image.${name}`];
      assert.equal(label('version'), version);
      assert.equal(label('revision'), 'abcdef');
      assert.equal(label('source'), 'https://git.example.com/quayside');
      assert.equal(Config.User, '1000');
      assert.equal(Healthcheck.Test[0], 'CMD');
    });
    const size = await podman('exec', 'served', 'node', '--eval', sizing);
    const megabytes = Number(size.stdout) / 1e6;
    await fact(`it holds ${megabytes.toFixed(0)} MB beside Node, and ${mostMegabytes} at most`, () =>
      assert.ok(megabytes < mostMegabytes),
    );
    await fact('it ends within its grace time', () => podman('stop', '--time', '20', 'served'));
  },
};

/** Each of buildah and podman may have mounted it, and leaves it so. */
async function unmounted(folder: string): Promise<void> {
  const once = () => finished('umount', ['--recursive', '--lazy', folder], { mayFail: true });
  while ((await once()).code === 0);
}

/** Makes npm keep the packages of the lock file, where others were installed than it names. */
async function kept({ stage }: Scene): Promise<void> {
  const cwd = join(stage.directory, 'kept');
  await mkdir(cwd);
  for (const file of ['package.json', 'package-lock.json', '.npmrc'])
    await copyFile(join(project, file), join(cwd, file));
  await stage.run('npm', ['ci', '--omit=dev', '--ignore-scripts'], { cwd, timeoutMs: 120_000 });
}
