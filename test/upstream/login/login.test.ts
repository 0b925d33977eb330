import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { parseRepository } from '../../../src/oci/reference.ts';
import { scopeFor } from '../../../src/upstream/login/login.ts';
import { until } from '../../support/bodies.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { app, blobIn, lines, pulled, refusalOf, rig, v1 } from '../rig.ts';

const robot = { user: 'team+robot', password: 'robot-secret' } as const;

async function secretFiles(folder: string, { user, password } = robot as { user: string; password: string }) {
  const credentials = { usernameFile: join(folder, 'username'), passwordFile: join(folder, 'password') };
  await writeFile(credentials.usernameFile, `${user}\n`);
  await writeFile(credentials.passwordFile, `${password}\n`);
  return credentials;
}

test('an anonymous visitor gets a token with one GET, and keeps it', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  await upstream.manifest(app, v1);
  await upstream.manifest(app, v1);
  t.same(lines(registry), ['GET manifests 401', 'GET /token 200', 'GET manifests 200', 'GET manifests 200']);
  t.equal(registry.seen('/token')[0]?.query, 'service=double&scope=repository%3Ateam%2Fapp%3Apull');
});

test('a token is requested once for all requests that need it', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  await Promise.all(Array.from({ length: 20 }, () => upstream.manifest(app, v1)));
  t.equal(registry.seen('/token').length, 1);
});

test('each repository has its own scope, and its token is got without another 401', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.addImage('team/web', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  await upstream.manifest(app, v1);
  await upstream.manifest(parseRepository('team/web'), v1);
  t.same(lines(registry).slice(3), ['GET /token 200', 'GET manifests 200']);
});

test('a user name and a password from files buy a token', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await secretFiles(t.testdir()) });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { ...robot, expiresIn: 300 };
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.match(registry.seen('/token')[0]?.query, 'account=team%2Brobot');
});

test('a token server may be asked by POST', async (t) => {
  const credentials = await secretFiles(t.testdir());
  const { registry, upstream } = await rig(t, { credentials, tokenMethod: 'POST' });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { ...robot, expiresIn: 300, isOauth: true };
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.match(lines(registry), ['GET manifests 401', 'POST /token 200', 'GET manifests 200']);
});

test('a token server without POST is asked by GET', async (t) => {
  const credentials = await secretFiles(t.testdir());
  const { registry, upstream } = await rig(t, { credentials, tokenMethod: 'POST' });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { ...robot, lacksPost: true };
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same(lines(registry).slice(1, 3), ['POST /token 405', 'GET /token 200']);
});

test('an identity token of an auth file is posted as a refresh token', async (t) => {
  const authFile = join(t.testdir(), 'auth.json');
  const { registry, upstream } = await rig(t, { credentials: { authFile } });
  const entry = { auth: Buffer.from('<token>:').toString('base64'), identitytoken: 'refresh-me' };
  await writeFile(authFile, JSON.stringify({ auths: { [registry.host]: entry } }));
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { user: 'x', password: 'y', identityToken: 'refresh-me', isOauth: true };
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.equal(registry.seen('POST /token').length, 1);
});

test('Basic is used where the registry asks for it, and at once from then on', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await secretFiles(t.testdir()) });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresBasic = robot;
  await upstream.manifest(app, v1);
  await upstream.manifest(app, v1);
  t.same(lines(registry), ['GET manifests 401', 'GET manifests 200', 'GET manifests 200']);
});

test('a changed secret is used without a restart', async (t) => {
  const folder = t.testdir();
  const { registry, upstream } = await rig(t, { credentials: await secretFiles(folder) });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresBasic = { ...robot, password: 'rotated-secret' };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  await secretFiles(folder, { user: robot.user, password: 'rotated-secret' });
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});

test('a token that the registry no longer takes is replaced once', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  await upstream.manifest(app, v1);
  registry.revokeTokens();
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same(lines(registry).slice(3), ['GET manifests 401', 'GET /token 200', 'GET manifests 200']);
});

test('a token is replaced before it ends', async (t) => {
  let now = Date.now();
  const { registry, upstream } = await rig(t, { now: () => now });
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  await upstream.manifest(app, v1);
  now += 239_000;
  await upstream.manifest(app, v1);
  t.equal(registry.seen('/token').length, 1);
  now += 2_000;
  await upstream.manifest(app, v1);
  t.equal(registry.seen('/token').length, 2);
  t.equal(registry.requests.filter(({ status }) => status === 401).length, 1);
});

