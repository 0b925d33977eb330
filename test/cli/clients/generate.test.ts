import { access, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { parseToml } from '../../../src/cli/clients/toml.ts';
import { run } from '../../../src/cli/commands/run.ts';
import { testAuthority } from '../../support/certificates.ts';
import { recordedIo } from '../io.ts';

const deploy = join(import.meta.dirname, '../../../deploy');

async function generated(args: readonly string[], input = '') {
  const io = recordedIo(undefined, input);
  const code = await run(['clients', 'generate', ...args], io);
  return { code, out: io.out(), err: io.err() };
}

async function folder(t: Test): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'quayside-clients-'));
  t.teardown(() => rm(made, { recursive: true }));
  return made;
}

const objectsIn = (text: string) => parseAllDocuments(text).map((document) => document.toJS());

const plain = ['--host', '127.0.0.1:8400', '--plain-http'];
const ci = [
  ...['--host', 'quayside.example.com', '--for', 'openshift'],
  ...['--source', 'quay-proxy.ci.openshift.org/openshift/ci'],
  ...['--path', 'quay.io/openshift/ci', '--fallback', 'quay.io/openshift/ci'],
];

for (const [sample, args] of [
  ['registries.conf', [...plain, '--for', 'podman']],
  ['hosts.toml', [...plain, '--for', 'containerd', '--source', 'quay.io']],
  ['daemon.json', ['--host', 'hub.cache.example.com', '--for', 'docker', '--source', 'docker.io']],
] as const)
  test(`deploy/clients/${sample} is what the command prints`, async (t) => {
    const { code, out } = await generated(args);
    t.equal(code, 0);
    t.equal(out, await readFile(join(deploy, 'clients', sample), 'utf8'));
  });

test('the mirror sets of deploy/openshift are what the command writes', async (t) => {
  const directory = await folder(t);
  const { code, out } = await generated([...ci, '--dir', directory]);
  t.equal(code, 0);
  const names = out.trim().split('\n');
  t.equal(names.length, 3);
  for (const name of names)
    t.equal(await readFile(name, 'utf8'), await readFile(name.replace(directory, deploy), 'utf8'), name);
});

test('-o json prints the files, or the names of those that it wrote', async (t) => {
  const directory = await folder(t);
  const { files } = JSON.parse((await generated([...ci, '-o', 'json'])).out);
  const { written } = JSON.parse((await generated([...ci, '-o', 'json', '--dir', directory])).out);
  t.same(
    written,
    files.map(({ path }: { path: string }) => join(directory, path)),
  );
  for (const [index, name] of written.entries()) t.equal(await readFile(name, 'utf8'), files[index].text);
});

test('objects are printed as one stream, with a mirror set for tags and one for digests', async (t) => {
  const [tags, digests, provider] = objectsIn((await generated(ci)).out);
  const mirrors = [
    {
      source: 'quay-proxy.ci.openshift.org/openshift/ci',
      mirrors: ['quayside.example.com/quay.io/openshift/ci', 'quay.io/openshift/ci'],
      mirrorSourcePolicy: 'AllowContactingSource',
    },
  ];
  t.match(tags, { kind: 'ImageTagMirrorSet', spec: { imageTagMirrors: mirrors } });
  t.match(digests, { kind: 'ImageDigestMirrorSet', spec: { imageDigestMirrors: mirrors } });
  t.match(provider, {
    kind: 'CRIOCredentialProviderConfig',
    metadata: { name: 'cluster' },
    spec: { matchImages: ['quay-proxy.ci.openshift.org/openshift/ci'] },
  });
});

test('matchImages names the folder above a component with a dot, which it does not accept', async (t) => {
  const { out } = await generated(['--host', 'h', '--for', 'openshift', '--source', 'quay.io/team/a.b/c']);
  t.same(objectsIn(out)[2].spec.matchImages, ['quay.io/team']);
});

