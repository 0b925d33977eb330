import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Digest } from '../../../src/oci/digest.ts';
import { fleetStand } from '../fixtures/fleet-stand.ts';
import type { Passed, Trouble } from '../fixtures/front.ts';
import { memberLinks } from '../fixtures/member-links.ts';
import { allWell, type Pulled, pull } from '../fixtures/pull.ts';
import { quayside } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const mib = 1024 ** 2;
const programs = ['docker-registry', 'versitygw'] as const;

/** Lists of members that differ. */
export const fleetOthers: Scenario = { name: 'fleet-others', needs: programs, play: others };

/** Members that cannot prove what they are, or speak another version. */
export const fleetStranger: Scenario = { name: 'fleet-stranger', needs: programs, play: stranger };

/** An upstream that refuses. */
export const fleetRefused: Scenario = { name: 'fleet-refused', needs: programs, play: refused };

/** Members that cannot reach each other. */
export const fleetParted: Scenario = { name: 'fleet-parted', needs: [...programs, 'unshare'], play: parted };

async function others(scene: Scene): Promise<void> {
  const lists = (members: readonly string[], index: number) => members.filter((_, each) => each !== index);
  const stand = await fleetStand(scene, { lists, name: 'others' });
  await scene.fact(
    'lists that each leave out their owner: at most twice over the link, and no long wait',
    async () => {
      const digests: Digest[] = [];
      for (let index = 0; index < 6; index += 1) digests.push(await stand.blob(mib));
      const pulls = await stand.herd(digests, 36);
      allWell(pulls);
      const longest = Math.max(...pulls.map(({ seconds }) => seconds));
      assert.ok(longest <= 3, `a pull took ${longest} s`);
      await stand.crossed(digests, 6 * mib, 2);
    },
  );
}

async function stranger(scene: Scene): Promise<void> {
  const later = createServer((_request, response) => response.writeHead(404).end());
  later.listen(0, '127.0.0.1');
  await once(later, 'listening');
  scene.stage.defer(async () => void later.close());
  const address = later.address();
  assert.ok(address !== null && typeof address === 'object');
  const keys = ['k'.repeat(40), 'k'.repeat(40), 'another key '.repeat(4)];
  const lists = (members: readonly string[]) => [...members, `127.0.0.1:${address.port}`];
  const stand = await fleetStand(scene, { keys, lists, name: 'stranger' });
  await scene.fact(
    'one replica with another key, one of another version: no 404, at most twice over the link',
    async () => {
      const digests: Digest[] = [];
      for (let index = 0; index < 6; index += 1) digests.push(await stand.blob(mib));
      allWell(await stand.herd(digests, 36));
      await stand.crossed(digests, 6 * mib, 2);
    },
  );
}

/** What 12 clients got of a refusing upstream, and what that cost. */
interface Refused {
  readonly requests: number;
  readonly seconds: number;
  readonly statuses: readonly string[];
}

async function refused(scene: Scene): Promise<void> {
  let trouble: Trouble | undefined;
  const isBlob = ({ path }: Passed): boolean => path.includes('/blobs/sha256:');
  const stand = await fleetStand(scene, {
    weather: (passed) => (isBlob(passed) ? trouble : undefined),
    name: 'refused',
  });
  const { stage, fact } = scene;
  const alone = await quayside(stage, { upstream: stand.link.url, name: 'alone' });

  async function played(of: readonly { readonly url: string }[]): Promise<Refused> {
    const digest = await stand.blob(1_000);
    const before = stand.link.passed.filter(isBlob).length;
    const begunAt = performance.now();
    const clients = Array.from({ length: 12 }, (_, index) => of[index % of.length] ?? alone);
    const answers = await Promise.all(clients.map((replica) => fetch(stand.url(replica, digest))));
    const seconds = (performance.now() - begunAt) / 1000;
    await Promise.all(answers.map((answer) => answer.arrayBuffer()));
    const statuses = answers.map(({ status, headers }) => `${status} ${headers.get('retry-after')}`);
    return { requests: stand.link.passed.filter(isBlob).length - before, seconds, statuses };
  }

  const troubles: Record<string, Trouble> = {
    '503': { status: 503 },
    '429 with Retry-After': { status: 429, headers: { 'retry-after': '60' } },
  };
  for (const [name, each] of Object.entries(troubles))
    await fact(`an upstream that answers ${name} is asked no more often than by one replica`, async () => {
      trouble = each;
      const one = await played([alone]);
      const all = await played(stand.replicas);
      trouble = undefined;
      assert.deepEqual(new Set(all.statuses), new Set(one.statuses));
      assert.ok(all.requests <= one.requests, `${all.requests} requests, of one replica ${one.requests}`);
      // Between its three retries a replica pauses for a random time, 1.75 s in all at most.
      const pauses = one.requests > 1 ? 1.75 : one.seconds;
      const most = Math.max(1.5 * one.seconds, pauses + 0.5);
      assert.ok(all.seconds <= most, `${all.seconds} s, of one replica ${one.seconds} s`);
    });
}

async function parted(scene: Scene): Promise<void> {
  const links = await memberLinks(scene, 3);
  const stand = await fleetStand(scene, { links, name: 'parted' });
  const size = 8 * mib;

  async function apart(state: 'silent' | 'refused'): Promise<void> {
    const digest = await stand.blob(size);
    const [owner, second, third] = stand.inOrder(digest);
    const open = stand.link.hold(digest, size / 2);
    const half = Promise.withResolvers<void>();
    const readers = [owner, second, third, second];
    let reached = 0;
    const pulls = readers.map((replica): Promise<Pulled> => {
      let isThere = false;
      return pull([stand.url(replica, digest)], digest, (bytes) => {
        if (isThere || bytes < size / 4) return;
        isThere = true;
        reached += 1;
        if (reached === readers.length) half.resolve();
      });
    });
    await Promise.race([half.promise, Promise.all(pulls)]);
    links.part(new Set([links.names.indexOf(owner.member)]), state);
    try {
      open();
      const later = await stand.blob(mib);
      allWell([...(await Promise.all(pulls)), ...(await stand.herd([later], 9))]);
      const crossings = [stand.crossings([digest], size), stand.crossings([later], mib)];
      assert.ok(Math.max(...crossings) <= 2, `${crossings} times over the link`);
    } finally {
      links.part(new Set([links.names.indexOf(owner.member)]), 'open');
    }
  }

  await scene.fact('members parted by a network that swallows all: at most once by each part', () =>
    apart('silent'),
  );
  await scene.fact('members parted by a network that refuses: at most once by each part', () =>
    apart('refused'),
  );
}