test('a private repository is denied without a loop', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.switches.requiresToken = { isPrivate: true, jwtSeconds: 3_600 };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  t.same(lines(registry), ['GET manifests 401', 'GET /token 200', 'GET manifests 401']);
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  t.equal(registry.requests.length, 5);
});

test('a new token that is refused is replaced once, and no more', async (t) => {
  const { registry, upstream } = await rig(t);
  registry.addImage('team/app', 'v1');
  registry.switches.requiresToken = { expiresIn: 300 };
  registry.switches.refusesNewTokens = 1;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.equal(registry.seen('/token').length, 2);
  registry.revokeTokens();
  registry.switches.refusesNewTokens = 9;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  t.equal(registry.seen('/token').length, 4);
});

const ofRobot = `Basic ${Buffer.from(`${robot.user}:${robot.password}`).toString('base64')}`;
const isBasic = (authorization: string) => authorization === ofRobot;
const isBearer = (authorization: string) => /^Bearer token-/.test(authorization);

for (const [name, lines, takes] of [
  ['a scheme that we lack beside Basic', ['Negotiate, Basic realm="r"'], isBasic],
  ['the same in two lines', ['Negotiate', 'Basic realm="r"'], isBasic],
  ['Basic before Bearer, where only Bearer works', ['Basic realm="r", Bearer realm="/token"'], isBearer],
  ['Bearer before Basic, where only Basic works', ['Bearer realm="/token"', 'Basic realm="r"'], isBasic],
  [
    'Basic beside a token server that refuses the login',
    ['Bearer realm="/v2/team/app/tags/none",Basic realm="r"'],
    isBasic,
  ],
] as const) {
  test(`of several challenges the one that works is met: ${name}`, async (t) => {
    const { registry, upstream } = await rig(t, { credentials: await secretFiles(t.testdir()) });
    registry.addImage('team/app', 'v1');
    registry.switches.challenges = () => ({ lines, takes });
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    const count = registry.requests.length;
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    t.equal(registry.requests.length, count + 1, 'and at once from then on');
  });
}

test('a registry that asks for Basic once its token was refused gets it', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await secretFiles(t.testdir()) });
  registry.addImage('team/app', 'v1');
  registry.switches.challenges = ({ headers: { authorization = '' } }) => ({
    lines: [authorization.startsWith('Bearer') ? 'Basic realm="r"' : 'Bearer realm="/token"'],
    takes: isBasic,
  });
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
});

test('two realms of one host are asked at once, each for its own repository', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await secretFiles(t.testdir()) });
  const names = Array.from({ length: 8 }, (_, at) => parseRepository(`team/app${at}`));
  for (const name of names) registry.addImage(name, 'v1');
  registry.switches.challenges = ({ path }) => {
    const isEven = /app[02468]/.test(path);
    return {
      lines: [isEven ? 'Bearer realm="/token",service="even"' : 'Basic realm="odd"'],
      takes: isEven ? isBearer : isBasic,
    };
  };
  for (let round = 0; round < 3; round += 1) {
    const found = await Promise.all(names.map((name) => upstream.manifest(name, v1)));
    t.ok(found.every(({ kind }) => kind === 'found'));
  }
});

test('a registry that names another realm each time is not asked without end', async (t) => {
  let realms = 0;
  const { registry, upstream } = await rig(t);
  registry.switches.challenges = () => {
    realms += 1;
    return { lines: [`Bearer realm="/token?${realms}"`], takes: () => false };
  };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  t.ok(registry.requests.length < 12);
});

test('of a challenge that names token servers without end a few are asked', async (t) => {
  const { registry, upstream } = await rig(t);
  const line = Array.from({ length: 100 }, (_, at) => `Bearer realm="/none/${at}"`).join(', ');
  registry.switches.challenges = () => ({ lines: [line, line, line], takes: () => false });
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  t.ok(registry.requests.length < 12, `${registry.requests.length}`);
});

test('a token server that hangs for one repository holds up another once, however early that is given up', async (t) => {
  const { registry, upstream } = await rig(t);
  const realm = await registryDouble();
  t.teardown(() => realm.close());
  realm.switches.requiresToken = { expiresIn: 0 };
  registry.addImage('team/other', 'v1');
  registry.switches.challenges = ({ path }) => ({
    lines: [`Bearer realm="${path.includes('team/app') ? realm.url : registry.url}/token"`],
    takes: (value) => path.includes('team/other') && isBearer(value),
  });
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  realm.switches.delayMs = 60_000;
  const leaving = new AbortController();
  const count = realm.requests.length;
  const first = upstream.manifest(parseRepository('team/other'), v1, { signal: leaving.signal });
  await Promise.all([
    t.rejects(first),
    until(() => realm.requests.length > count).then(() => leaving.abort()),
  ]);
  const soon = { signal: AbortSignal.timeout(5_000) };
  t.equal((await upstream.manifest(parseRepository('team/other'), v1, soon)).kind, 'found');
});

