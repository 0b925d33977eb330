import { join } from 'node:path';
import { createLru } from '../../src/base/state/lru.ts';
import type { Clock } from '../../src/base/time/wait.ts';
import { createCacheContext } from '../../src/cache/registry/context.ts';
import { createCachedRegistry } from '../../src/cache/registry/registry.ts';
import { askedOnce } from '../../src/fleet/asked-once.ts';
import { createFleet } from '../../src/fleet/fleet.ts';
import { answerHeader, askHeader } from '../../src/fleet/protocol/ask.ts';
import type { MemberWire } from '../../src/fleet/protocol/member-client.ts';
import { createSeals } from '../../src/fleet/protocol/seals.ts';
import { collected } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { parseRepository } from '../../src/oci/reference.ts';
import { createMemberDoor, type MemberDoor } from '../../src/proxy/members/door.ts';
import { createBufferPool } from '../../src/store/buffers.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { type Random, seeded } from '../chaos/random.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { patterned } from '../support/registry-contents.ts';

/** What is wrong with a member: nothing; it is dead; it stands still; it answers pings only. */
type Health = 'well' | 'dead' | 'still' | 'pings';

interface ModelMember {
  readonly name: string;
  readonly registry: ReturnType<typeof createCachedRegistry>;
  readonly cache: ReturnType<typeof createCacheContext>;
  readonly close: () => Promise<void>;
}

const repository = parseRepository('team/app');
const elsewhere = parseRepository('other/app');
const policy = {
  ...{ freshMs: 30_000, refreshBehindMs: 30_000, staleMs: 3_600_000, negativeMs: 1 },
  ...({ immutable: [], gone: 'hide', historyEntries: 3 } as const),
};
const silent = new Proxy({}, { get: () => () => undefined }) as Parameters<
  typeof createCacheContext
>[0]['events'];
const chunkBytes = 20_000;
const members = 3;

/** One run: the faults that were found, which are none. */
export async function played(directory: string, seed: number): Promise<readonly string[]> {
  const random = seeded(seed);
  const clock = createManualClock();
  const world = new World(random, clock);
  const made: ModelMember[] = [];
  for (let index = 0; index < members; index += 1)
    made.push(await world.member(index, join(directory, `${seed}-${index}`)));
  const digests = Array.from({ length: 4 }, () => world.blob(1 + random.below(200_000)));
  const faults: string[] = [];
  const pulls = Array.from({ length: 12 }, () => {
    const [first, digest, delay] = [random.below(members), random.pick(digests), random.below(6_000)];
    return client(world, made, { first, digest, delay }).catch(
      (error: unknown) => void faults.push(`${error}`),
    );
  });
  for (let change = 0; change < 5; change += 1) world.plan(random.below(6_000), random);
  pulls.push(stranger(made, random.pick(digests)).catch((error: unknown) => void faults.push(`${error}`)));
  let isOver = false;
  void Promise.all(pulls).then(() => {
    isOver = true;
  });
  for (let turns = 0; !isOver && turns < 8_000; turns += 1) {
    await clock.pass(20);
    // The spool is on a real disk, whose time the clock does not know.
    await new Promise(setImmediate);
  }
  if (!isOver) faults.push('a pull hangs');
  world.heal();
  for (const { name, cache, close } of made) {
    for (let turns = 0; cache.fills.digests().length > 0 && turns < 5_000; turns += 1) {
      await clock.pass(20);
      await new Promise(setImmediate);
    }
    if (cache.fills.digests().length > 0) faults.push(`${name} left a download behind`);
    await close();
  }
  return faults;
}

/** A question as it passes. */
interface ModelAsk {
  readonly proof: string;
  readonly informed: (() => void) | undefined;
  /** Aborts when the asker leaves. */
  readonly left: AbortSignal;
}

interface ClientPlan {
  readonly first: number;
  readonly digest: Digest;
  readonly delay: number;
}

