import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { nextStep } from '../../../src/cli/clients/check/advice.ts';
import { daemonChain } from '../../../src/cli/clients/check/daemon-json.ts';
import { createLogins } from '../../../src/cli/clients/check/logins.ts';
import { parseImageName } from '../../../src/cli/clients/image-name.ts';
import { createMachine } from '../../../src/cli/clients/machine.ts';
import { run } from '../../../src/cli/commands/run.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { ciRepository, sharingImage } from '../../support/access-rig.ts';
import { testAuthority } from '../../support/certificates.ts';
import { clusterDouble } from '../../support/cluster-double.ts';
import { listening } from '../../support/listening.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { serviceRig } from '../../support/service.ts';
import { recordedIo } from '../io.ts';

/** A machine with these files, whose home is within it. */
async function machine(t: Test, files: Readonly<Record<string, string>> = {}) {
  const root = await mkdtemp(join(tmpdir(), 'quayside-machine-'));
  t.teardown(() => rm(root, { recursive: true }));
  const put = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) await put(path, text);
  async function command(args: readonly string[], input = '') {
    const io = { ...recordedIo(undefined, input), env: { HOME: '/root', XDG_RUNTIME_DIR: '/run/user/0' } };
    const code = await run(['clients', ...args], io);
    return { code, out: io.out(), err: io.err() };
  }
  const check = (...args: readonly string[]) =>
    command(['check', '--root', root, '--timeout', '20', ...args]);
  return { root, put, command, check, file: (path: string) => join(root, path) };
}

async function registry(t: Test): Promise<RegistryDouble> {
  const double = await registryDouble();
  t.teardown(() => double.close());
  return double;
}

interface Table {
  readonly prefix: string;
  readonly location: string;
  readonly mirrors: readonly (readonly [location: string, pulls?: string])[];
}

function registriesConf({ prefix, location, mirrors }: Table): string {
  const tables = mirrors.map(([at, pulls]) =>
    [
      '[[registry.mirror]]',
      `location = "${at}"`,
      'insecure = true',
      ...(pulls ? [`pull-from-mirror = "${pulls}"`] : []),
    ].join('\n'),
  );
  return [`[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\ninsecure = true`, ...tables].join(
    '\n',
  );
}

const conf = 'etc/containers/registries.conf.d/50-quayside.conf';

/** podman with one mirror, Quayside, and the registry itself. */
async function podmanMachine(t: Test) {
  const rig = await serviceRig(t);
  rig.double.addImage('team/app', 'v1');
  const host = new URL(rig.url).host;
  const files = {
    [conf]: registriesConf({
      prefix: 'quay.test/team',
      location: `${rig.double.host}/team`,
      mirrors: [[`${host}/quay.io/team`]],
    }),
  };
  return { rig, host, ...(await machine(t, files)) };
}

const reports = (out: string) => JSON.parse(out).clients as { links: Record<string, unknown>[] }[];

test('each place of the chain is asked, also behind one that answers, and says what it gave', async (t) => {
  const { rig, host, check, file } = await podmanMachine(t);
  const { code, out, err } = await check('quay.test/team/app:v1');
  t.equal(code, 0, out + err);
  const [head, first, second, ...rest] = out.trimEnd().split('\n');
  t.equal(head, `podman pulls quay.test/team/app:v1 by ${file(conf)}`);
  t.match(
    first,
    new RegExp(
      `^  ✓ ${host}/quay\\.io/team/app  200  manifest, config and 2 layers in .*; Quayside: miss; fill; sha256:`,
    ),
  );
  t.match(second, new RegExp(`^  ✓ ${rig.double.host}/team/app  200  manifest, config and 2 layers`));
  t.same(rest, []);
});

test('JSON has a document with each link, its digest and its bytes', async (t) => {
  const { rig, check } = await podmanMachine(t);
  const { code, out } = await check('--output', 'json', '--deep', 'quay.test/team/app:v1');
  t.equal(code, 0);
  t.match(JSON.parse(out), { image: 'quay.test/team/app:v1', verdict: 'ok' });
  const [{ links } = { links: [] }] = reports(out);
  const digest = rig.double.tagOf('team/app', 'v1');
  for (const link of links) t.match(link, { verdict: 'ok', status: 200, digest, step: 'layer' });
  t.ok(links.every(({ bytes }) => Number(bytes) > 3_000));
});

