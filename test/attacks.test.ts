import { createHmac } from 'node:crypto';
import { test as one, type Test } from 'tap';
import { mediaTypes } from '../src/oci/manifest.ts';
import { exchanged, refusal, temporary } from './bad-days/rig.ts';
import {
  type AccessRig,
  type AccessRigOptions,
  accessRig,
  basicLine,
  ciHost,
  ciRepository,
  otherHost,
  ourself,
  type SharingImage,
  sharingImage,
} from './support/access-rig.ts';
import { until } from './support/bodies.ts';
import { farRegistry } from './support/far-registry.ts';
import { type RegistryDouble, registryDouble } from './support/registry-double.ts';
import { type ServedStreams, servedStreams } from './support/served-streams.ts';

const publicTag = 'ocp_4.20_cli';
const privateTag = 'ocp-priv_4.20_cli';
const tokens = {
  alice: 'sha256~alices-token-of-the-cluster',
  priya: 'sha256~priyas-token-of-the-cluster',
  carol: 'sha256~carols-token-of-the-cluster',
  mallory: 'sha256~mallorys-token-of-the-cluster',
};

/**
 * No line break, escape sequence or quote of a name may end a line of the log, or begin another.
 */
const forgery = 'mallory\r\n{"level":"error","msg":"forged"}\u2028\u001b[31m"';

const people: AccessRigOptions['people'] = {
  users: {
    [tokens.alice]: { username: 'alice', groups: ['ocp-readers'] },
    [tokens.priya]: { username: 'priya', groups: ['ocp-readers', 'priv-readers'] },
    [tokens.carol]: {
      username: 'carol',
      groups: ['ocp-readers', ...Array.from({ length: 2_000 }, (_, index) => `a-group-of-many-${index}`)],
    },
    [tokens.mallory]: { username: forgery },
  },
  bindings: [
    { to: 'ocp-readers', namespace: 'ocp' },
    { to: 'priv-readers', namespace: 'ocp-priv' },
  ],
};

interface Attacked extends AccessRig {
  readonly open: SharingImage;
  readonly hidden: SharingImage;
}

/** Each attack, and again where image streams name the private image: its own, and alice's. */
function test(name: string, attack: (t: Test) => Promise<void>): void {
  one(name, attack);
  one(`${name}; and where image streams name it`, async (t) => {
    named.add(t);
    await attack(t);
  });
}

const named = new WeakSet<Test>();

/** Of the whole of the private image, and a bit of the public one. */
function streamsNaming(open: SharingImage, { digest, config, layer, shared }: SharingImage): ServedStreams {
  const streams = servedStreams();
  const specs = (...digests: readonly string[]) => digests.map((each) => `quay.io/${ciRepository}@${each}`);
  streams.name('ocp/4.20', specs(open.digest));
  streams.name('ocp-priv/4.20', specs(digest));
  streams.name('alices/x', specs(digest, config, layer, shared));
  return streams;
}

/** How the service is set up for this attack. */
async function worldOf(t: Test, registry: RegistryDouble): Promise<AccessRigOptions> {
  if (!named.has(t)) return { people, registry };
  const [open, hidden] = [sharingImage(registry, publicTag), sharingImage(registry, privateTag)];
  const bindings = [...(people.bindings ?? []), { to: 'ocp-readers', namespace: 'alices' }];
  return {
    people: { ...people, bindings, streams: streamsNaming(open, hidden) },
    registry,
    streams: { trusted: ['ocp', 'ocp-priv'] },
  };
}

/** One image in `ocp`, one in `ocp-priv`; they share a layer. */
async function attacked(t: Test, options: Partial<AccessRigOptions> = {}): Promise<Attacked> {
  const double = options.registry ?? (await registryDouble());
  if (options.registry === undefined) t.teardown(() => double.close());
  const rig = await accessRig(t, { ...(await worldOf(t, double)), ...options });
  const [open, hidden] = [sharingImage(double, publicTag), sharingImage(double, privateTag)];
  const synced = 'quayside_stream_index_state{cluster="app.ci",state="synced"} 1';
  if (named.has(t)) await until(async () => (await rig.metrics()).includes(synced));
  return Object.assign(rig, { open, hidden });
}

