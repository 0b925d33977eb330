import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Digest } from '../../../src/oci/digest.ts';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { type FleetStand, fleetStand, type Replica } from '../fixtures/fleet-stand.ts';
import { onePlatform } from '../fixtures/images.ts';
import { allWell, pull } from '../fixtures/pull.ts';
import { upstreamName } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const mib = 1024 ** 2;

/** Sizes and times: at a user's, or as little as shows the fact. */
const shortForm = { blob: 16, large: 24, small: 0.5, replicas: 3, stopMs: 5_000, rounds: 1 };
const longForm = { blob: 200, large: 200, small: 10, replicas: 5, stopMs: 20_000, rounds: 4 };

type Form = typeof shortForm;

/** Replicas over one bucket: what crosses the link to the upstream, whatever dies. */
export const fleet: Scenario = {
  name: 'fleet',
  needs: ['docker-registry', 'versitygw'],
  limitMs: 300_000,
  play: async (scene) => {
    const form = scene.isLong ? longForm : shortForm;
    const stand = await fleetStand(scene, { replicas: form.replicas });
    await herds(scene, stand, form);
    await slowHead(scene, stand);
    await movedTag(scene, stand);
    await stopped(scene, stand, form);
    await paused(scene, stand, form);
    await killed(scene, stand, form);
    await restarted(scene, stand, form);
  },
};

async function herds({ fact }: Scene, stand: FleetStand, form: Form): Promise<void> {
  await fact('60 clients of all replicas pull one cold blob: it crosses the link once', async () => {
    const size = form.blob * mib;
    const digest = await stand.blob(size);
    allWell(await stand.herd([digest], 60));
    assert.equal(stand.crossings([digest], size), 1);
    const parts = stand.bucket.passed.filter(
      ({ method, path }) => method === 'PUT' && path.includes('partNumber'),
    );
    const numbers = parts.map(({ path }) => new URL(path, 'http://s3').searchParams.get('partNumber'));
    assert.equal(new Set(numbers).size, numbers.length, 'each part is uploaded by one replica, once');
  });
  await fact(
    '40 cold blobs, 20 clients each: each crosses the link once, and no client waits twice',
    async () => {
      const size = form.small * mib;
      const digests: Digest[] = [];
      for (let index = 0; index < 40; index += 1) digests.push(await stand.blob(size));
      allWell(await stand.herd(digests, 800));
      const whole = stand.link.passed.filter(
        ({ path, headers }) =>
          digests.some((digest) => path.includes(digest)) && headers['range'] === undefined,
      );
      assert.equal(whole.length, 40, 'one replica asks for each; what stalls is asked for from there on');
      await stand.crossed(digests, 40 * size, 1.2);
    },
  );
}

async function slowHead({ fact }: Scene, stand: FleetStand): Promise<void> {
  await fact('an upstream whose answers begin after 5 s is asked once', async () => {
    const digest = await stand.blob(mib);
    const open = stand.link.hold(digest, 0);
    setTimeout(open, 5_000);
    allWell(await stand.herd([digest], 12));
    assert.equal(stand.crossings([digest], mib), 1);
  });
}

async function movedTag({ fact }: Scene, stand: FleetStand): Promise<void> {
  await fact('a tag that moved is seen at all replicas within 1 s after one has learnt it', async () => {
    const { upstream, replicas } = stand;
    const [before, after] = [await onePlatform('before', 'oci', 1), await onePlatform('after', 'oci', 1)];
    await pushImage(upstream.url, 'team/app', 'moving', before);
    const meant = async ({ url }: Replica): Promise<string | null> => {
      const answer = await fetch(`${url}/v2/${upstreamName}/team/app/manifests/moving`, { method: 'HEAD' });
      return answer.headers.get('docker-content-digest');
    };
    for (const replica of replicas) assert.equal(await meant(replica), before.root.descriptor.digest);
    await pushImage(upstream.url, 'team/app', 'moving', after);
    const seen = (): boolean =>
      stand.link.passed.some(({ path }) => path.includes(after.root.descriptor.digest));
    const asked = async (): Promise<boolean> => {
      for (const replica of replicas) await meant(replica);
      return seen();
    };
    await until('one replica asks the upstream anew', asked, 100_000);
    const learntAt = performance.now();
    const all = async (): Promise<boolean> =>
      (await Promise.all(replicas.map(meant))).every((digest) => digest === after.root.descriptor.digest);
    await until('all replicas say so', all, 1_000);
    assert.ok(performance.now() - learntAt < 3_000);
  });
}