test('what generate writes is what check follows', async (t) => {
  const rig = await serviceRig(t, { settings: { defaultUpstream: 'quay.io' } });
  rig.double.addImage('team/app', 'v1');
  const { root, command, check, file } = await machine(t);
  const host = new URL(rig.url).host;
  const more = ['--source', 'quay.io', '--for', 'podman,containerd', '--dir', root];
  t.match(await command(['generate', '--host', host, '--plain-http', ...more]), { code: 0 });
  await writeFile(
    file('etc/containerd/certs.d/quay.io/hosts.toml'),
    `server = "${rig.double.url}"\n[host."http://${host}"]\ncapabilities = ["pull", "resolve"]\n`,
  );
  const { out } = await check('--client', 'containerd', '--output', 'json', 'quay.io/team/app:v1');
  t.match(reports(out)[0]?.links, [
    { location: `http://${host}`, verdict: 'ok', hit: 'miss; fill' },
    { location: rig.double.url, verdict: 'ok' },
  ]);
});

test('a pull by digest asks the mirrors for digests, one by tag the mirrors for tags', async (t) => {
  const double = await registry(t);
  double.addImage('team/app', 'v1');
  const mirrors = [
    [`${double.host}/team`, 'tag-only'],
    [`${double.host}/team`, 'digest-only'],
  ] as const;
  const text = registriesConf({ prefix: 'quay.test/team', location: `${double.host}/team`, mirrors });
  const { check } = await machine(t, { [conf]: text });
  const verdicts = async (reference: string) => {
    const { code, out } = await check('--output', 'json', reference);
    return [code, reports(out)[0]?.links.map(({ verdict }) => verdict)];
  };
  t.same(await verdicts('quay.test/team/app:v1'), [0, ['ok', 'skipped', 'ok']]);
  const digest = double.tagOf('team/app', 'v1');
  t.same(await verdicts(`quay.test/team/app@${digest}`), [0, ['skipped', 'ok', 'ok']]);
  t.same(
    await verdicts(`quay.test/team/app:v1@${digest}`),
    [0, ['skipped', 'ok', 'ok']],
    'the digest counts',
  );
});

test('the longest prefix applies, and a later file replaces the table of an earlier one', async (t) => {
  const double = await registry(t);
  double.addImage('team/app', 'v1');
  const to = (prefix: string, path: string) =>
    registriesConf({ prefix, location: `${double.host}${path}`, mirrors: [] });
  const { check } = await machine(t, {
    'etc/containers/registries.conf': to('quay.test', '/elsewhere'),
    'etc/containers/registries.conf.d/10.conf': to('quay.test/team', '/wrong'),
    'etc/containers/registries.conf.d/20.conf': to('quay.test/team', '/team'),
    'etc/containers/registries.conf.d/30.conf': to('quay.test/te', '/no-component'),
    'etc/containers/registries.conf.d/README': 'not read',
  });
  const { out } = await check('--output', 'json', 'quay.test/team/app:v1');
  t.match(reports(out)[0]?.links, [{ location: `${double.host}/team/app`, verdict: 'ok' }]);
});

for (const [name, spoil, expected] of [
  [
    'a throttled one cannot be told',
    { status: { of: 'manifests', code: 429 }, retryAfter: '7' },
    { verdict: 'unknown', status: 429, next: /after 7 s/ },
  ],
  [
    'a failing one cannot be told',
    { status: { of: 'manifests', code: 503, error: 'UNAVAILABLE' } },
    { verdict: 'unknown', status: 503, code: 'UNAVAILABLE' },
  ],
  [
    'one that refuses is wrong',
    { status: { of: 'blobs', code: 403, error: 'DENIED' } },
    { verdict: 'wrong', status: 403, code: 'DENIED', step: 'config' },
  ],
  [
    'one without the tag is wrong',
    { status: { of: 'manifests', code: 404, error: 'MANIFEST_UNKNOWN' } },
    { verdict: 'wrong', status: 404, next: /has the image been pushed/ },
  ],
  [
    'one that serves other bytes is wrong',
    { servesWrongBytes: true },
    { verdict: 'wrong', step: 'manifest' },
  ],
  [
    'one that answers with a web page is wrong',
    { answersHtml: true },
    { verdict: 'wrong', step: 'manifest', reason: /no manifest/ },
  ],
  [
    'one that drops the connection cannot be told',
    { down: true },
    { verdict: 'unknown', step: 'connection', reason: /closed the connection/ },
  ],
] as const)
  test(`of a place: ${name}, with the reason and the next step`, async (t) => {
    const double = await registry(t);
    double.addImage('team/app', 'v1');
    Object.assign(double.switches, spoil);
    const text = registriesConf({ prefix: 'quay.test', location: double.host, mirrors: [] });
    const { check } = await machine(t, { [conf]: text });
    const { code, out } = await check('--output', 'json', 'quay.test/team/app:v1');
    t.match(reports(out)[0]?.links, [expected]);
    t.equal(code, expected.verdict === 'wrong' ? 1 : 3);
    t.type(reports(out)[0]?.links[0]?.['next'], 'string');
  });