const manifest = (reference: string) => `/v2/${ciRepository}/manifests/${reference}`;
const blob = (digest: string) => `/v2/${ciRepository}/blobs/${digest}`;

/**
 * Whatever was sent, the registry has seen well-made paths of ours, our own login, and nothing that
 * a client showed.
 */
function nothingLeaked(t: Test, { double }: AccessRig, ...shown: readonly string[]): void {
  const seen = JSON.stringify(double.requests);
  for (const secret of [...Object.values(tokens), ...shown]) t.notMatch(seen, secret);
  for (const { path, headers } of double.requests) {
    t.match(path, /^\/(?:token$|v2\/(?:openshift\/ci\/(?:manifests|blobs|tags|referrers)\/[\w.:-]+)?$)/);
    t.match(headers.authorization ?? '', /^(?:|Basic \S+|Bearer token-[\w-]+)$/);
    if (path === '/token')
      t.equal(`Authorization: ${headers.authorization}`, basicLine(ourself.user, ourself.password));
  }
}

/**
 * What the registry was asked for clients: we look now and then whether it answers, and by HEAD for
 * tags that alice's own image stream hints at.
 */
function forClients({ double }: AccessRig): readonly string[] {
  return double.requests.map(({ method, path }) => `${method} ${path}`).filter((line) => !ours.test(line));
}

const ours = /^(?:GET \/v2\/|GET \/token|HEAD \/v2\/openshift\/ci\/manifests\/alices_x_t\d)$/;

/** Everything of an image by digest, in every way in which one may ask. */
async function statuses(rig: AccessRig, image: SharingImage, token: string): Promise<number[]> {
  const paths = [manifest(image.digest), blob(image.config), blob(image.layer)];
  const answers = await Promise.all([
    ...paths.map((path) => rig.get(path, token)),
    ...paths.map((path) => rig.head(path, token)),
    rig.get(blob(image.layer), token, 'Range: bytes=0-99'),
    rig.get(blob(image.layer), token, 'Range: bytes=0-9,20-29'),
    rig.get(manifest(image.digest), token, `If-None-Match: "${image.digest}"`),
    rig.get(`/v2/${ciRepository}/referrers/${image.digest}`, token),
    rig.get(manifest(`sha256-${image.digest.slice('sha256:'.length)}.sig`), token),
  ]);
  return answers.map(({ status }) => status);
}

test('a digest of a private image opens nothing, neither before it was ever pulled nor from the cache', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  await rig.get(manifest(publicTag), alice);
  t.same(new Set(await statuses(rig, rig.hidden, alice)), new Set([403]));
  const priya = await rig.login(tokens.priya);
  t.equal((await rig.get(manifest(privateTag), priya)).status, 200);
  for (const digest of [rig.hidden.config, rig.hidden.layer, rig.hidden.shared])
    t.equal((await rig.get(blob(digest), priya)).status, 200);
  t.same(new Set(await statuses(rig, rig.hidden, alice)), new Set([403]));
  t.equal((await rig.get(manifest(privateTag), alice)).status, 403);
  t.equal((await rig.get(blob(rig.open.shared), alice)).status, 200);
  t.same(await statuses(rig, rig.open, alice), [200, 200, 200, 200, 200, 200, 206, 206, 304, 200, 404]);
  nothingLeaked(t, rig, alice, priya);
});

