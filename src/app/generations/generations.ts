import { closeInTurn, closeTogether } from '../../base/flow/close-all.ts';
import { type Entered, Succession } from '../../base/state/succession.ts';
import { hasSlept } from '../../base/time/wait.ts';
import type { Config } from '../../config/load.ts';
import type { Generation } from '../../proxy/pull/generation.ts';
import type { CountedUpstream } from '../../upstream/in-use.ts';
import { createGeneration, type ServiceGeneration, type SharedParts } from './generation.ts';
import { HandedWork } from './work.ts';

/** How long a new index of image streams is waited for before it is in force, milliseconds. */
const longestSyncMs = 60_000;
const lookMs = 50;

/**
 * The generation in force, and those before it that requests still use. A configuration is taken
 * over as a whole or not at all.
 */
export class Generations {
  readonly #shared: SharedParts;
  readonly #succession: Succession<ServiceGeneration>;
  readonly #ending = new AbortController();
  /** Generations whose last requests are under way, or their downloads. */
  readonly #retiring = new Map<ServiceGeneration, Promise<void>>();
  readonly #work: HandedWork<ServiceGeneration>;
  /** Resolves once it is decided about the last generation that was to be prepared. */
  #deciding: Promise<void> = Promise.resolve();

  constructor(first: ServiceGeneration, shared: SharedParts) {
    this.#shared = shared;
    this.#work = new HandedWork({
      start: startedWork,
      stop: (before, next) => this.#closed(() => before.parts.stopWithout(next.parts)),
    });
    this.#succession = new Succession(first);
    this.#showMembers(first);
  }

  get current(): ServiceGeneration {
    return this.#succession.current;
  }

  /** The requests' part of the generation in force. */
  enter(): Entered<Generation> {
    const { value, leave } = this.#succession.enter();
    return { value: value.requests, leave };
  }

  /** Follows the image streams. */
  start(): void {
    this.current.indexes.start();
  }

  /** Begins what works by itself: mirror, eviction, scrub, sweeps. */
  startWork(): void {
    this.#work.begin(this.current);
  }

  /**
   * Makes a generation of the configuration, which is in force once it is taken. What it does not
   * share with the one before is closed then, once no request uses it. Rejects, and changes
   * nothing, when a part cannot be made. The next one waits until it is decided about this one.
   */
  async prepare(config: Config): Promise<PreparedGeneration> {
    const before = this.#deciding;
    const { promise, resolve: decided } = Promise.withResolvers<void>();
    this.#deciding = promise;
    await before;
    try {
      return await this.#prepared(config, decided);
    } catch (error) {
      decided();
      throw error;
    }
  }

  async #prepared(config: Config, decided: () => void): Promise<PreparedGeneration> {
    const { signal } = this.#ending;
    signal.throwIfAborted();
    const before = this.current;
    const next = await createGeneration(config, this.#shared, before);
    let isTaken = false;
    let discarding: Promise<void> | undefined;
    const discard = (): Promise<void> => {
      signal.removeEventListener('abort', discard);
      discarding ??= isTaken ? Promise.resolve() : this.#closed(() => discarded(next, before)).then(decided);
      return discarding;
    };
    signal.addEventListener('abort', discard);
    await this.#synced(next, before);
    if (signal.aborted) await discard();
    signal.throwIfAborted();
    return {
      generation: next,
      take: () => {
        signal.throwIfAborted();
        if (isTaken || discarding !== undefined) throw new Error('it is decided about this configuration');
        isTaken = true;
        signal.removeEventListener('abort', discard);
        this.#take(next, before);
        decided();
      },
      discard,
    };
  }

  #take(next: ServiceGeneration, before: ServiceGeneration): void {
    const unused = this.#succession.replace(next);
    this.#showMembers(next);
    next.indexes.reload(next.config);
    this.#forgetBreakers(before.parts.upstreams.without(next.parts.upstreams));
    const stopped = this.#work.hand(before, next);
    // Requests of an earlier one may use what all of them took over from it.
    const earlier = [...this.#retiring.values()];
    this.#retiring.set(before, this.#retired(before, next, [unused, stopped, ...earlier]));
  }

  /** Those who ask an upstream by other settings know nothing of its breaker. */
  #forgetBreakers(gone: readonly CountedUpstream[]): void {
    const { states, events } = this.#shared;
    for (const { upstream } of gone)
      if (states.of(upstream.name).breaker !== 'closed')
        events.breakerChanged({ upstream: upstream.name, state: 'closed' });
  }

  /** New indexes know what their clusters have before they decide. */
  async #synced({ indexes, parts }: ServiceGeneration, before: ServiceGeneration): Promise<void> {
    const { signal } = this.#ending;
    const made = parts.streams.without(before.parts.streams);
    for (const { index } of made) index.start();
    indexes.started();
    const endsAt = performance.now() + longestSyncMs;
    while (made.some(({ index }) => index.state === 'syncing') && performance.now() < endsAt)
      if (!(await hasSlept(lookMs, signal))) return;
  }

  async #retired(
    before: ServiceGeneration,
    next: ServiceGeneration,
    over: readonly Promise<void>[],
  ): Promise<void> {
    await Promise.all(over);
    await this.#closed(() => closeInTurn([before.close, () => before.parts.closeWithout(next.parts)]));
    this.#retiring.delete(before);
  }

  async #closed(close: () => Promise<void>): Promise<void> {
    try {
      await close();
    } catch (error) {
      this.#shared.log.warn({ err: error }, 'cannot close what the configuration before had made');
    }
  }

  #showMembers({ asked, forMembers }: ServiceGeneration): void {
    this.#shared.fleet?.show(asked, forMembers);
  }

  /** Other processes may mirror from now on; what is asked for is answered as before. */
  leave(): void {
    void this.#work.end();
    this.current.mirror?.leave();
  }

  /** The generation in force stays to the end, and what works by itself ends. */
  async stop(): Promise<void> {
    this.#ending.abort(new Error('the service is shutting down'));
    await this.#deciding;
    await this.#work.end();
    await this.current.parts.mirror.closeWithout();
  }

  /** Requests of all upstreams fail, at once. */
  giveUp(): void {
    for (const { parts } of [this.current, ...this.#retiring.keys()])
      for (const { upstream } of parts.upstreams.values) void upstream.close();
  }

  /** Resolves once nothing is written behind answers any more. */
  async settled(): Promise<void> {
    await this.current.parts.registries.closeWithout();
  }

  /** Closes all but the upstreams and the mirror, once requests and downloads have ended. */
  async close(): Promise<void> {
    const { parts } = this.current;
    await closeInTurn([
      () => parts.upkeep.closeWithout(),
      () => parts.streams.closeWithout(),
      () => this.current.close(),
      () => closeTogether([() => parts.clusters.closeWithout(), () => parts.sharing.closeWithout()]),
    ]);
  }

  /** Closes the upstreams, and waits for the generations before. */
  async closeUpstreams(): Promise<void> {
    this.giveUp();
    const { upstreams } = this.current.parts;
    await closeTogether(
      upstreams.values.map(
        ({ upstream }) =>
          () =>
            upstream.close(),
      ),
    );
    await this.current.parts.helpers.closeWithout();
    await Promise.all(this.#retiring.values());
  }
}

/** A generation that is made, and waits for a decision. The end of the service discards it. */
interface PreparedGeneration {
  readonly generation: ServiceGeneration;
  /** It is in force from now on. Throws when the service ends. */
  take(): void;
  /** Closes what was made for it alone. */
  discard(): Promise<void>;
}

function startedWork({ parts }: ServiceGeneration, before?: ServiceGeneration): void {
  for (const upkeep of parts.upkeep.without(before?.parts.upkeep)) upkeep.start();
  for (const { mirror } of parts.mirror.without(before?.parts.mirror)) mirror.start();
  for (const sharing of parts.sharing.without(before?.parts.sharing)) sharing.start();
}

async function discarded(next: ServiceGeneration, before: ServiceGeneration): Promise<void> {
  const { parts } = next;
  await closeInTurn([
    next.close,
    () => parts.stopWithout(before.parts),
    () => parts.closeWithout(before.parts),
  ]);
}
