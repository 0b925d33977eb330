import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { configuredClusters } from '../src/app/generations/access.ts';
import { createAttempts } from '../src/auth/attempts.ts';
import { createClusters } from '../src/auth/clusters/clusters.ts';
import type { ReviewSharing } from '../src/auth/clusters/shared-reviews.ts';
import { createKeptKeys } from '../src/auth/tokens/kept-keys.ts';
import { load } from '../src/config/load.ts';
import { createMemoryStore } from '../src/store/memory-store.ts';
import { getRaw } from './bad-days/rig.ts';
import { accessRig, basicLine, ciRepository, sharingImage } from './support/access-rig.ts';
import { type ClusterDouble, clusterDouble } from './support/cluster-double.ts';
import { createOwnWatch } from './support/own-watch.ts';
import { sized } from './support/sized.ts';

const teamCount = sized(10, 50);
const nodes = Array.from({ length: sized(40, 500) }, (_, number) => `10.0.${number >> 8}.${number & 255}`);
const namespaces = (count: number) => Array.from({ length: count }, (_, number) => `team-${number}`);
const account = (namespace: string) => `${namespace}/puller`;

interface Replica {
  /** The store that replicas share, and a clock for all of them. Default: a process of its own. */
  readonly sharing?: ReviewSharing;
  readonly clock?: { now: number };
}

/** The clusters of a service's configuration, with a clock of our own for what they remember. */
async function courtBefore(t: Test, double: ClusterDouble, replica: Replica = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-nodes-'));
  const kubeconfigFile = await double.kubeconfig(directory);
  const { clusters } = load(
    JSON.stringify({ clusters: { 'app.ci': { kubeconfigFile, timeoutMs: '60s' } } }),
    {},
  );
  const { clock = { now: Date.now() }, sharing } = replica;
  const attempts = createAttempts();
  const events = { reviewed: () => {}, remembered: () => {}, keysFailed: () => {} };
  const known = await configuredClusters(clusters, events, {
    attempts,
    now: () => clock.now,
    sharing: () => sharing,
  });
  t.teardown(async () => {
    attempts.close();
    for (const cluster of known.values()) await cluster.close();
    await double.close();
    await rm(directory, { recursive: true });
  });
  const court = createClusters([...known.values()]);
  const tokenMs = clusters['app.ci']?.remember.tokenMs ?? 0;
  const login = (token: string, address: string) => asked(court, token, address);
  return { login, clock, tokenMs, forget: court.forget };
}

/** Replicas over one store in memory, with one clock; however busy the machine, none gives up. */
async function replicasBefore(t: Test, double: ClusterDouble, count: number) {
  const { records } = createMemoryStore();
  const clock = { now: Date.now() };
  const failed = (error: unknown): void => {
    throw error;
  };
  const made = Array.from({ length: count }, () => {
    const keys = createKeptKeys({ records, failed, patienceMs: 60_000 });
    return courtBefore(t, double, { clock, sharing: { records, keys, failed, patienceMs: 120_000 } });
  });
  return { replicas: await Promise.all(made), clock, records };
}

/** As a node logs in: the token is the password of its dockerconfigjson. */
async function asked(court: ReturnType<typeof createClusters>, password: string, address: string) {
  const subject = await court.authenticate({ kind: 'basic', username: 'any', password }, address);
  return subject?.name;
}

function reviewsBySubject(double: ClusterDouble): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { tokenHash = '' } of double.seen('TokenReview'))
    counts.set(tokenHash, (counts.get(tokenHash) ?? 0) + 1);
  return counts;
}