test('after a restart, without a registry to ask, the same digests open to the same people', async (t) => {
  const directory = await temporary(t);
  const before = await attacked(t, { directory });
  const { double, open, hidden } = before;
  const priya = await before.login(tokens.priya);
  await before.get(manifest(publicTag), priya);
  await before.get(manifest(privateTag), priya);
  for (const { config, layer, shared } of [open, hidden])
    for (const digest of [config, layer, shared]) await before.get(blob(digest), priya);
  await before.stop();
  double.switches.down = true;
  const rig = await accessRig(t, { ...(await worldOf(t, double)), directory });
  const alice = await rig.login(tokens.alice);
  for (const path of [manifest(open.digest), blob(open.layer), blob(open.shared)])
    t.equal((await rig.get(path, alice)).status, 200, path);
  const refused = [manifest(hidden.digest), blob(hidden.layer), blob(hidden.config)];
  // Of what alice's own image stream names, the registry would have to say that it is hers.
  const status = named.has(t) ? 503 : 403;
  t.same(
    await Promise.all(refused.map(async (path) => (await rig.get(path, alice)).status)),
    refused.map(() => status),
  );
});

test('content that one host shows without login is closed at another that asks for rights, by every name', async (t) => {
  const rig = await attacked(t);
  const [open, alice] = [await rig.login(tokens.mallory, { host: otherHost }), await rig.login(tokens.alice)];
  await rig.get(manifest(publicTag), alice);
  const { digest, config, layer, shared } = rig.hidden;
  for (const path of [manifest(privateTag), manifest(digest), ...[config, layer, shared].map(blob)])
    t.equal((await rig.get(path, open, `Host: ${otherHost}`)).status, 200);
  t.same(new Set(await statuses(rig, rig.hidden, alice)), new Set([403]));
  for (const path of [
    `${blob(layer)}?ns=quay.io`,
    `${manifest(digest)}?ns=quay.io`,
    blob(layer).replace('/v2/', '/v2/quay.io/'),
    `${blob(layer).replace('/v2/', '/v2/quay.io/')}?ns=quay.io`,
    manifest(`${publicTag}@${digest}`),
    manifest(`${privateTag}@${digest}`),
    manifest(`${publicTag}@${config}`),
  ])
    t.not((await rig.get(path, await rig.login(tokens.alice))).status, 200, path);
  t.equal((await rig.get(manifest(`${privateTag}@${rig.open.digest}`), alice)).status, 200);
  nothingLeaked(t, rig, alice, open);
});

test('what the private image has is not asked of the registry for those who may not have it', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  await statuses(rig, rig.hidden, alice);
  await rig.get(manifest(privateTag), alice);
  t.same(forClients(rig), []);
});

test('a private referrer is for the readers of its subject', async (t) => {
  const rig = await attacked(t);
  const { double, hidden } = rig;
  const subject = { mediaType: mediaTypes.ociManifest, digest: hidden.digest, size: 1 };
  const signature = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/x-signature',
      config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: hidden.config, size: 2 },
      layers: [],
      subject,
    }),
  );
  const referrer = double.addManifest(ciRepository, signature, mediaTypes.ociManifest);
  const priya = await rig.login(tokens.priya);
  await rig.get(manifest(privateTag), priya);
  const listed = await rig.get(`/v2/${ciRepository}/referrers/${hidden.digest}`, priya);
  t.match(await listed.json(), { manifests: [{ digest: referrer }] });
  t.equal((await rig.get(manifest(referrer), priya)).status, 200);
  const alice = await rig.login(tokens.alice);
  t.equal((await rig.get(`/v2/${ciRepository}/referrers/${hidden.digest}`, alice)).status, 403);
  t.equal((await rig.get(manifest(referrer), alice)).status, 403);
  nothingLeaked(t, rig, alice, priya);
});

test('a listing names no tag that one may not pull', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  const listed = await (await rig.get(`/v2/${ciRepository}/tags/list`, alice)).text();
  t.match(listed, publicTag);
  t.notMatch(listed, privateTag);
});