test('nothing that listens is wrong, and the next place is asked', async (t) => {
  const gone = await registryDouble();
  await gone.close();
  const double = await registry(t);
  double.addImage('team/app', 'v1');
  const text = registriesConf({ prefix: 'quay.test', location: double.host, mirrors: [[gone.host]] });
  const { check } = await machine(t, { [conf]: text });
  const { code, out } = await check('quay.test/team/app:v1');
  t.equal(code, 1);
  t.match(
    out,
    new RegExp(
      `✗ ${gone.host}/team/app ${gone.host} refuses the connection: nothing listens there → is Quayside`,
    ),
  );
  t.match(out, new RegExp(`✓ ${double.host}/team/app  200`));
});

test('a wrong byte of a layer shows with --deep alone, and a wrong size without', async (t) => {
  const double = await registry(t);
  const config = double.addBlob('team/app', Buffer.from('{}'));
  const layer = double.addBlob('team/app', Buffer.alloc(500, 1));
  const bad = double.addBlob('team/app', Buffer.alloc(500, 2), `sha256:${'0'.repeat(64)}` as typeof layer);
  const manifest = (size: number) => ({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 },
    layers: [layer, bad].map((digest) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest,
      size,
    })),
  });
  for (const [tag, size] of [
    ['v1', 500],
    ['v2', 499],
  ] as const)
    double.addManifest('team/app', Buffer.from(JSON.stringify(manifest(size))), mediaTypes.ociManifest, tag);
  const text = registriesConf({ prefix: 'quay.test', location: double.host, mirrors: [] });
  const { check } = await machine(t, { [conf]: text });
  t.match(await check('quay.test/team/app:v1'), { code: 0 });
  t.match(await check('--deep', 'quay.test/team/app:v1'), { code: 1, out: /layer: the bytes of sha256:000/ });
  t.match(await check('quay.test/team/app:v2'), {
    code: 1,
    out: /has 500 bytes there, and 499 by its manifest/,
  });
});

test('of an index the platform is pulled, and one that is not in it is wrong', async (t) => {
  const double = await registry(t);
  const { digest } = double.addImage('team/app', 'amd64');
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      {
        mediaType: mediaTypes.ociManifest,
        digest,
        size: 1,
        platform: { os: 'linux', architecture: 'amd64' },
      },
    ],
  };
  double.addManifest('team/app', Buffer.from(JSON.stringify(index)), mediaTypes.ociIndex, 'v1');
  const text = registriesConf({ prefix: 'quay.test', location: double.host, mirrors: [] });
  const { check } = await machine(t, { [conf]: text });
  t.match(await check('--platform', 'linux/amd64', 'quay.test/team/app:v1'), { code: 0 });
  t.match(await check('--platform', 'linux/s390x', 'quay.test/team/app:v1'), {
    code: 1,
    out: /no image for linux\/s390x/,
  });
});

