import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { parseGoDuration } from '../../../src/base/text/go-duration.ts';
import type { Start } from '../../../src/cli/serve/serve.ts';
import { type Config, load } from '../../../src/config/load.ts';
import { proxying } from '../../../src/predecessors/commands/proxy.ts';
import { recordedIo } from '../../cli/io.ts';

const secrets = {
  username: 'openshift+robot',
  password: 'hunter2',
  token: 'a secret of at least thirty-two bytes',
  'tls.crt': 'a certificate',
  'tls.key': 'a key',
};

/** The arguments of the original's Deployment, over files of the test. */
function deploymentArgs(folder: string): string[] {
  return [
    '-listen-addr=0.0.0.0:8400',
    `-tls-cert-file=${join(folder, 'tls.crt')}`,
    `-tls-key-file=${join(folder, 'tls.key')}`,
    `-robot-username-file=${join(folder, 'username')}`,
    `-robot-password-file=${join(folder, 'password')}`,
    `-token-secret-file=${join(folder, 'token')}`,
    '-exposed-host=quay-proxy.ci.openshift.org',
  ];
}

/** The configuration that the service would be started with. */
async function started(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Config> {
  const seen: Config[] = [];
  const start: Start = async (config) => {
    seen.push(config);
    const nothing = () => undefined;
    const prepare = async () => ({ take: nothing, discard: async () => undefined });
    const server = { prepare, forget: nothing, leave: nothing, close: async () => undefined };
    return { address: '127.0.0.1:8400', ...server };
  };
  await proxying(start)(args, { ...recordedIo(AbortSignal.abort()), env });
  const [config] = seen;
  if (config === undefined) throw new Error('nothing was started');
  return config;
}

/** What a person reads who got the command line wrong. */
async function complaint(t: Test, args: readonly string[]): Promise<string> {
  const start: Start = () => Promise.reject(new Error('started'));
  const error: unknown = await proxying(start)(args, recordedIo()).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  t.type(error, Error);
  return error instanceof Error ? error.message : '';
}

test('the arguments of the original’s Deployment start the service', async (t) => {
  const folder = t.testdir(secrets);
  t.match(await started(deploymentArgs(folder)), {
    listen: '0.0.0.0:8400',
    tls: { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') },
    publicUrl: 'https://quay-proxy.ci.openshift.org',
    shutdownGraceMs: 10_000,
    log: { qciAppci: true },
    store: { memory: {} },
    defaultUpstream: 'quay.io',
    upstreams: {
      'quay.io': {
        url: 'https://quay.io',
        repositories: ['openshift/ci'],
        credentials: { usernameFile: join(folder, 'username'), passwordFile: join(folder, 'password') },
      },
    },
    clusters: { 'app.ci': {} },
    hosts: {
      '*': {
        auth: 'cluster',
        access: 'parity',
        upstream: 'quay.io',
        blobs: 'bypass',
        anonymous: false,
        robots: { usernameFile: join(folder, 'username'), passwordFile: join(folder, 'password') },
        tokenSecretFile: join(folder, 'token'),
        tokenValiditySeconds: 21_600,
      },
    },
  });
});

test('a flag has one dash or two, and its value behind = or as the next word; the last one counts', async (t) => {
  const args = deploymentArgs(t.testdir(secrets));
  for (const words of [
    ['-gracePeriod=1m30s'],
    ['--gracePeriod', '1m30s'],
    ['-gracePeriod', '5s', '-gracePeriod', '90s'],
  ])
    t.equal((await started([...args, ...words])).shutdownGraceMs, 90_000, words.join(' '));
  t.equal((await started([...args, '-listen-addr=:8443'])).listen, '0.0.0.0:8443');
});

test('durations are those of Go', (t) => {
  for (const [text, ms] of [
    ['10s', 10_000],
    ['21600s', 21_600_000],
    ['6h0m0s', 21_600_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['0', 0],
    ['100us', 0],
    ['2ms', 2],
  ] as const)
    t.equal(parseGoDuration(text), ms, text);
  for (const text of ['', '10', '-5s', 's', '1d', '1s x', '1 s']) t.throws(() => parseGoDuration(text), text);
  t.end();
});

test('what is missing is said in the words of the original, all of it', async (t) => {
  t.equal(
    await complaint(t, ['--exposed-host=']),
    [
      '--exposed-host must not be empty',
      '--robot-username-file must not be empty',
      '--robot-password-file must not be empty',
      '--token-secret-file must not be empty',
      '--tls-cert-file must not be empty',
      '--tls-key-file must not be empty',
    ]
      .map((line) => `quayside proxy: ${line}`)
      .join('\n'),
  );
});

test('a value that cannot be is told with its flag', async (t) => {
  const folder = t.testdir({ ...secrets, folder: {} });
  const said = (...args: string[]) => complaint(t, [...deploymentArgs(folder), ...args]);
  t.equal(
    await said('-interval=often'),
    'quayside proxy: --interval must be a duration such as 10s, 21600s or 6h0m0s',
  );
  t.match(await said('-listen-addr=nowhere'), 'quayside proxy: --listen-addr must be host:port');
  t.equal(await said('-token-validity=60s'), 'quayside proxy: --token-validity must be 5m at least');
  t.equal(
    await said(`-robot-username-file=${folder}/none`),
    `quayside proxy: --robot-username-file ${folder}/none cannot be read (ENOENT)`,
  );
  t.equal(await said('serve'), 'quayside proxy: serve is no flag');
});

test('a flag that there is not is refused with the one that was meant', async (t) => {
  t.equal(await complaint(t, ['-listen-adr=x']), 'unknown option --listen-adr (did you mean --listen-addr?)');
});

test('the cluster is the one of --kubeconfig, else of KUBECONFIG', async (t) => {
  const folder = t.testdir({ ...secrets, one: 'x', two: 'x' });
  const args = deploymentArgs(folder);
  const env = { KUBECONFIG: join(folder, 'one') };
  t.match(await started(args, env), { clusters: { 'app.ci': { kubeconfigFile: join(folder, 'one') } } });
  t.match(await started([...args, '--kubeconfig', join(folder, 'two')], env), {
    clusters: { 'app.ci': { kubeconfigFile: join(folder, 'two') } },
  });
});

test('KUBECONFIG gives way to a file of settings', async (t) => {
  const folder = t.testdir({ ...secrets, one: 'x', two: 'x' });
  const more = join(folder, 'more.yaml');
  await writeFile(more, `clusters: { app.ci: { kubeconfigFile: ${join(folder, 'two')} } }`);
  const config = await started([...deploymentArgs(folder), `--config=${more}`], {
    KUBECONFIG: join(folder, 'one'),
  });
  t.match(config, { clusters: { 'app.ci': { kubeconfigFile: join(folder, 'two') } } });
});

test('a file adds settings: it counts more than a default, and less than a flag that is given', async (t) => {
  const folder = t.testdir({
    ...secrets,
    'more.yaml': `listen: 127.0.0.1:1
shutdownGraceMs: 1m
store: { filesystem: { path: /cache } }
hosts: { "*": { access: imagestream, blobs: serve }, "127.0.0.1": {} }
`,
  });
  const config = await started([...deploymentArgs(folder), '--config', join(folder, 'more.yaml')]);
  t.match(config, {
    listen: '0.0.0.0:8400',
    shutdownGraceMs: 60_000,
    store: { filesystem: { path: '/cache' } },
    hosts: { '*': { auth: 'cluster', access: 'imagestream', blobs: 'serve' }, '127.0.0.1': { auth: 'none' } },
  });
  t.notOk('memory' in config.store);
});

test('what is wrong in the file is told with its line there', async (t) => {
  const folder = t.testdir({
    ...secrets,
    'more.yaml': 'log:\n  level: loud\n',
    'odd.yaml': 'log:\nlog: {}\n',
  });
  const said = (file: string) => complaint(t, [...deploymentArgs(folder), '--config', join(folder, file)]);
  t.match(await said('more.yaml'), `${join(folder, 'more.yaml')}:2: log.level: must be one of`);
  t.match(await said('odd.yaml'), `${join(folder, 'odd.yaml')}:2: log: is given twice`);
  t.match(await said('none.yaml'), `${join(folder, 'none.yaml')}: cannot be read (ENOENT)`);
});

test('--print-config prints a file that means the same, with paths in place of secrets', async (t) => {
  const folder = t.testdir(secrets);
  const args = deploymentArgs(folder);
  const io = recordedIo();
  const never: Start = () => Promise.reject(new Error('started'));
  t.equal(await proxying(never)([...args, '--print-config'], io), 0);
  t.same(load(io.out(), {}), await started(args));
  t.notMatch(io.out(), 'hunter2');
});