test('a scope that was asked for gives no right, and a token pulls nothing that it was not asked for', async (t) => {
  const rig = await attacked(t);
  const scope = `repository:${ciRepository}:pull,push,delete repository:other/private:pull registry:catalog:*`;
  const wide = await rig.login(tokens.alice, { scope });
  t.equal((await rig.get(manifest(publicTag), wide)).status, 200);
  t.equal((await rig.get(manifest(privateTag), wide)).status, 403);
  t.match(String((await rig.get('/v2/other/private/manifests/latest', wide)).status), /^40[34]$/);
  const narrow = await rig.login(tokens.alice, { scope: 'repository:other/thing:pull' });
  const refused = await rig.get(manifest(publicTag), narrow);
  t.equal(refused.status, 401);
  t.match(refused.headers.get('www-authenticate'), /error="insufficient_scope"/);
  nothingLeaked(t, rig, wide, narrow);
});

test('names that look like another name are refused, or judged as what they are', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  const priya = await rig.login(tokens.priya);
  await rig.get(manifest(privateTag), priya);
  const before = forClients(rig).length;
  const hex = rig.hidden.digest.slice('sha256:'.length);
  const paths = [
    `/v2/openshift%2Fci/manifests/${privateTag}`,
    `/v2/openshift%2fci%2fmanifests%2f${privateTag}`,
    `/v2//openshift/ci/manifests/${privateTag}`,
    `/v2/openshift//ci/manifests/${privateTag}`,
    `//v2/openshift/ci/manifests/${privateTag}`,
    `/v2/openshift/ci/manifests/${publicTag}/../${privateTag}`,
    `/v2/openshift/ci/manifests/${publicTag}%2F..%2F${privateTag}`,
    `/v2/openshift/ci/../ci/manifests/${privateTag}`,
    `/v2/openshift/ci/manifests/./${privateTag}`,
    `/v2/OpenShift/CI/manifests/${privateTag}`,
    `/v2/quay.io/openshift/ci/manifests/${privateTag}`,
    manifest(privateTag.toUpperCase()),
    manifest('OCP-PRIV_4.20_cli'),
    manifest('ocp%2Dpriv_4.20_cli'),
    manifest('ocp%252Dpriv_4.20_cli'),
    manifest('ocp%E2%80%90priv_4.20_cli'),
    manifest('%D0%BEcp_4.20_cli'),
    manifest(`${publicTag}%00`),
    manifest(`${publicTag}%0A`),
    manifest(`${publicTag}%20`),
    manifest(`${publicTag};${privateTag}`),
    manifest(`sha256%3A${hex}`),
    manifest(`SHA256:${hex.toUpperCase()}`),
    manifest(`sha256:${hex}?ns=quay.io`),
    manifest(`${publicTag}@${rig.hidden.digest}`),
    manifest(`20240101000000_prune_${privateTag}`),
    manifest(`art__${privateTag}`),
    manifest(`20240101_sha256_${hex}`),
    `${blob(rig.hidden.layer)}?ns=quay.io`,
    `/v2/openshift/ci/blobs/sha256%3A${rig.hidden.layer.slice('sha256:'.length)}`,
  ];
  const answers = await Promise.all(paths.map(async (path) => [path, await rig.get(path, alice)] as const));
  for (const [path, { status }] of answers) t.ok([400, 403, 404].includes(status), `${status} ${path}`);
  t.same(forClients(rig).slice(before), []);
  nothingLeaked(t, rig, alice, priya);
});