/** Goes to the next member after each failure, as clients behind a balancer do. */
async function client(world: World, made: readonly ModelMember[], { first, digest, delay }: ClientPlan) {
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

/** Members in one process, on one clock; what passes between them passes here. */
class World {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #store = createMemoryStore();
  readonly #doors = new Map<string, MemberDoor>();
  readonly #health = new Map<string, Health>();
  readonly #contents = new Map<Digest, Buffer>();
  readonly #seals = createSeals(() => ['k'.repeat(40)]);

  constructor(random: Random, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  healthOf(name: string): Health {
    return this.#health.get(name) ?? 'well';
  }

  heal(): void {
    this.#health.clear();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimeout(resolve, ms));
  }

  blob(size: number): Digest {
    const bytes = patterned(size, `${this.#contents.size}`);
    const digest = digestOf(bytes);
    this.#contents.set(digest, bytes);
    return digest;
  }

  /** One member falls ill at a time, and is well again after a while. */
  plan(atMs: number, random: Random): void {
    const name = nameOf(random.below(members));
    const health = random.pick(['dead', 'still', 'pings'] as const);
    const lastsMs = 500 + random.below(6_000);
    this.#clock.setTimeout(() => {
      const others = Array.from({ length: members }, (_, index) => nameOf(index)).filter(
        (each) => each !== name,
      );
      if (others.some((each) => this.healthOf(each) !== 'well')) return;
      this.#health.set(name, health);
      this.#clock.setTimeout(() => void this.#health.delete(name), lastsMs);
    }, atMs);
  }

  async member(index: number, spool: string): Promise<ModelMember> {
    const name = nameOf(index);
    const all = Array.from({ length: members }, (_, each) => nameOf(each));
    const listed = this.#random.isLucky(0.3)
      ? all.filter((_, each) => each !== this.#random.below(members))
      : all;
    const skewMs = this.#random.below(100_000);
    const clock = this.#clock;
    const now = (): number => 1e12 + skewMs + clock.now();
    const fleet = createFleet({
      ...{
        self: name,
        instance: name,
        seals: this.#seals,
        wire: this.#wire(name),
        clock,
        now,
        hasOneStore: true,
      },
      list: { follow: (tell) => tell(listed), close: () => undefined },
    });
    const context = createCacheContext({
      ...{ store: this.#store, buffers: createBufferPool(), events: silent, isStoredOnce: true, clock },
      spool: { path: spool, maxBytes: 1e9 },
      memory: { maxBytes: 1e6, maxEntryBytes: 100 },
    });
    const cache = { ...context, now };
    const upstream = askedOnce(this.#upstream());
    const absent = createLru<string, string>(100, { keepMs: 1 });
    const common = { ...cache, policy, absent };
    const registry = createCachedRegistry({ ...common, upstream: fleet.joined(upstream) });
    const own = createCachedRegistry({ ...common, upstream, askers: 'replicas' });
    this.#doors.set(
      name,
      createMemberDoor({
        ...{ seals: this.#seals, asked: [upstream], pong: fleet.pong, told: fleet.told, now },
        registries: new Map([['quay.io', own]]),
      }),
    );
    fleet.start();
    const close = async (): Promise<void> => {
      fleet.close();
      await cache.fills.abort();
      await registry.settled();
      await context.close();
    };
    return { name, registry, cache, close };
  }

  /** Waits while the member stands still. */
  async #awake(name: string): Promise<void> {
    while (this.healthOf(name) === 'still') await this.sleep(50);
    if (this.healthOf(name) === 'dead') throw new Error('the connection was cut');
  }

  #wire(from: string): MemberWire {
    return {
      close: () => undefined,
      get: async ({ url, headers = {}, signal, informed }) => {
        const gone = new Promise<never>((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
        );
        gone.catch(() => undefined);
        const leaving = new AbortController();
        signal?.addEventListener('abort', () => leaving.abort(signal.reason), { once: true });
        const ask = { proof: String(headers[askHeader]), informed, left: leaving.signal };
        const answered = this.#answered(from, url, ask);
        answered.catch(() => undefined);
        const { status, proof, chunks } = await Promise.race([answered, gone]);
        let isClosed = false;
        const hangUp = (): void => {
          isClosed = true;
          leaving.abort(new Error('the connection was closed'));
          void chunks.return();
        };
        const body = {
          get closed() {
            return isClosed;
          },
          once: () => undefined,
          destroy: hangUp,
          async *[Symbol.asyncIterator]() {
            const iterator = chunks[Symbol.asyncIterator]();
            for (;;) {
              const chunk = await Promise.race([iterator.next(), gone]);
              if (chunk.done === true) return;
              yield chunk.value;
            }
          },
        };
        return { status, headers: { [answerHeader]: proof }, url, body };
      },
    };
  }

  async #answered(from: string, url: URL, { proof, informed, left }: ModelAsk) {
    const to = url.host;
    await this.sleep(1 + this.#random.below(20));
    await this.#awake(from);
    await this.#awake(to);
    const alive = (): void => informed?.();
    const isPing = url.pathname.endsWith('/ping');
    if (this.healthOf(to) === 'pings' && !isPing) {
      alive();
      await never(left);
    }
    const path = url.pathname + url.search;
    const signal = (): AbortSignal => left;
    const answer = await this.#doors.get(to)?.({ method: 'GET', path, proof, signal, alive });
    await this.#awake(to);
    return {
      status: answer?.status ?? 404,
      proof: answer?.proof ?? '',
      chunks: this.#sent(to, answer, left),
    };
  }

  async *#sent(
    to: string,
    answer: Awaited<ReturnType<MemberDoor>>,
    left: AbortSignal,
  ): AsyncGenerator<Uint8Array, void> {
    if (answer?.bytes !== undefined) yield answer.bytes;
    for await (const chunk of answer?.body ?? []) {
      await this.#awake(to);
      if (this.healthOf(to) === 'pings') await never(left);
      yield chunk;
    }
  }

  #upstream(): Upstream {
    const unknown = async (): Promise<undefined> => undefined;
    const world = this;
    return {
      ...{ name: 'quay.io', hasRanges: true, tags: unknown, referrers: unknown, forwardBlob: unknown },
      manifest: async () => ({ kind: 'absent' }),
      isReachable: async () => true,
      close: async () => undefined,
      async statBlob(asked, digest) {
        const bytes = asked === elsewhere ? undefined : world.#contents.get(digest);
        return bytes && { digest, size: bytes.byteLength };
      },
      async openBlob(asked, digest, { start = 0, end } = {}) {
        await world.sleep(world.#random.below(300));
        if (world.#random.isLucky(0.05))
          throw new RegistryError('UNAVAILABLE', 'the upstream cannot be reached');
        const bytes = asked === elsewhere ? undefined : world.#contents.get(digest);
        if (bytes === undefined) return undefined;
        const last = Math.min(end ?? Number.POSITIVE_INFINITY, bytes.byteLength - 1);
        async function* body() {
          for (let at = start; at <= last; at += chunkBytes) {
            await world.sleep(world.#random.below(200));
            yield bytes?.subarray(at, Math.min(at + chunkBytes, last + 1)) ?? Buffer.of();
          }
        }
        return { size: bytes.byteLength, body: body(), close: () => undefined };
      },
    };
  }
}

/** Until the asker leaves. */
function never(left: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (left.aborted) reject(left.reason);
    else left.addEventListener('abort', () => reject(left.reason), { once: true });
  });
}

function nameOf(index: number): string {
  return `10.0.0.${index + 1}:8402`;
}
