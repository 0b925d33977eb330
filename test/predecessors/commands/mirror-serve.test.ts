import { join } from 'node:path';
import { test } from 'tap';
import type { Start } from '../../../src/cli/serve/serve.ts';
import type { Config } from '../../../src/config/load.ts';
import { mirrorServing } from '../../../src/predecessors/commands/mirror-serve.ts';
import { recordedIo } from '../../cli/io.ts';

const files = { auth: '{}', '_config.yaml': '', kubeconfig: '{}' };

/** The arguments of the original's Deployment, over files of the test. */
function deploymentArgs(folder: string): string[] {
  return [
    '--leader-election-namespace=ci',
    '--release-repo-git-sync-path=/var/repo/release',
    `--registry-config=${join(folder, 'auth')}`,
    `--config=${join(folder, '_config.yaml')}`,
  ];
}

async function run(args: readonly string[]) {
  const configs: Config[] = [];
  const validated: (readonly string[])[] = [];
  const nothing = () => undefined;
  const start: Start = async (config) => {
    configs.push(config);
    const prepare = async () => ({ take: nothing, discard: async () => undefined });
    const server = { prepare, forget: nothing, leave: nothing, close: async () => undefined };
    return { address: '127.0.0.1:8400', ...server };
  };
  const io = recordedIo(AbortSignal.abort());
  const serve = mirrorServing(start, async (passed) => {
    validated.push(passed);
    return 0;
  });
  const code = await serve(args, io);
  return { code, config: configs[0], validated, out: io.out() };
}

test('the Deployment of the original means the same here', async (t) => {
  const folder = t.testdir(files);
  const { config } = await run(deploymentArgs(folder));
  t.match(config, {
    admin: { listen: '0.0.0.0:8080' },
    shutdownGraceMs: 10_000,
    mirror: {
      configFile: join(folder, '_config.yaml'),
      authFile: join(folder, 'auth'),
      listen: '0.0.0.0:8090',
      dryRun: false,
      lease: { cluster: 'app.ci', namespace: 'ci', name: 'ci-image-mirror' },
      imageStreams: {
        cluster: 'app.ci',
        watch: false,
        releaseRepo: '/var/repo/release',
        onlyValidManifestV2Images: true,
      },
      misses: { onMiss: 'off' },
    },
  });
});

test('every flag decides what it did', async (t) => {
  const folder = t.testdir(files);
  const options = 'quayIOCIImagesDistributorOptions';
  const { config } = await run([
    ...deploymentArgs(folder),
    '-dry-run',
    '--leader-election-suffix=-test',
    '--enable-controller=quay_io_ci_images_distributor',
    `--${options}.additional-image-stream-tag=ci/a:b`,
    `--${options}.additional-image-stream-tag`,
    'ci/a:c',
    `--${options}.additional-image-stream=ci/d`,
    `--${options}.additional-image-stream-namespace=ocp`,
    `--${options}.ignore-image-stream-tag=ocp/4.5:x`,
    '--port=9090',
    '--gracePeriod=1m',
    '--only-valid-manifest-v2-images=false',
    `--kubeconfig=${join(folder, 'kubeconfig')}`,
  ]);
  t.match(config, {
    shutdownGraceMs: 60_000,
    clusters: { 'app.ci': { kubeconfigFile: join(folder, 'kubeconfig') } },
    mirror: {
      listen: '0.0.0.0:9090',
      dryRun: true,
      lease: { name: 'ci-image-mirror-test' },
      imageStreams: {
        watch: true,
        additionalTags: ['ci/a:b', 'ci/a:c'],
        additionalStreams: ['ci/d'],
        additionalNamespaces: ['ocp'],
        ignoredTags: ['ocp/4.5:x'],
        onlyValidManifestV2Images: false,
      },
    },
  });
});

test('what is wrong with flags is told at once, under their names', async (t) => {
  const running = run([
    '--enable-controller=other',
    '--leader-election-suffix=x',
    '--port=none',
    '--dry-run=no',
  ]);
  await t.rejects(running, /--enable-controller the following controllers are unknown: \[other\]/);
  await t.rejects(running, /--leader-election-suffix can only be set together with --dry-run/);
  await t.rejects(running, /--registry-config must not be empty/);
  await t.rejects(running, /--port must be a port/);
  await t.rejects(running, /--dry-run must be true or false/);
  await t.rejects(run(['--unknown']), /unknown option --unknown/);
});

test('an optional flag that is empty is as if it were not there, as Go has it', async (t) => {
  const folder = t.testdir(files);
  const empty = ['--leader-election-suffix=', '--config', '', '--settings=', '--kubeconfig='];
  const { config } = await run([...deploymentArgs(folder), ...empty]);
  t.match(config?.mirror, { configFile: undefined, lease: { name: 'ci-image-mirror' } });
  t.match(config?.clusters, { 'app.ci': { kubeconfigFile: undefined } });
  const refused = ['--leader-election-namespace=', '--gracePeriod=', '--dry-run=', '--enable-controller='];
  for (const flag of refused)
    await t.rejects(run([...deploymentArgs(folder), flag]), /must not be empty/, flag);
});

test('--validate-config-only validates, and serves nothing', async (t) => {
  const { code, config, validated } = await run([
    '--validate-config-only',
    '--config=a.yaml',
    '--registry-config=b',
  ]);
  t.equal(code, 0);
  t.equal(config, undefined);
  t.same(validated, [['--config=a.yaml', '--registry-config=b']]);
});

test('--validate-config-only compares a file of a checkout with the one in force', async (t) => {
  const release = '--release-repo-git-sync-path=/go/release';
  const args = ['--validate-config-only', '--registry-config=b', release];
  const { validated } = await run([
    ...args,
    '--config=/go/release/core-services/image-mirroring/_config.yaml',
  ]);
  t.same(validated, [
    [
      '--config=/go/release/core-services/image-mirroring/_config.yaml',
      '--registry-config=b',
      release,
      '--against=https://raw.githubusercontent.com/openshift/release/main/core-services/image-mirroring/_config.yaml',
    ],
  ]);
  t.same((await run([...args, '--config=/elsewhere/_config.yaml'])).validated, [
    ['--config=/elsewhere/_config.yaml', '--registry-config=b', release],
  ]);
});

test('--validate-config-only needs flags that are sound', async (t) => {
  const running = run(['--validate-config-only', '--config=a.yaml', '--enable-controller=other']);
  await t.rejects(running, /--registry-config must not be empty/);
  await t.rejects(running, /--enable-controller the following controllers are unknown: \[other\]/);
});

test('--print-config prints the settings that all this means', async (t) => {
  const { out } = await run([...deploymentArgs(t.testdir(files)), '--print-config']);
  t.match(out, /^mirror:\n(?: .*\n)*? {2}listen: 0\.0\.0\.0:8090$/m);
});

test('--log-format pretty writes lines for people', async (t) => {
  const folder = t.testdir(files);
  const lines = async (...more: string[]) => (await run([...deploymentArgs(folder), ...more])).out;
  t.match(await lines(), /^\{"level":"info"/);
  t.match(await lines('--log-format=pretty'), /^\[.*\] INFO/);
  await t.rejects(lines('--log-format=xml'), /--log-format must be json or pretty/);
});