test('a refused login is denied, and tried once', async (t) => {
  const credentials = await secretFiles(t.testdir(), { user: robot.user, password: 'wrong' });
  const { registry, upstream } = await rig(t, { credentials });
  registry.switches.requiresToken = robot;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'DENIED');
  t.equal(registry.seen('/token').length, 1);
});

test('a token server in trouble makes the upstream unavailable', async (t) => {
  const { registry, upstream } = await rig(t, { retries: 1 });
  registry.switches.requiresToken = { status: 503 };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
  t.equal(registry.seen('/token').length, 2);
});

test('a registry that answers 401 to blob HEADs even with a token is asked for one byte', async (t) => {
  const { registry, upstream } = await rig(t);
  const { digest } = blobIn(registry, 1_000);
  registry.switches.requiresToken = { expiresIn: 300 };
  registry.switches.refusesBlobHead = 401;
  t.same(await upstream.statBlob(app, digest), { digest, size: 1_000 });
});

test('credentials that cannot be read make the upstream unavailable', async (t) => {
  const credentials = { usernameFile: '/nowhere/username', passwordFile: '/nowhere/password' };
  const { registry, upstream } = await rig(t, { credentials });
  registry.switches.requiresBasic = robot;
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UNAVAILABLE');
});

test('a token server at a private address elsewhere is not asked', async (t) => {
  const realm = await registryDouble();
  t.teardown(() => realm.close());
  const { registry, upstream } = await rig(t, { allowPrivateAddresses: false });
  registry.switches.requiresToken = { realm: `${realm.url}/token` };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UPSTREAM_INVALID');
  t.equal(realm.requests.length, 0);
});

test('a token server on the list is asked wherever it is', async (t) => {
  const realm = await registryDouble();
  t.teardown(() => realm.close());
  const { registry, upstream } = await rig(t, { allowPrivateAddresses: false, realmHosts: [realm.host] });
  registry.switches.requiresToken = { realm: `${realm.url}/token` };
  t.equal(
    (await refusalOf(upstream.manifest(app, v1))).code,
    'DENIED',
    'its token is unknown to the registry',
  );
  t.ok(realm.seen('/token').length > 0);
});

test('a token server that is not on the list is not asked', async (t) => {
  const realm = await registryDouble();
  t.teardown(() => realm.close());
  const { registry, upstream } = await rig(t, { realmHosts: ['auth.example.com'] });
  registry.switches.requiresToken = { realm: `${realm.url}/token` };
  t.equal((await refusalOf(upstream.manifest(app, v1))).code, 'UPSTREAM_INVALID');
  t.equal(realm.requests.length, 0);
});

test('a blob behind a login comes from the CDN without it', async (t) => {
  const { registry, upstream } = await rig(t, { credentials: await secretFiles(t.testdir()) });
  const layer = blobIn(registry, 100_000);
  registry.switches.requiresToken = { ...robot, expiresIn: 300 };
  registry.switches.redirectsBlobs = true;
  t.same(await pulled(upstream, layer.digest), layer.bytes);
  const [cdn] = registry.requests.filter((request) => request.cdn);
  t.equal(cdn?.status, 200);
  t.equal(cdn?.headers.authorization, undefined);
});

test('a scope is the repository’s own, unless the registry has one for everything', async (t) => {
  t.equal(scopeFor('repository:team/other:pull', 'team/app'), 'repository:team/app:pull');
  t.equal(scopeFor(undefined, 'team/app'), 'repository:team/app:pull');
  t.equal(scopeFor('aws', 'team/app'), 'aws', 'as ECR Public has it');
  t.equal(scopeFor(undefined, undefined), undefined);
  const repository = parseRepository('team/app');
  const deleting = { repository, deletes: true } as const;
  t.equal(
    scopeFor('repository:team/app:delete', repository, deleting),
    'repository:team/app:pull,push,delete',
  );
  t.equal(scopeFor('repository:team/app:pull,push', repository, deleting), 'repository:team/app:pull,push');
  t.equal(
    scopeFor('repository:team/app:delete', repository, { repository }),
    'repository:team/app:pull,push',
  );
});
