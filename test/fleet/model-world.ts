import { createLru } from '../../src/base/state/lru.ts';
import type { Clock } from '../../src/base/time/wait.ts';
import { createCacheContext } from '../../src/cache/registry/context.ts';
import { createCachedRegistry } from '../../src/cache/registry/registry.ts';
import { askedOnce } from '../../src/fleet/asked-once.ts';
import { createFleet } from '../../src/fleet/fleet.ts';
import { answerHeader, askHeader } from '../../src/fleet/protocol/ask.ts';
import type { MemberWire } from '../../src/fleet/protocol/proven-get.ts';
import { createSeals } from '../../src/fleet/protocol/seals.ts';
import { createMemberDoor, type MemberDoor } from '../../src/proxy/members/door.ts';
import { createBufferPool } from '../../src/store/buffers.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Random } from '../chaos/random.ts';
import { ModelUpstream } from './model-upstream.ts';

/** What is wrong with a member: nothing; it is dead; it stands still; it answers pings only. */
type Health = 'well' | 'dead' | 'still' | 'pings';

export interface ModelMember {
  readonly name: string;
  readonly registry: ReturnType<typeof createCachedRegistry>;
  readonly cache: ReturnType<typeof createCacheContext>;
  readonly close: () => Promise<void>;
}

const policy = {
  ...{ freshMs: 30_000, refreshBehindMs: 30_000, staleMs: 3_600_000, negativeMs: 1 },
  ...({ immutable: [], gone: 'hide', historyEntries: 3 } as const),
};
const silent = new Proxy({}, { get: () => (_event: unknown, run?: () => unknown) => run?.() }) as Parameters<
  typeof createCacheContext
>[0]['events'];
export const members = 3;

/** A question as it passes. */
interface ModelAsk {
  readonly proof: string;
  readonly informed: (() => void) | undefined;
  /** Aborts when the asker leaves. */
  readonly left: AbortSignal;
}

/** Members in one process, on one clock; what passes between them passes here. */
export class World {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #store = createMemoryStore();
  readonly upstream: ModelUpstream;
  readonly #doors = new Map<string, MemberDoor>();
  readonly #health = new Map<string, Health>();
  /** How often the connections of each were cut, and how far its clock is ahead, milliseconds. */
  readonly #cuts = new Map<string, number>();
  readonly #ahead = new Map<string, number>();
  readonly #seals = createSeals(() => ['k'.repeat(40)]);

  constructor(random: Random, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
    this.upstream = new ModelUpstream(random, (ms) => this.sleep(ms));
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

  /** All answers of a member break off, and its clock is set, now and then too far ahead. */
  upset(atMs: number, random: Random): void {
    const name = nameOf(random.below(members));
    const aheadMs = random.below(400_000);
    this.#clock.setTimeout(() => {
      this.#cuts.set(name, (this.#cuts.get(name) ?? 0) + 1);
      this.#ahead.set(name, aheadMs);
    }, atMs);
  }

  async member(index: number, spool: string): Promise<ModelMember> {
    const name = nameOf(index);
    const all = Array.from({ length: members }, (_, each) => nameOf(each));
    const listed = this.#random.isLucky(0.3)
      ? all.filter((_, each) => each !== this.#random.below(members))
      : all;
    this.#ahead.set(name, this.#random.below(100_000));
    const clock = this.#clock;
    const now = (): number => 1e12 + (this.#ahead.get(name) ?? 0) + clock.now();
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
    const upstream = askedOnce(this.upstream.reader());
    const absent = createLru<string, string>(100, { keepMs: 1 });
    const common = { ...cache, policy, absent };
    const registry = createCachedRegistry({ ...common, upstream: fleet.joined(upstream) });
    const owned = fleet.owned(upstream);
    const own = createCachedRegistry({ ...common, upstream: owned, askers: 'replicas' });
    this.#doors.set(
      name,
      createMemberDoor({
        ...{ seals: this.#seals, asked: [upstream, owned], pong: fleet.pong, told: fleet.told, now },
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
        const { promise: gone, reject } = Promise.withResolvers<never>();
        gone.catch(() => undefined);
        const leaving = new AbortController();
        let isClosed = false;
        let hangUp = (): void => undefined;
        const aborted = (): void => {
          reject(signal?.reason);
          leaving.abort(signal?.reason);
          hangUp();
        };
        signal?.addEventListener('abort', aborted, { once: true });
        // A signal that is listened to is kept with all that it knows.
        const over = (): void => signal?.removeEventListener('abort', aborted);
        const ask = { proof: String(headers[askHeader]), informed, left: leaving.signal };
        const answered = this.#answered(from, url, ask);
        answered.catch(over);
        const { status, proof, chunks } = await Promise.race([answered, gone]);
        hangUp = () => {
          isClosed = true;
          over();
          leaving.abort(new Error('the connection was closed'));
          void chunks.return();
        };
        const body = {
          get closed() {
            return isClosed;
          },
          once: () => undefined,
          destroy: () => hangUp(),
          async *[Symbol.asyncIterator]() {
            const iterator = chunks[Symbol.asyncIterator]();
            for (;;) {
              const chunk = await Promise.race([iterator.next(), gone]);
              if (chunk.done === true) return over();
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
    const cuts = this.#cuts.get(to);
    for await (const chunk of answer?.body ?? []) {
      await this.#awake(to);
      if (this.healthOf(to) === 'pings') await never(left);
      if (this.#cuts.get(to) !== cuts) throw new Error('the connection was cut');
      yield chunk;
    }
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