/** Pulls through the replicas, and resolves once half has come to each client. */
async function halfway(stand: FleetStand, digest: Digest, size: number, readers: readonly Replica[]) {
  const open = stand.link.hold(digest, size / 2);
  const half = Promise.withResolvers<void>();
  let reached = 0;
  const pulls = readers.map((replica) => {
    let isThere = false;
    return pull(stand.places(replica, digest), digest, (bytes) => {
      if (isThere || bytes < size / 2 - mib) return;
      isThere = true;
      reached += 1;
      if (reached === readers.length) half.resolve();
    });
  });
  await Promise.race([half.promise, Promise.all(pulls)]);
  return { open, pulls };
}

async function stopped({ fact }: Scene, stand: FleetStand, form: Form): Promise<void> {
  await fact('an owner that gets SIGTERM at half finishes its download: once over the link', async () => {
    const size = form.large * mib;
    const digest = await stand.blob(size);
    const [owner, second, third] = stand.inOrder(digest);
    const { open, pulls } = await halfway(stand, digest, size, [second, third, second, third]);
    const ended = owner.stop('SIGTERM');
    // The upstream goes on when the owner has its signal; without this pause the fact is weaker.
    setTimeout(open, 500);
    allWell(await Promise.all(pulls));
    await ended;
    assert.equal(stand.crossings([digest], size), 1);
    await owner.start();
  });
}

async function paused({ fact }: Scene, stand: FleetStand, form: Form): Promise<void> {
  await fact('an owner that stands still at half: the others go on, and no client fails', async () => {
    const size = form.large * mib;
    const digest = await stand.blob(size);
    const [owner, second, third] = stand.inOrder(digest);
    const { open, pulls } = await halfway(stand, digest, size, [second, third, second, third, owner]);
    process.kill(owner.pid, 'SIGSTOP');
    const own = pulls.pop();
    open();
    try {
      const [others] = await Promise.all([Promise.all(pulls), delay(form.stopMs)]);
      allWell(others);
    } finally {
      process.kill(owner.pid, 'SIGCONT');
    }
    assert.ok((await own)?.isRight);
    // It goes on where it was, and one of the others has fetched the rest.
    await stand.crossed([digest], size, 1.6);
  });
}

async function killed({ fact }: Scene, stand: FleetStand, form: Form): Promise<void> {
  const size = form.large * mib;
  await fact('an owner killed at half: the others go on, and little crosses the link again', async () => {
    const digest = await stand.blob(size);
    const [owner, second, third] = stand.inOrder(digest);
    const { open, pulls } = await halfway(stand, digest, size, [second, third, second, third, owner]);
    await owner.stop('SIGKILL');
    open();
    const results = await Promise.all(pulls);
    for (const { isRight } of results) assert.ok(isRight);
    assert.deepEqual(
      results.map(({ resumes }) => resumes),
      [0, 0, 0, 0, 1],
      'only who was connected to the killed replica resumes',
    );
    await stand.crossed([digest], size, 1.05);
    await owner.start();
  });
  await fact('a client of the new owner reads from the replica that went on', async () => {
    const digest = await stand.blob(size);
    const [owner, second, third] = stand.inOrder(digest);
    const { open, pulls } = await halfway(stand, digest, size, [third]);
    await owner.stop('SIGKILL');
    open();
    const late = pull([stand.url(second, digest)], digest);
    for (const { isRight } of await Promise.all([...pulls, late])) assert.ok(isRight);
    await stand.crossed([digest], size, 1.05);
    await owner.start();
  });
}

async function restarted({ fact }: Scene, stand: FleetStand, { rounds }: Form): Promise<void> {
  await fact('all replicas restarted one after the other under load: no pull fails', async () => {
    const size = 2 * mib;
    const digests: Digest[] = [];
    let isOver = false;
    const failures: string[] = [];
    const puller = async (index: number): Promise<void> => {
      for (let turn = index; !isOver; turn += 1) {
        const digest = await stand.blob(size);
        digests.push(digest);
        const clients = stand.replicas.map((_, at) => {
          const replica = stand.replicas[(turn + at) % stand.replicas.length];
          return replica === undefined ? [] : stand.places(replica, digest);
        });
        for (const pulled of await Promise.allSettled(clients.map((places) => pull(places, digest))))
          if (pulled.status === 'rejected') failures.push(String(pulled.reason));
          else assert.ok(pulled.value.isRight);
      }
    };
    const pullers = [puller(0), puller(1)];
    for (let round = 0; round < rounds; round += 1)
      for (const replica of stand.replicas) {
        await replica.stop('SIGTERM');
        await replica.start();
      }
    isOver = true;
    await Promise.all(pullers);
    assert.deepEqual(failures, []);
    await stand.crossed(digests, digests.length * size, 1.05);
  });
}
