import { join } from 'node:path';
import { collected } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import type { Repository } from '../../src/oci/reference.ts';
import { seeded } from '../chaos/random.ts';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';
import { elsewhere, repositories } from './model-upstream.ts';
import { type ModelMember, members, World } from './model-world.ts';

/** One run: the faults that were found, which are none. */
export async function played(directory: string, seed: number): Promise<readonly string[]> {
  const random = seeded(seed);
  const clock = createManualClock();
  const world = new World(random, clock);
  const made: ModelMember[] = [];
  for (let index = 0; index < members; index += 1)
    made.push(await world.member(index, join(directory, `${seed}-${index}`)));
  const digests = Array.from({ length: 4 }, () => world.upstream.blob(1 + random.below(200_000)));
  const faults: string[] = [];
  const pulls = Array.from({ length: 12 }, () => {
    const [first, digest, delay] = [random.below(members), random.pick(digests), random.below(6_000)];
    return client(world, made, { first, repository: random.pick(repositories), digest, delay }).catch(
      (error: unknown) => void faults.push(`${error}`),
    );
  });
  for (let change = 0; change < 5; change += 1) world.plan(random.below(6_000), random);
  for (let change = 0; change < 2; change += 1) world.upset(random.below(6_000), random);
  pulls.push(stranger(made, random.pick(digests)).catch((error: unknown) => void faults.push(`${error}`)));
  let isOver = false;
  void Promise.all(pulls).then(() => {
    isOver = true;
  });
  if (!(await cameTrue(clock, 8_000, () => isOver))) faults.push('a pull hangs');
  world.heal();
  // A member that stood still looks around every 50 ms: what it was sending ends, and its file.
  for (let turns = 0; turns < 10; turns += 1) {
    await clock.pass(20);
    await new Promise(setImmediate);
  }
  for (const { name, cache, close } of made) {
    const isLeft = !(await cameTrue(clock, 5_000, () => cache.fills.digests().length === 0));
    if (isLeft) faults.push(`${name} left a download behind`);
    await close();
  }
  return faults;
}

/**
 * Whether it came true in so many turns of 20 ms. The spool is on a real disk, whose time the clock
 * does not know: on a busy machine it gets ten seconds.
 */
async function cameTrue(clock: ManualClock, leastTurns: number, isTrue: () => boolean): Promise<boolean> {
  const began = performance.now();
  for (let turns = 0; turns < leastTurns || performance.now() - began < 10_000; turns += 1) {
    if (isTrue()) return true;
    await clock.pass(20);
    await new Promise(setImmediate);
  }
  return isTrue();
}

interface ClientPlan {
  readonly first: number;
  readonly repository: Repository;
  readonly digest: Digest;
  readonly delay: number;
}

/** Goes to the next member after each failure, as clients behind a balancer do. */
async function client(
  world: World,
  made: readonly ModelMember[],
  { first, repository, digest, delay }: ClientPlan,
) {
  await world.sleep(delay);
  let last: unknown;
  for (let tries = 0; tries < 8; tries += 1) {
    const member = made[(first + tries) % made.length];
    if (member === undefined || world.healthOf(member.name) !== 'well') {
      await world.sleep(1_000);
      continue;
    }
    try {
      const blob = await member.registry.blobs.open(repository, digest);
      if (digestOf(await collected(blob.read(), 1e6)) !== digest) throw new Error('a wrong byte');
      return;
    } catch (error) {
      if (error instanceof Error && error.message === 'a wrong byte') throw error;
      last = error;
      await world.sleep(1_000);
    }
  }
  throw new Error(`no member delivered the blob: ${last}`);
}

/** A repository that lacks the blob gives it to no client, wherever it is stored. */
async function stranger(made: readonly ModelMember[], digest: Digest): Promise<void> {
  for (const { registry } of made) {
    const opened = await registry.blobs.open(elsewhere, digest).catch(() => undefined);
    if (opened !== undefined) throw new Error('a blob of another repository');
  }
}