test('a token of another host, an edited one, an unsigned one and one of a wrong key are 401, with the reason', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  const foreign = await rig.login(tokens.alice, { host: otherHost });
  const [head = '', body = '', signature = ''] = alice.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const edited = encoded({
    ...claims,
    sub: 'priya',
    subject: { ...claims.subject, groups: ['priv-readers'] },
  });
  const unsigned = encoded({ ...JSON.parse(Buffer.from(head, 'base64url').toString()), alg: 'none' });
  const forged = createHmac('sha256', 'another secret').update(`${head}.${edited}`).digest('base64url');
  for (const [what, token] of Object.entries({
    foreign,
    edited: `${head}.${edited}.${signature}`,
    unsigned: `${unsigned}.${edited}.`,
    forged: `${head}.${edited}.${forged}`,
  })) {
    const answer = await rig.get(manifest(publicTag), token);
    const challenge = answer.headers.get('www-authenticate') ?? '';
    t.match(await refusal(answer), { status: 401, code: 'UNAUTHORIZED' }, what);
    t.match(challenge, new RegExp(`^Bearer realm="http://${ciHost}/v2/auth"`), what);
    t.match(challenge, /error="invalid_token",error_description="[ -~]+"/, what);
  }
  t.same(forClients(rig), []);
  t.same(rig.cluster.seen('SubjectAccessReview'), []);
});

test('two Authorization fields are no login, whichever of them is good', async (t) => {
  const rig = await attacked(t);
  const alice = `Authorization: Bearer ${await rig.login(tokens.alice)}`;
  const other = 'Authorization: Bearer of-somebody-else';
  for (const lines of [
    [alice, other],
    [other, alice],
    [alice, basicLine(ourself.user, ourself.password)],
  ])
    t.equal((await rig.get(manifest(publicTag), '', ...lines)).status, 401);
  t.same(forClients(rig), []);
});

test('a token in the query, in a cookie or in another field is none, and is not logged', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  for (const query of [`access_token=${alice}`, `authorization=Bearer%20${alice}`, `token=${alice}`])
    t.equal((await rig.get(`${manifest(publicTag)}?${query}`)).status, 401);
  for (const line of [
    `Cookie: token=${alice}`,
    `X-Forwarded-Authorization: Bearer ${alice}`,
    `X-Remote-User: alice`,
    `Proxy-Authorization: Bearer ${alice}`,
    `Impersonate-User: alice`,
  ])
    t.equal((await rig.get(manifest(publicTag), '', line)).status, 401, line.slice(0, 20));
  t.same(forClients(rig), []);
  t.notMatch(rig.logText(), alice.slice(0, 40));
});

test('hop-by-hop header fields, and smuggled requests, have no effect', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  const lines = [
    'Connection: authorization, host, keep-alive',
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-Host: quay.io',
    'Forwarded: host=quay.io',
    'X-Original-URL: /v2/other/private/manifests/latest',
    'Cookie: mine=1',
    'Impersonate-User: system:admin',
  ];
  await rig.get(manifest(publicTag), alice, ...lines);
  await rig.get(blob(rig.open.layer), alice, ...lines);
  t.ok(rig.double.requests.length > 0);
  const seen = JSON.stringify(rig.double.requests).toLowerCase();
  for (const word of ['10.0.0.1', 'mine=1', 'impersonate', 'forwarded', 'x-original-url', 'other/private'])
    t.notMatch(seen, word);
  nothingLeaked(t, rig, alice);
});

test('a request within a request is refused, or is a request of its own without a login', async (t) => {
  const rig = await attacked(t);
  const alice = await rig.login(tokens.alice);
  const inner = `GET ${manifest(privateTag)} HTTP/1.1\r\nHost: ${ciHost}\r\nConnection: close\r\n\r\n`;
  const outer = `GET ${manifest(publicTag)} HTTP/1.1\r\nHost: ${ciHost}\r\nAuthorization: Bearer ${alice}\r\n`;
  const both = `Content-Length: ${inner.length}\r\nTransfer-Encoding: chunked\r\n`;
  t.equal((await exchanged(rig.url, `${outer}${both}\r\n0\r\n\r\n${inner}`)).status, 400);
  for (const field of [
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: xchunked',
    'Content-Length: 1\r\nContent-Length: 2',
  ])
    t.equal((await exchanged(rig.url, `${outer}${field}\r\n\r\n${inner}`)).status, 400, field);
  t.same(rig.double.seen(privateTag), []);
  const pipelined = await exchanged(rig.url, `${outer}\r\n${inner}`);
  t.match(await pipelined.text(), /HTTP\/1\.1 401 /);
  t.same(rig.double.seen(privateTag), []);
});

