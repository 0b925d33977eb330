import assert from 'node:assert/strict';
import { ranked } from '../../../src/fleet/members/ranking.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { type FleetStand, fleetStand, pull, type Replica } from '../fixtures/fleet-stand.ts';
import { upstreamName } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const mib = 1024 ** 2;
const large = 60 * mib;

/** Three replicas over one bucket: what crosses the link to the upstream, whatever dies. */
export const fleet: Scenario = {
  name: 'fleet',
  needs: ['docker-registry', 'versitygw'],
  limitMs: 300_000,
  play: async (scene) => {
    const stand = await fleetStand(scene);
    await herds(scene, stand);
    await slowHead(scene, stand);
    await stopped(scene, stand);
    await killed(scene, stand);
  },
};

/** Lists of members that differ. */
export const fleetOthers: Scenario = {
  name: 'fleet-others',
  needs: ['docker-registry', 'versitygw'],
  play: others,
};

/** A member that cannot prove that it is one. */
export const fleetStranger: Scenario = {
  name: 'fleet-stranger',
  needs: ['docker-registry', 'versitygw'],
  play: stranger,
};

function inOrder({ replicas }: FleetStand, digest: Digest): readonly [Replica, Replica, Replica] {
  const names = ranked(
    replicas.map(({ member }) => member),
    `${upstreamName}/team/app@${digest}`,
  );
  const [owner, second, third] = names.flatMap((name) => replicas.filter(({ member }) => member === name));
  assert.ok(owner && second && third);
  return [owner, second, third];
}

function places(stand: FleetStand, replica: Replica, digest: Digest): readonly string[] {
  const others = stand.replicas.filter((each) => each !== replica);
  return [replica, ...others].map((each) => stand.url(each, digest));
}

async function herd(
  stand: FleetStand,
  digests: readonly Digest[],
  clients: number,
): Promise<readonly string[]> {
  const pulls = Array.from({ length: clients }, (_, index) => {
    const replica = stand.replicas[index % stand.replicas.length];
    const digest = digests[index % digests.length];
    assert.ok(replica && digest);
    return pull([stand.url(replica, digest)], digest);
  });
  const results = await Promise.all(pulls);
  for (const { isRight } of results) assert.ok(isRight);
  return results.flatMap(({ causes }) => causes);
}

async function herds({ fact }: Scene, stand: FleetStand): Promise<void> {
  await fact('60 clients of three replicas pull one cold blob: it crosses the link once', async () => {
    const digest = await stand.blob(large);
    assert.deepEqual(await herd(stand, [digest], 60), []);
    assert.equal(stand.crossings([digest], large), 1);
    const parts = stand.bucket.passed.filter(
      ({ method, path }) => method === 'PUT' && path.includes('partNumber'),
    );
    const numbers = parts.map(({ path }) => new URL(path, 'http://s3').searchParams.get('partNumber'));
    assert.equal(new Set(numbers).size, numbers.length, 'each part is uploaded by one replica, once');
  });
  await fact('40 cold blobs, 20 clients each: each crosses the link once', async () => {
    const size = 2 * mib;
    const digests: Digest[] = [];
    for (let index = 0; index < 40; index += 1) digests.push(await stand.blob(size));
    const causes = await herd(stand, digests, 800);
    assert.ok(causes.length <= 80, `${causes.length} of 800 had to resume: ${causes[0]}`);
    const crossings = stand.crossings(digests, 40 * size);
    assert.ok(crossings <= 1.05, `${crossings} times over the link`);
  });
}

async function slowHead({ fact }: Scene, stand: FleetStand): Promise<void> {
  await fact('an upstream whose answers begin after 5 s is asked once', async () => {
    const digest = await stand.blob(mib);
    const open = stand.link.hold(digest, 0);
    setTimeout(open, 5_000);
    await herd(stand, [digest], 12);
    assert.equal(stand.crossings([digest], mib), 1);
  });
}

/** Pulls through every replica but the first of the order, and resolves once half has come. */
async function halfway(stand: FleetStand, digest: Digest, readers: readonly Replica[]) {
  const open = stand.link.hold(digest, large / 2);
  const half = Promise.withResolvers<void>();
  let reached = 0;
  const pulls = readers.map((replica) => {
    let isThere = false;
    return pull(places(stand, replica, digest), digest, (bytes) => {
      if (isThere || bytes < large / 2 - mib) return;
      isThere = true;
      reached += 1;
      if (reached === readers.length) half.resolve();
    });
  });
  await Promise.race([half.promise, Promise.all(pulls)]);
  return { open, pulls };
}

async function stopped({ fact }: Scene, stand: FleetStand): Promise<void> {
  await fact('an owner that gets SIGTERM at half finishes its download: once over the link', async () => {
    const digest = await stand.blob(large);
    const [owner, second, third] = inOrder(stand, digest);
    const { open, pulls } = await halfway(stand, digest, [second, third, second, third]);
    const ended = owner.stop('SIGTERM');
    setTimeout(open, 500);
    for (const { isRight, resumes } of await Promise.all(pulls)) assert.ok(isRight && resumes === 0);
    await ended;
    assert.equal(stand.crossings([digest], large), 1);
    await owner.start();
  });
}

async function killed({ fact }: Scene, stand: FleetStand): Promise<void> {
  await fact('an owner killed at half: the others go on, and little crosses the link again', async () => {
    const digest = await stand.blob(large);
    const [owner, second, third] = inOrder(stand, digest);
    const { open, pulls } = await halfway(stand, digest, [second, third, second, third, owner]);
    await owner.stop('SIGKILL');
    open();
    const results = await Promise.all(pulls);
    for (const { isRight } of results) assert.ok(isRight);
    assert.deepEqual(
      results.map(({ resumes }) => resumes),
      [0, 0, 0, 0, 1],
    );
    const crossings = stand.crossings([digest], large);
    assert.ok(crossings <= 1.05, `${crossings} times over the link`);
    await owner.start();
  });
  await fact('a client of the new owner reads from the replica that went on', async () => {
    const digest = await stand.blob(large);
    const [owner, second, third] = inOrder(stand, digest);
    const { open, pulls } = await halfway(stand, digest, [third]);
    await owner.stop('SIGKILL');
    open();
    const late = pull([stand.url(second, digest)], digest);
    for (const { isRight } of await Promise.all([...pulls, late])) assert.ok(isRight);
    const crossings = stand.crossings([digest], large);
    assert.ok(crossings <= 1.05, `${crossings} times over the link`);
    await owner.start();
  });
}

async function others(scene: Scene): Promise<void> {
  const lists = (members: readonly string[], index: number) => members.filter((_, each) => each !== index);
  const stand = await fleetStand(scene, { lists, name: 'others' });
  await scene.fact(
    'lists that each leave out their owner: every pull ends, at most twice over the link',
    async () => {
      const digest = await stand.blob(mib);
      await herd(stand, [digest], 12);
      const crossings = stand.crossings([digest], mib);
      assert.ok(crossings <= 2, `${crossings} times over the link`);
    },
  );
}

async function stranger(scene: Scene): Promise<void> {
  const keys = ['k'.repeat(40), 'k'.repeat(40), 'another key '.repeat(4)];
  const stand = await fleetStand(scene, { keys, name: 'stranger' });
  await scene.fact('a replica with another key: no 404, at most twice over the link', async () => {
    const digest = await stand.blob(mib);
    await herd(stand, [digest], 12);
    const crossings = stand.crossings([digest], mib);
    assert.ok(crossings <= 2, `${crossings} times over the link`);
  });
}