test('a certificate is verified by the authority that the client has for the host', async (t) => {
  const authority = testAuthority();
  const double = await registryDouble({ tls: authority.issued() });
  t.teardown(() => double.close());
  double.addImage('team/app', 'v1');
  const text = `[[registry]]\nprefix = "quay.test"\nlocation = "${double.host}"\n`;
  const { check, put, file } = await machine(t, { [conf]: text });
  const place = `etc/containers/certs.d/${double.host}/ca.crt`;
  const { code, out } = await check('quay.test/team/app:v1');
  t.equal(code, 1);
  t.match(out, /has a certificate that is not trusted/);
  t.ok(out.includes(`put the certificate of its authority at ${file(place)}`), out);
  await put(place, authority.cert);
  t.match(await check('quay.test/team/app:v1'), { code: 0 });
  await put(`etc/containerd/certs.d/quay.test/hosts.toml`, `server = "${double.url}"\nca = "own.pem"\n`);
  await put(`etc/containerd/certs.d/quay.test/own.pem`, authority.cert);
  t.match(await check('--client', 'containerd', 'quay.test/team/app:v1'), { code: 0 });
  await put(`etc/docker/certs.d/${double.host}/ca.crt`, authority.cert);
  t.match(await check('--client', 'docker', `${double.host}/team/app:v1`), { code: 0 });
  const plain = await registry(t);
  await put(conf, `[[registry]]\nprefix = "quay.test"\nlocation = "${plain.host}"\n`);
  t.match(await check('--client', 'podman', 'quay.test/team/app:v1'), {
    code: 1,
    out: /does not speak TLS → insecure = true/,
  });
});

test('a namespace’s pull secret is shown to the mirror, and says what its service account may pull', async (t) => {
  const cluster = await clusterDouble({
    serviceAccounts: ['team-1/puller'],
    bindings: [{ to: 'system:serviceaccount:team-1:puller', namespace: 'team-1' }],
  });
  t.teardown(() => cluster.close());
  const { put, check, file, root } = await machine(t);
  const kubeconfigFile = await cluster.kubeconfig(join(root, 'cluster'));
  const rig = await serviceRig(t, {
    settings: {
      clusters: { 'app.ci': { kubeconfigFile } },
      hosts: { '127.0.0.1': { auth: 'cluster', access: 'imagestream', upstream: 'quay.io' } },
    },
  });
  sharingImage(rig.double, 'team-1_app_v1');
  sharingImage(rig.double, 'ocp_4.20_cli');
  const { host } = new URL(rig.url);
  const source = { prefix: 'quay-proxy.test', location: rig.double.host };
  await put(conf, registriesConf({ ...source, mirrors: [[host]] }));
  const pull = (tag: string) =>
    check('--auth-file', file('secret.json'), `quay-proxy.test/${ciRepository}:${tag}`);
  const secret = async (password: string) => {
    const auth = Buffer.from(`serviceaccount:${password}`).toString('base64');
    await put('secret.json', JSON.stringify({ auths: { [host]: { auth } } }));
  };
  await put('secret.json', '{"auths": {}}');
  const without = await pull('team-1_app_v1');
  t.equal(without.code, 1);
  t.match(without.out, /401 {2}login: UNAUTHORIZED: .* → log in: .*secret\.json has no login for 127/);
  await secret(cluster.serviceAccountToken('team-1/puller'));
  const { code, out } = await pull('team-1_app_v1');
  t.equal(code, 0, out);
  const denied = await pull('ocp_4.20_cli');
  t.equal(denied.code, 1);
  t.match(denied.out, /403 .*DENIED: your login may not pull this: .*imagestreams.* → grant the right/);
  t.match(denied.out, new RegExp(`✓ ${rig.double.host}`), 'the source does not ask for a login');
  await secret(cluster.serviceAccountToken('team-1/puller', { expiresInSeconds: -100 }));
  t.match(await pull('team-1_app_v1'), { code: 1, out: /the token in .*secret\.json expired at 20/ });
  t.notMatch(out + denied.out, /eyJ/);
});

test('the login goes to the registry and its tokens, and to no storage that it redirects to', async (t) => {
  const double = await registry(t);
  double.addImage('team/app', 'v1');
  double.switches.requiresToken = { user: 'node', password: 'right' };
  double.switches.redirectsBlobs = true;
  const auth = Buffer.from('node:right').toString('base64');
  const { check } = await machine(t, {
    [conf]: registriesConf({ prefix: 'quay.test', location: double.host, mirrors: [] }),
    'etc/crio/crio.conf.d/10.conf': '[crio.image]\nglobal_auth_file = "/etc/crio/logins.json"\n',
    'etc/crio/logins.json': JSON.stringify({ auths: { [`${double.host}/team`]: { auth } } }),
  });
  const { code, out } = await check('--client', 'cri-o', '--deep', 'quay.test/team/app:v1');
  t.equal(code, 0, out);
  const stored = double.requests.filter(({ cdn }) => cdn);
  t.equal(stored.length, 3);
  t.ok(stored.every(({ headers }) => headers.authorization === undefined));
});