test('the pull secret holds a token that came by standard input, and who may read it', async (t) => {
  const args = ['--host', 'q.example:8443', '--for', 'kubernetes', '--namespace', 'team-1'];
  const more = ['--password-file', '-', '--service-account', 'builder', '--dir', await folder(t)];
  const { code, out, err } = await generated([...args, ...more], 'a.b.c\n');
  t.equal(code, 0, err);
  t.notMatch(out + err, /a\.b\.c/);
  const file = out.split('\n').find((line) => line.endsWith('pull-secret.yaml')) ?? '';
  const [secret, role, binding] = objectsIn(await readFile(file, 'utf8'));
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.match(secret, { type: 'kubernetes.io/dockerconfigjson', metadata: { namespace: 'team-1' } });
  const config = JSON.parse(Buffer.from(secret.data['.dockerconfigjson'], 'base64').toString());
  const { auth } = config.auths['q.example:8443'];
  t.equal(Buffer.from(auth, 'base64').toString(), 'serviceaccount:a.b.c');
  t.same(role.rules, [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] }]);
  t.same(binding.subjects, [{ kind: 'ServiceAccount', name: 'builder', namespace: 'team-1' }]);
});

test('a login is in the files of podman, CRI-O and containerd, which others cannot read', async (t) => {
  const directory = await folder(t);
  const password = join(directory, 'password');
  await writeFile(password, 'right\n');
  const login = ['--username', 'node', '--password-file', password, '--dir', directory];
  const clients = ['podman', 'cri-o', 'containerd'].flatMap((name) => ['--for', name]);
  const { code, err } = await generated(['--host', 'q.example', '--source', 'quay.io', ...clients, ...login]);
  t.equal(code, 0, err);
  const auth = Buffer.from('node:right').toString('base64');
  for (const path of ['root/.config/containers/auth.json', 'etc/crio/quayside-auth.json']) {
    t.same(JSON.parse(await readFile(join(directory, path), 'utf8')), { auths: { 'q.example': { auth } } });
    t.equal((await stat(join(directory, path))).mode & 0o777, 0o600);
  }
  const crio = await readFile(join(directory, 'etc/crio/crio.conf.d/50-quayside.conf'), 'utf8');
  t.match(parseToml(crio), { crio: { image: { global_auth_file: '/etc/crio/quayside-auth.json' } } });
  const hosts = join(directory, 'etc/containerd/certs.d/quay.io/hosts.toml');
  t.match(parseToml(await readFile(hosts, 'utf8')), {
    server: 'https://quay.io',
    host: { 'https://q.example': { header: { authorization: `Basic ${auth}` } } },
  });
  t.equal((await stat(hosts)).mode & 0o777, 0o600);
});

test('the authority of the certificate is put where each client looks for it', async (t) => {
  const directory = await folder(t);
  const ca = join(directory, 'authority.pem');
  await writeFile(ca, testAuthority().cert);
  const { out, code } = await generated(['--host', 'q.example:8443', '--ca', ca, '--dir', directory]);
  t.equal(code, 0);
  const names = out.replaceAll(`${directory}/`, '').trim().split('\n');
  for (const path of [
    'etc/containers/certs.d/q.example:8443/ca.crt',
    'etc/containerd/certs.d/quay.io/quayside-ca.crt',
    'etc/containerd/certs.d/docker.io/quayside-ca.crt',
    'etc/docker/certs.d/q.example:8443/ca.crt',
  ]) {
    t.ok(names.includes(path), path);
    t.equal(await readFile(join(directory, path), 'utf8'), await readFile(ca, 'utf8'));
  }
  const [map] = objectsIn(await readFile(join(directory, 'openshift/ca.yaml'), 'utf8'));
  t.same(Object.keys(map.data), ['q.example..8443']);
  const hosts = await readFile(join(directory, 'etc/containerd/certs.d/docker.io/hosts.toml'), 'utf8');
  t.match(parseToml(hosts), {
    server: 'https://registry-1.docker.io',
    host: { 'https://q.example:8443': { ca: 'quayside-ca.crt' } },
  });
});