test(`${nodes.length} nodes of ${teamCount} namespaces start at once: one TokenReview for each subject in tokenMs`, async (t) => {
  const teams = namespaces(teamCount);
  const double = await clusterDouble({ serviceAccounts: teams.map(account) });
  const { login, clock, tokenMs } = await courtBefore(t, double);
  const tokens = teams.map((team) => double.serviceAccountToken(account(team), { expiresInSeconds: 3_600 }));
  const start = () => Promise.all(nodes.flatMap((node) => tokens.map((token) => login(token, node))));
  const names = await start();
  t.equal(names.length, nodes.length * teamCount);
  t.equal(new Set(names).size, teamCount);
  t.ok(names.every((name) => name?.startsWith('system:serviceaccount:team-')));
  t.equal(reviewsBySubject(double).size, teamCount);
  t.same(new Set(reviewsBySubject(double).values()), new Set([1]));
  clock.now += tokenMs - 1;
  await start();
  t.same(new Set(reviewsBySubject(double).values()), new Set([1]), 'none until tokenMs is over');
  clock.now += 2;
  await start();
  t.same(new Set(reviewsBySubject(double).values()), new Set([2]), 'then one more');
});

for (const count of [3, 5])
  test(`${count} replicas on one store: at most two TokenReviews for each subject in tokenMs`, async (t) => {
    const teams = namespaces(teamCount);
    const double = await clusterDouble({ serviceAccounts: teams.map(account) });
    const { replicas, clock } = await replicasBefore(t, double, count);
    const tokens = teams.map((team) => double.serviceAccountToken(account(team)));
    const start = () =>
      Promise.all(
        nodes.flatMap((node, number) => tokens.map((token) => replicas[number % count]?.login(token, node))),
      );
    const most = () => Math.max(...reviewsBySubject(double).values());
    const names = await start();
    t.equal(names.length, nodes.length * teamCount);
    t.equal(new Set(names).size, teamCount);
    t.ok(names.every((name) => name?.startsWith('system:serviceaccount:team-')));
    t.equal(reviewsBySubject(double).size, teamCount);
    t.ok(most() <= 2, `${most()} at the start`);
    const [{ tokenMs = 0 } = {}] = replicas;
    clock.now += tokenMs - 1;
    const before = double.seen('TokenReview').length;
    await start();
    t.equal(double.seen('TokenReview').length, before, 'none until tokenMs is over');
    clock.now += 2;
    await start();
    t.ok(most() <= 4, `${most()} in two times tokenMs`);
    t.ok(double.seen('TokenReview').length >= 2 * teamCount, 'then they are asked about again');
  });

test('a deleted account is refused by every replica after tokenMs, whichever asked first', async (t) => {
  const double = await clusterDouble({ serviceAccounts: ['team-0/puller'] });
  const { replicas, clock } = await replicasBefore(t, double, 3);
  const [first, second, third] = replicas;
  const token = double.serviceAccountToken('team-0/puller');
  t.ok(await first?.login(token, '10.0.0.1'));
  clock.now += 100_000;
  t.ok(await second?.login(token, '10.0.0.1'));
  double.serviceAccounts.clear();
  clock.now += 19_999;
  t.ok(await second?.login(token, '10.0.0.1'), 'two minutes are not over');
  t.ok(await third?.login(token, '10.0.0.1'), 'nor for a replica that never saw it');
  t.equal(double.seen('TokenReview').length, 1);
  clock.now += 2;
  for (const replica of replicas) t.equal(await replica.login(token, '10.0.0.1'), undefined);
});

test('a replica that forgets asks again, and takes no review of before from the others', async (t) => {
  const double = await clusterDouble({ serviceAccounts: ['team-0/puller'] });
  const { replicas, clock } = await replicasBefore(t, double, 2);
  const [first, second] = replicas;
  const token = double.serviceAccountToken('team-0/puller');
  t.ok(await first?.login(token, '10.0.0.1'));
  double.serviceAccounts.clear();
  second?.forget();
  t.equal(await second?.login(token, '10.0.0.1'), undefined);
  clock.now += 60_000;
  t.equal(await second?.login(token, '10.0.0.1'), undefined, 'nor after a while');
  t.ok(await first?.login(token, '10.0.0.1'), 'which the other one remembers');
});

test('two replicas with stores of their own cost two TokenReviews for each subject', async (t) => {
  const teams = namespaces(teamCount);
  const double = await clusterDouble({ serviceAccounts: teams.map(account) });
  const replicas = [await courtBefore(t, double), await courtBefore(t, double)];
  const tokens = teams.map((team) => double.serviceAccountToken(account(team)));
  const begun = nodes.flatMap((node, number) =>
    tokens.map((token) => replicas[number % 2]?.login(token, node)),
  );
  await Promise.all(begun);
  t.equal(reviewsBySubject(double).size, teamCount);
  t.same(new Set(reviewsBySubject(double).values()), new Set([2]));
});