/** A port that answers every connection with these bytes. */
async function saying(t: Test, answer: string): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(Buffer.from(answer, 'latin1')));
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return host;
}

test('a login for a host with TLS is sent to the same host without it by no challenge', async (t) => {
  const authority = testAuthority();
  const server = createTlsServer(authority.issued(), (request, response) => {
    const realm = `http://${request.headers.host}/token`;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  const auth = Buffer.from('node:right').toString('base64');
  const { check } = await machine(t, {
    [conf]: `[[registry]]\nprefix = "quay.test"\nlocation = "${host}"\n`,
    [`etc/containers/certs.d/${host}/ca.crt`]: authority.cert,
    'root/.config/containers/auth.json': JSON.stringify({ auths: { [host]: { auth } } }),
  });
  const { code, out } = await check('quay.test/team/app:v1');
  t.equal(code, 1, out);
  t.match(out, /login: the login is not sent to http:\/\/127\.0\.0\.1:\d+: it has no TLS/);
});

for (const [what, answer] of [
  ['status', 'HTTP/1.1 418 \x9b31mred\r\ncontent-length: 0\r\n\r\n'],
  [
    'challenge',
    'HTTP/1.1 401 No\r\nwww-authenticate: Bearer realm="\x9b31mred"\r\ncontent-length: 0\r\n\r\n',
  ],
  ['digest', 'HTTP/1.1 200 OK\r\ndocker-content-digest: sha256:\x9b31mred\r\ncontent-length: 2\r\n\r\n{}'],
  ['location', 'HTTP/1.1 302 No\r\nlocation: ftp://\x9b31mred/\r\ncontent-length: 0\r\n\r\n'],
] as const)
  test(`what a registry sends moves no cursor of the terminal: ${what}`, async (t) => {
    const host = await saying(t, answer);
    const { check } = await machine(t, {
      [conf]: registriesConf({ prefix: 'quay.test', location: host, mirrors: [] }),
    });
    const { code, out } = await check('quay.test/team/app:v1');
    t.ok([1, 3].includes(code), out);
    t.notMatch(out, /[^\x20-\x7e\n✓✗→]/);
  });

test('a header that cannot be sent cannot be told, and is not printed', async (t) => {
  const double = await registry(t);
  const { check } = await machine(t, {
    'etc/containerd/certs.d/quay.test/hosts.toml': [
      `server = "${double.url}"`,
      `[host."${double.url}".header]`,
      'authorization = "Basic secret\\nx"',
    ].join('\n'),
  });
  const { code, out } = await check('quay.test/team/app:v1');
  t.equal(code, 3, out);
  t.match(out, /header authorization of .* cannot be sent/);
  t.notMatch(out, /secret/);
});

test('a login in the URL of a file is not printed', async (t) => {
  const double = await registry(t);
  const { check, put } = await machine(t);
  const hosts = (url: string) =>
    put(`etc/containerd/certs.d/quay.test/hosts.toml`, `server = "${double.url}"\n[host."${url}"]\n`);
  await hosts(double.url.replace('//', '//node:right@'));
  const { out } = await check('quay.test/team/app:v1');
  t.match(out, /http:\/\/\[redacted\]@127/);
  t.notMatch(out, /right/);
  await hosts('http://node:right@[nonsense');
  t.match(await check('quay.test/team/app:v1'), { code: 3, out: /which is no URL/ });
  t.notMatch((await check('quay.test/team/app:v1')).out, /right/);
});

test('a login that a program has is named, and not asked for', async (t) => {
  const double = await registry(t);
  double.addImage('team/app', 'v1');
  double.switches.requiresToken = { user: 'node', password: 'right' };
  const { check } = await machine(t, {
    [conf]: registriesConf({ prefix: 'quay.test', location: double.host, mirrors: [] }),
    'root/.config/containers/auth.json': JSON.stringify({ credHelpers: { [double.host]: 'vault' } }),
  });
  const { code, out } = await check('quay.test/team/app:v1');
  t.equal(code, 1);
  t.match(out, /auth\.json leaves the login to docker-credential-vault, which is not run here/);
});

test('docker shows its login for docker.io to no mirror', async (t) => {
  const { put, root } = await machine(t);
  await put('etc/docker/daemon.json', '{"registry-mirrors": ["http://mirror.test"]}');
  await put('auth.json', '{"auths": {"https://index.docker.io/v1/": {"auth": "YTpi"}}}');
  const files = createMachine(root);
  const findLogin = createLogins(files, ['/auth.json']);
  const image = parseImageName('busybox');
  if (image === undefined) throw new Error('no image');
  const { links } = await daemonChain(image, { machine: files, file: '/etc/docker/daemon.json', findLogin });
  const [mirror, hub] = links;
  t.equal(mirror?.login.credential, undefined);
  t.match(hub, { host: 'registry-1.docker.io', login: { credential: { username: 'a', password: 'b' } } });
  const refused = { verdict: 'wrong', step: 'login', status: 401, reason: '', bytes: 0, seconds: 0 } as const;
  t.match(
    mirror && nextStep(refused, mirror, 0),
    'docker shows a mirror no login: let mirror.test need none',
  );
});

test('docker has mirrors for docker.io alone, and containerd hosts by capability', async (t) => {
  const double = await registry(t);
  double.addImage('team/app', 'v1');
  const { check } = await machine(t, {
    'etc/docker/daemon.json': JSON.stringify({ 'registry-mirrors': ['http://127.0.0.1:1'] }),
    [`etc/containerd/certs.d/${double.host.replace(/:(\d+)$/, '_$1_')}/hosts.toml`]: `server = "${double.url}"\n[host."${double.url}/v2"]\ncapabilities = ["pull"]\noverride_path = true\n`,
  });
  const { out, code } = await check('--output', 'json', `${double.host}/team/app:v1`);
  t.equal(code, 0, out);
  const [containerd, docker] = reports(out);
  t.match(containerd?.links, [{ verdict: 'skipped', reason: /without "resolve"/ }, { verdict: 'ok' }]);
  t.match(docker?.links, [{ location: `https://${double.host}`, verdict: 'ok' }]);
  const digest = double.tagOf('team/app', 'v1');
  const byDigest = await check(
    '--client',
    'containerd',
    '--output',
    'json',
    `${double.host}/team/app@${digest}`,
  );
  t.match(reports(byDigest.out)[0]?.links, [{ verdict: 'ok' }, { verdict: 'ok' }]);
});

test('files that mean nothing cannot be told', async (t) => {
  const { check, put } = await machine(t, { [conf]: '[[registry]\nprefix = 1' });
  t.match(await check('quay.test/team/app'), { code: 3, out: /\? .*50-quayside\.conf is not TOML/ });
  await put(conf, '[[registry]]\nblocked = true');
  t.match(await check('quay.test/team/app'), { code: 3, out: /neither prefix nor location/ });
  await put('etc/docker/daemon.json', 'nonsense');
  t.match(await check('--client', 'docker', 'x/y'), { code: 3, out: /daemon\.json is not JSON/ });
});

for (const [args, says] of [
  [[], 'needs one REFERENCE'],
  [['Not/An:image:at@all'], 'is no image'],
  [
    ['--client', 'crio', 'a/b'],
    '--client takes podman, cri-o, containerd, docker; not crio (did you mean cri-o?)',
  ],
  [['a/b'], 'no client has a configuration on this machine'],
  [['--timeout', 'soon', 'a/b'], '--timeout takes seconds'],
  [['--platform', 'windows', 'a/b'], '--platform takes OS/ARCH'],
  [['--output', 'yaml', 'a/b'], '--output must be text or json, not yaml'],
] as const)
  test(`a mistake is said: ${says}`, async (t) => {
    const { check } = await machine(t);
    const { code, out, err } = await check(...args);
    t.same({ code, out }, { code: 2, out: '' });
    t.ok(err.includes(says), err);
  });