test('of the file of the authority only certificates are copied, and all of them', async (t) => {
  const directory = await folder(t);
  const [one, other] = [testAuthority(), testAuthority()];
  const ca = join(directory, 'server.pem');
  const { cert, key } = one.issued();
  await writeFile(ca, `subject=q.example\n${key}${cert}${other.cert}`);
  const { out, err, code } = await generated([
    '--host',
    'q.example',
    '--ca',
    ca,
    '--for',
    'podman,openshift',
  ]);
  t.equal(code, 0);
  t.notMatch(out, /PRIVATE KEY|subject=/);
  t.equal(out.split('-----BEGIN CERTIFICATE-----').length - 1, 4, 'two in each of two files');
  t.match(err, /note: .*server\.pem holds more than certificates/);
  await writeFile(ca, key);
  t.match(await generated(['--host', 'q.example', '--ca', ca]), { code: 2, err: /holds no certificate/ });
});

test('a link that leads nowhere is not followed either', async (t) => {
  const directory = await folder(t);
  const path = join(directory, 'etc/containers/registries.conf.d');
  await mkdir(path, { recursive: true });
  await symlink(join(directory, 'elsewhere'), join(path, '50-quayside.conf'));
  const args = ['--host', 'h', '--for', 'podman', '--dir', directory];
  t.match(await generated(args), { code: 1, out: '', err: /50-quayside\.conf exists; nothing was written/ });
  await t.rejects(access(join(directory, 'elsewhere')));
  t.match(await generated([...args, '--force']), { code: 0 });
  await t.rejects(access(join(directory, 'elsewhere')));
});

test('nothing is overwritten without --force, and then nothing is written', async (t) => {
  const directory = await folder(t);
  const args = ['--host', 'h', '--for', 'podman,containerd', '--dir', directory];
  t.match(await generated(args), { code: 0 });
  const file = join(directory, 'etc/containers/registries.conf.d/50-quayside.conf');
  await writeFile(file, 'mine');
  await rm(join(directory, 'etc/containerd'), { recursive: true });
  t.match(await generated(args), { code: 1, out: '', err: /50-quayside\.conf exists; nothing was written/ });
  t.equal(await readFile(file, 'utf8'), 'mine');
  t.match(await generated([...args, '--force']), { code: 0 });
  t.match(await readFile(file, 'utf8'), /\[\[registry\]\]/);
});

for (const [args, says] of [
  [[], 'needs --host HOST[:PORT]'],
  [['--host', 'https://h'], 'takes a host name with or without a port, not https://h'],
  [['--host', 'h', '--for', 'podmann'], '(did you mean podman?)'],
  [['--host', 'h', '--for', 'docker', '--source', 'quay.io'], 'docker asks mirrors for docker.io alone'],
  [['--host', 'h', '--source', 'Quay.io'], '--source Quay.io is no location'],
  [['--host', 'h', '--source', 'a.b', '--source', 'a.b'], '--source a.b is given twice'],
  [['--host', 'h', '--path', 'x'], '--path and --fallback are for one --source'],
  [['--host', 'h', '--username', 'x'], '--username needs --password-file'],
  [['--host', 'h', '--password', 'secret'], 'unknown option --password'],
  [['--host', 'h', '--password-file', '/nowhere/at/all'], 'cannot be read (ENOENT)'],
  [['--host', 'h', '--password-file', '-'], 'must hold one line'],
  [['--host', 'h', '--ca', import.meta.filename], 'holds no certificate in PEM form'],
  [['--host', 'h', '--namespace', 'A B'], '--namespace takes a name of Kubernetes'],
  [['--host', 'h', 'more'], 'takes no argument more'],
] as const)
  test(`a mistake is said: ${says}`, async (t) => {
    const { code, out, err } = await generated(args);
    t.same({ code, out }, { code: 2, out: '' });
    t.ok(err.includes(says), err);
  });