test('a hostile registry leads no client, and no login of ours, to a private address', async (t) => {
  const { double, url, proxy, strayed } = await farRegistry(t);
  const rig = await attacked(t, { registry: double, upstream: { url, proxy, allowPrivateAddresses: false } });
  const login = { ...ourself, realm: `${url}/token` };
  double.switches.requiresToken = login;
  const alice = await rig.login(tokens.alice);
  t.equal((await rig.get(manifest(publicTag), alice)).status, 200);
  for (const inside of [
    'http://169.254.169.254/latest/meta-data',
    'http://127.0.0.1:1/',
    'http://10.1.2.3/',
    'http://[::1]:1/',
    'http://[::ffff:10.1.2.3]/',
    'http://localhost:1/',
  ]) {
    Object.assign(double.switches, { redirectsTo: inside, requiresToken: login });
    t.equal((await rig.get(blob(rig.open.layer), alice)).status, 429, `redirect to ${inside}`);
    double.revokeTokens();
    Object.assign(double.switches, { redirectsTo: undefined, requiresToken: { ...login, realm: inside } });
    t.equal((await rig.get(blob(rig.open.layer), alice)).status, 429, `realm ${inside}`);
  }
  t.same(strayed, []);
  nothingLeaked(t, rig, alice);
});

test('a subject of 2,000 groups gets a token that fits in a header, and pulls with it', async (t) => {
  const rig = await attacked(t);
  const carol = await rig.login(tokens.carol, { scope: `repository:${ciRepository}:pull` });
  t.ok(carol.length < 6 * 1024, `${carol.length}`);
  t.equal((await rig.get(manifest(publicTag), carol)).status, 200);
  t.equal((await rig.get(manifest(privateTag), carol)).status, 403);
  const [review] = rig.cluster.seen('SubjectAccessReview');
  t.equal(review?.body.spec?.groups?.length, 2_002);
});

test('a name begins no line of the log, and ends none; a message holds nothing but plain characters', async (t) => {
  const rig = await attacked(t);
  const mallory = await rig.login(tokens.mallory);
  const { message } = await refusal(await rig.get(manifest(publicTag), mallory));
  t.match(message, /^[ -~]+$/);
  await rig.get('/v2/', '', basicLine(forgery, 'sha256~nobodys-token'));
  await rig.get(`/v2/forged%0A%7B%22msg%22%3A%22forged%22%7D/manifests/x`, mallory);
  await rig.get('/v2/', mallory, 'User-Agent: x"}\u2028{"msg":"forged"}');
  const { log } = rig;
  t.ok(log.length >= 4);
  t.same(
    log.filter(({ msg }) => msg === 'forged'),
    [],
  );
  t.equal(log.length, rig.logText().split('\n').length - 1);
  t.notMatch(rig.logText(), 'nobodys-token');
});

test('a refused subject learns nothing from the answer: present, absent and forbidden look the same', async (t) => {
  const rig = await attacked(t);
  const priya = await rig.login(tokens.priya);
  await rig.get(manifest(privateTag), priya);
  const alice = await rig.login(tokens.alice);
  const said = async (path: string) => {
    const { status, code, message } = await refusal(await rig.get(path, alice));
    return { status, code, message: message.replace(/ \(request [\w-]+\)$/, '') };
  };
  const nothing = `sha256:${'0'.repeat(64)}`;
  await Promise.all(
    [
      [blob(rig.hidden.layer), blob(nothing)],
      [manifest(rig.hidden.digest), manifest(nothing)],
      [manifest(privateTag), manifest('ocp-priv_4.20_no-such-tag')],
    ].map(async ([theirs = '', nowhere = '']) => t.same(await said(theirs), await said(nowhere), theirs)),
  );
});

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