test('a token that was replaced costs one more review, and one that expires is none', async (t) => {
  const double = await clusterDouble({ serviceAccounts: ['team-0/puller'] });
  const { login, clock } = await courtBefore(t, double);
  const first = double.serviceAccountToken('team-0/puller', { expiresInSeconds: 60 });
  const second = double.serviceAccountToken('team-0/puller');
  for (const node of nodes) {
    t.ok(await login(first, node));
    t.ok(await login(second, node));
  }
  t.equal(double.seen('TokenReview').length, 2);
  clock.now += 61_000;
  await login(second, '10.0.0.1');
  t.equal(double.seen('TokenReview').length, 2, 'remembered');
  await login(first, '10.0.0.1');
  t.equal(double.seen('TokenReview').length, 3, 'the bound token is not remembered past its expiry');
});

test('a hundred subjects from each address log in at once, and none is refused', async (t) => {
  const addresses = sized(3, 20);
  const teams = namespaces(addresses * 100);
  const double = await clusterDouble({ serviceAccounts: teams.map(account) });
  const { login } = await courtBefore(t, double);
  const names = await Promise.all(
    teams.map((team, number) =>
      login(double.serviceAccountToken(account(team)), nodes[number % addresses] ?? ''),
    ),
  );
  t.equal(new Set(names).size, teams.length);
  t.equal(double.seen('TokenReview').length, teams.length);
});

/** A service of CI, and a node that shows the pull secrets of its namespaces. */
async function nodeOf(t: Test, teams: readonly string[]) {
  const rig = await accessRig(t, {
    people: {
      serviceAccounts: teams.map(account),
      bindings: teams.map((team) => ({ to: `system:serviceaccount:${team}:puller`, namespace: team })),
    },
  });
  const tokenOf = (team: string, expiresInSeconds = 3_600) =>
    rig.cluster.serviceAccountToken(account(team), { expiresInSeconds });
  const status = async (token: string) =>
    (await getRaw(rig.url, '/v2/auth', 'Host: ci.example.com', basicLine('puller', token))).status;
  return { rig, tokenOf, status };
}

test('stale pull secrets of some namespaces delay no login of a node, nor their own answer', async (t) => {
  const teams = namespaces(40);
  const { tokenOf, status } = await nodeOf(t, teams);
  const [stale, good] = [teams.slice(0, 20), teams.slice(20)];
  const goodTokens = good.map((team) => tokenOf(team));
  const staleTokens = stale.map((team) => tokenOf(team, -60));
  for (const token of goodTokens) t.equal(await status(token), 200);
  const ownMs = createOwnWatch();
  for (let time = 0; time < 3; time += 1) for (const token of staleTokens) t.equal(await status(token), 401);
  for (const token of goodTokens) t.equal(await status(token), 200);
  t.ok(ownMs() < 30_000, 'sixty that are held take more than four minutes');
});

test('a namespace pulls what its service accounts may pull, on cached bytes too', async (t) => {
  const { rig, tokenOf } = await nodeOf(t, ['team-0', 'team-1']);
  const own = sharingImage(rig.double, 'team-0_app_v1');
  const pull = async (team: string, path: string) => {
    const token = await rig.login(tokenOf(team), { scope: `repository:${ciRepository}:pull` });
    return (await rig.get(`/v2/${ciRepository}/${path}`, token)).status;
  };
  const paths = [
    'manifests/team-0_app_v1',
    `manifests/${own.digest}`,
    `blobs/${own.config}`,
    `blobs/${own.layer}`,
  ];
  for (const path of paths) t.equal(await pull('team-0', path), 200, path);
  const asked = rig.double.requests.length;
  for (const path of paths) t.equal(await pull('team-1', path), 403, path);
  for (const path of paths) t.equal(await pull('team-0', path), 200, path);
  t.equal(
    rig.double.requests.slice(asked).filter(({ path }) => path.includes('/blobs/')).length,
    0,
    'from the cache',
  );
});
