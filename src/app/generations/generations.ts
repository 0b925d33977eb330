import { closeInTurn, closeTogether } from '../../base/flow/close-all.ts';
import { type Entered, Succession } from '../../base/state/succession.ts';
import { hasSlept } from '../../base/time/wait.ts';
import type { Config } from '../../config/load.ts';
import type { Generation } from '../../proxy/pull/generation.ts';
import { createGeneration, type ServiceGeneration, type SharedParts } from './generation.ts';

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
  #replacing: Promise<unknown> = Promise.resolve();
  /** Stops and starts of what works by itself, one after the other. */
  #working: Promise<void> = Promise.resolve();
  #isWorking = false;

  constructor(first: ServiceGeneration, shared: SharedParts) {
    this.#shared = shared;
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
    this.#isWorking = true;
    startedWork(this.current);
  }

  /**
   * Makes a generation of the configuration; it is in force once this resolves. What it does not
   * take over of the one before is closed once no request uses it. Rejects, and changes nothing,
   * when a part cannot be made.
   */
  replace(config: Config): Promise<ServiceGeneration> {
    const replaced = this.#replacing.then(() => this.#replaced(config));
    this.#replacing = replaced.catch(() => undefined);
    return replaced;
  }

  async #replaced(config: Config): Promise<ServiceGeneration> {
    const before = this.current;
    const next = await createGeneration(config, this.#shared, before);
    await this.#synced(next, before);
    if (this.#ending.signal.aborted) {
      await discarded(next, before);
      throw this.#ending.signal.reason;
    }
    const unused = this.#succession.replace(next);
    this.#showMembers(next);
    next.indexes.reload(config);
    this.#working = this.#working.then(() => this.#workHanded(before, next));
    this.#retiring.set(before, this.#retired(before, { next, unused, stopped: this.#working }));
    return next;
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

  async #workHanded(before: ServiceGeneration, next: ServiceGeneration): Promise<void> {
    await before.parts.stopWithout(next.parts).catch((error: unknown) => this.#failed(error));
    if (this.#isWorking && !this.#ending.signal.aborted) startedWork(next, before);
  }

  async #retired(before: ServiceGeneration, { next, unused, stopped }: Retirement): Promise<void> {
    try {
      await Promise.all([unused, stopped]);
      await before.close();
      await before.parts.closeWithout(next.parts);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#retiring.delete(before);
    }
  }

  #failed(error: unknown): void {
    this.#shared.log.warn({ err: error }, 'cannot close what the configuration before had made');
  }

  #showMembers({ asked, forMembers }: ServiceGeneration): void {
    this.#shared.fleet?.show(asked, forMembers);
  }

  /** Other processes may mirror from now on; what is asked for is answered as before. */
  leave(): void {
    this.#isWorking = false;
    this.current.mirror?.leave();
  }

  /** The generation in force stays to the end, and what works by itself ends. */
  async stop(): Promise<void> {
    this.#ending.abort(new Error('the service is shutting down'));
    await this.#replacing;
    await this.#working;
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

interface Retirement {
  readonly next: ServiceGeneration;
  readonly unused: Promise<void>;
  readonly stopped: Promise<void>;
}

function startedWork({ parts }: ServiceGeneration, before?: ServiceGeneration): void {
  for (const upkeep of parts.upkeep.without(before?.parts.upkeep)) upkeep.start();
  for (const { mirror } of parts.mirror.without(before?.parts.mirror)) mirror.start();
  for (const sharing of parts.sharing.without(before?.parts.sharing)) sharing.start();
}

async function discarded(next: ServiceGeneration, before: ServiceGeneration): Promise<void> {
  await next.close();
  await next.parts.stopWithout(before.parts);
  await next.parts.closeWithout(before.parts);
}
