import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { type Test, test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import { deepCheck } from '../../../src/cli/deep/deep-check.ts';
import { load } from '../../../src/config/load.ts';
import { testAuthority } from '../../support/certificates.ts';
import { clusterDouble } from '../../support/cluster-double.ts';
import { helperProgram } from '../../support/helper-program.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { s3Double } from '../../support/s3-double.ts';
import { recordedIo } from '../io.ts';

async function checked(t: Test, text: string, ...options: string[]) {
  const directory = t.testdirName;
  const file = join(directory, 'q.yaml');
  await writeFile(file, text.replaceAll('DIR', directory));
  const io = recordedIo();
  const code = await run(['config', 'check', ...options, file], io);
  return { code, out: io.out().replaceAll(directory, 'DIR'), err: io.err() };
}

test('files are opened as what they must be', async (t) => {
  const authority = testAuthority();
  const [one, other] = [authority.issued(), authority.issued()];
  t.testdir({
    cert: one.cert,
    key: one.key,
    other: other.key,
    old: authority.issued({ days: -1 }).cert,
    text: 'hunter2',
    empty: '\n',
    md5: 'robot:$apr1$hunter2',
    htpasswd: `robot:${await hash('hunter2', 4)}`,
    auth: '{"auths":{"quay.io":{"auth":"aHVudGVyMg=="}}}',
    kubeconfig: 'clusters: hunter2',
  });
  const { code, out } = await checked(
    t,
    `tls: { certFile: DIR/cert, keyFile: DIR/other }
store: { memory: {} }
spool: { path: DIR/spool }
defaultUpstream: none
upstreams:
  a.invalid: { caFile: DIR/text, credentials: { authFile: DIR/auth } }
  b.invalid: { caFile: DIR/old, credentials: { usernameFile: DIR/text, passwordFile: DIR/empty } }
clusters:
  c: { kubeconfigFile: DIR/kubeconfig }
hosts:
  a.example: { auth: robots, robots: { htpasswdFile: DIR/md5 } }
  b.example: { auth: robots, robots: { htpasswdFile: DIR/htpasswd } }
`,
    '--deep',
  );
  t.equal(code, 2);
  for (const line of [
    'DIR/q.yaml:1: tls.keyFile: DIR/other is not the key of the certificate in DIR/cert',
    'DIR/q.yaml:6: upstreams["a.invalid"].caFile: DIR/text holds no PEM certificate',
    'DIR/q.yaml:6: upstreams["a.invalid"].credentials.authFile: DIR/auth has no login for quay.io',
    'DIR/q.yaml:7: upstreams["b.invalid"].caFile: DIR/old holds a certificate that ended at',
    'DIR/q.yaml:7: upstreams["b.invalid"].credentials.passwordFile: DIR/empty is empty',
    'DIR/q.yaml:9: clusters.c.kubeconfigFile: DIR/kubeconfig cannot be used: the kubeconfig',
    'DIR/q.yaml:11: hosts["a.example"].robots.htpasswdFile: DIR/md5 cannot be used: line 1',
  ])
    t.match(out, line);
  t.notMatch(out, 'b.example');
  t.notMatch(out, 'hunter2');
});

test('store, spool, upstreams and clusters that work are said to', async (t) => {
  const api = await clusterDouble();
  t.teardown(() => api.close());
  const double = await registryDouble();
  t.teardown(() => double.close());
  t.testdir({ user: 'robot', password: 'right' });
  const kubeconfig = await api.kubeconfig(t.testdirName);
  double.switches.requiresToken = { user: 'robot', password: 'right' };
  const { code, out } = await checked(
    t,
    `store: { filesystem: { path: DIR/store } }
defaultUpstream: none
upstreams:
  a.example:
    url: ${double.url}
    allowPrivateAddresses: true
    credentials: { usernameFile: DIR/user, passwordFile: DIR/password }
clusters:
  c: { kubeconfigFile: ${kubeconfig} }
`,
    '--deep',
  );
  t.match(out, /^cluster c: answers reviews/m);
  t.match(out, /^store: the directory DIR\/store takes and returns a probe$/m);
  t.match(out, /^spool: DIR\/store\/spool takes a probe$/m);
  t.match(out, /^upstream a\.example: answers GET \/v2\/ with 200$/m);
  t.match(out, /^DIR\/q\.yaml: fine$/m);
  t.equal(code, 0);
  const left = await readdir(join(t.testdirName, 'store'), { recursive: true, withFileTypes: true });
  t.same(
    left.filter((entry) => entry.isFile()).map(({ name }) => name),
    [],
    'probes are gone',
  );
});

test('what does not work is a line with setting, cause and what to do', async (t) => {
  const double = await registryDouble();
  t.teardown(() => double.close());
  const gone = await registryDouble();
  await gone.close();
  t.testdir({ user: 'robot', password: 'wrong', file: '' });
  double.switches.requiresToken = { user: 'robot', password: 'right' };
  const { code, out } = await checked(
    t,
    `store: { filesystem: { path: DIR/file/store } }
defaultUpstream: none
upstreams:
  a.example:
    url: ${double.url}
    allowPrivateAddresses: true
    credentials: { usernameFile: DIR/user, passwordFile: DIR/password }
  b.example: { url: '${gone.url}' }
`,
    '--deep',
  );
  t.equal(code, 1);
  t.match(
    out,
    /^DIR\/q\.yaml:1: store\.filesystem\.path: the directory .* cannot be written \(ENOTDIR.*a part/m,
  );
  t.match(out, /^DIR\/q\.yaml:7: upstreams\["a\.example"\]\.credentials: a\.example's token server refuses/m);
  t.match(out, /^DIR\/q\.yaml:8: upstreams\["b\.example"\]: .*ECONNREFUSED.*check url/m);
  t.notMatch(out, 'fine\n');
});

test('a bucket is asked for, and a wrong key is told', async (t) => {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  t.testdir({ id: 'AKIDEXAMPLE', key: 'secret' });
  const text = `store: { s3: { bucket: blobs, endpoint: '${s3.endpoint}', pathStyle: true, accessKeyIdFile: DIR/id, secretAccessKeyFile: DIR/key } }
spool: { path: DIR/spool }
defaultUpstream: none
upstreams: {}
`;
  t.match(await checked(t, text, '--deep'), { code: 0, out: /^store: bucket blobs at .* probe$/m });
  const near = text.replace(' }\nspool', ' , disk: { path: DIR/id } }\nspool');
  t.match(await checked(t, near, '--deep'), {
    code: 1,
    out: /^DIR\/q\.yaml:1: store\.disk\.path: the directory of store\.disk .* \(ENOTDIR/m,
  });
  s3.switches.down = true;
  const { code, out } = await checked(t, text, '--deep');
  t.equal(code, 1);
  t.match(out, /^DIR\/q\.yaml:1: store\.s3: bucket blobs at http:\/\/127\.0\.0\.1:\d+ cannot be used \(/m);
});

test('a login program of a kubeconfig that does not end holds up nothing', async (t) => {
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['4'] };
  const kubeconfig = JSON.stringify({
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    users: [{ name: 'u', user: { exec: { ...exec, interactiveMode: 'Never' } } }],
  });
  const dir = t.testdir({ kubeconfig });
  const text = `store: { memory: {} }
spool: { path: ${dir}/spool }
defaultUpstream: none
upstreams: {}
clusters: { c: { kubeconfigFile: ${dir}/kubeconfig } }
`;
  const { findings } = await deepCheck(load(text, {}), { env: {}, patienceMs: 1_000 });
  t.match(
    findings.find(({ what }) => what === 'cluster c'),
    { path: ['clusters', 'c'], fault: 'has not answered within 1 s' },
  );
});

test('--output json is one document for machines', async (t) => {
  t.testdir({ file: '' });
  const text = `store: { memory: {} }
spool: { path: DIR/file/spool }
defaultUpstream: none
upstreams: {}
`;
  const { code, out } = await checked(t, text, '--deep', '--output', 'json');
  t.equal(code, 1);
  t.match(JSON.parse(out), {
    isFine: false,
    faults: [],
    checks: [
      { what: 'store', isFine: true },
      { what: 'spool', isFine: false, setting: 'spool.path', line: 2, message: /ENOTDIR/ },
    ],
  });
  const plain = await checked(t, 'listen: 1', '--output', 'json');
  t.match(JSON.parse(plain.out), { isFine: false, faults: [{ setting: 'listen', line: 1 }] });
  t.equal(plain.code, 2);
});

test('--without-files looks at no file but that one', async (t) => {
  t.testdir({});
  const text = 'tls: { certFile: DIR/nowhere, keyFile: DIR/nowhere }';
  t.match(await checked(t, text), { code: 2 });
  t.match(await checked(t, text, '--without-files'), { code: 0, out: 'DIR/q.yaml: fine\n' });
  t.match(await checked(t, 'listen: 1', '--without-files'), { code: 2 });
});

test('a spool without rights says whose it must be', { skip: process.getuid?.() === 0 }, async (t) => {
  t.testdir({});
  const path = join(t.testdirName, 'theirs');
  await mkdir(path);
  await chmod(path, 0o500);
  const text = `store: { memory: {} }
spool: { path: DIR/theirs }
defaultUpstream: none
upstreams: {}
`;
  t.match(await checked(t, text, '--deep'), { code: 1, out: /EACCES.*give it to the user/ });
});

test('the schema names every setting with its default', async (t) => {
  const io = recordedIo();
  t.equal(await run(['config', 'schema'], io), 0);
  const schema = JSON.parse(io.out());
  t.match(schema, {
    $schema: /json-schema/,
    type: 'object',
    additionalProperties: false,
    properties: {
      listen: { default: '127.0.0.1:8400', description: /host:port/ },
      shutdownGraceMs: { default: '30s', description: /30s/ },
      log: {
        properties: { level: { enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] } },
      },
      upstreams: { type: 'object' },
    },
  });
});

test('a helper that an auth file names is looked for, and asked for the login', async (t) => {
  const double = await registryDouble();
  t.teardown(() => double.close());
  double.switches.requiresBasic = { user: 'robot', password: 'of-a-helper' };
  t.testdir({
    'fine.json': JSON.stringify({ auths: { 'a.example': {} }, credHelpers: { 'a.example': 'tool' } }),
    'absent.json': JSON.stringify({ credHelpers: { 'b.example': 'absent', 'c.example': '../x' } }),
  });
  const says = { ServerURL: 'a.example', Username: 'robot', Secret: 'of-a-helper' };
  const { directory } = helperProgram(t.testdirName, 'docker-credential-tool', { says });
  const { out } = await checked(
    t,
    `store: { memory: {} }
spool: { path: DIR/spool }
defaultUpstream: none
credentialHelpers:
  directories: [${directory}]
  exec: [{ name: provider, matchImages: ["*.example"] }]
upstreams:
  a.example: { url: ${double.url}, allowPrivateAddresses: true, credentials: { authFile: DIR/fine.json } }
  b.example: { url: ${double.url}, allowPrivateAddresses: true, credentials: { authFile: DIR/absent.json } }
`,
    '--deep',
  );
  t.match(out, /^upstream a\.example: answers GET \/v2\/ with 200$/m);
  const where = 'upstreams["b.example"].credentials.authFile: DIR/absent.json:';
  t.match(out, `${where} credHelpers.b.example: docker-credential-absent is no executable file`);
  t.match(out, `${where} credHelpers.c.example: the name of a helper has`);
  t.match(out, 'credentialHelpers.exec[0].name: provider is no executable file');
  t.notMatch(out, 'fine.json');
});
