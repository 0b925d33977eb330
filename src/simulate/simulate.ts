// Room `simulate`: what a fleet would ask for, keep and cost. In: arrivals of a trace or a model,
// and settings. Out: counts, peaks and money. Imports: base, base/state, base/time, cache,
// cache/blobs, cache/eviction, cache/records, cache/registry, fleet/members, load, load/model, oci,
// simulate/model, simulate/replicas, store/disk-tier, store/s3, upstream/resilience.

import { flushEveryMs } from '../cache/eviction/usage.ts';
import { createRandom } from '../load/model/random.ts';
import { ContentTable, Owners } from './model/contents.ts';
import { SimulatedCounts } from './model/counts.ts';
import { NodeStores } from './model/node-stores.ts';
import type { SimulatedFleet, SimulatedSite } from './model/settings.ts';
import { VirtualClock } from './model/virtual-clock.ts';
import {
  manifestOf,
  type ReadDone,
  type ReadOutcome,
  Replica,
  type ReplicaParts,
} from './replicas/replica.ts';
import { SimulatedStore } from './replicas/stored.ts';
import type { TagRecord } from './replicas/tags.ts';
import { SimulatedUpstream } from './replicas/upstream.ts';
import type { SimulatedArrival, SimulatedImage } from './workload.ts';

/** How long a simulation goes on, and from when on it counts. */
export interface SimulatedTime {
  /** Ends it: arrivals later than this are left, milliseconds. */
  readonly durationMs: number;
  /** Nothing before this counts, milliseconds: caches are cold at the start. */
  readonly warmUpMs: number;
  readonly mostPulls: number;
  readonly signal?: AbortSignal;
  /** Told now and then: how many arrivals there were. */
  readonly progressed?: (arrivals: number) => void;
}

/** What a simulation counted, and what was left in the stores. */
export interface Simulated {
  readonly tally: SimulatedCounts;
  /** From where counting began to the last arrival, milliseconds. */
  readonly countedMs: number;
  /** In the bucket, or in all directories, bytes. */
  readonly storedBytes: number;
  /** Before the bucket, on all disks, bytes. */
  readonly diskBytes: number;
}

/** Clients make a request again so often, as podman does for a 429. */
const clientRetries = 5;
/** Answers of the replicas themselves, milliseconds. */
const answerMs = 2;
/** Arrivals between two signs of progress. */
const progressEvery = 1_000;
/** Each replica looks in the bucket for orders to forget so often, milliseconds. */
const newsEveryMs = 10_000;

/** Runs all arrivals through a fleet. Rejects with the reason of the signal. */
export async function simulated(
  arrivals: (contents: ContentTable) => AsyncIterable<SimulatedArrival>,
  fleet: SimulatedFleet,
  site: SimulatedSite,
  time: SimulatedTime,
): Promise<Simulated> {
  const contents = new ContentTable();
  const run = new Simulation(fleet, site, contents);
  let count = 0;
  let lastMs = 0;
  for await (const arrival of arrivals(contents)) {
    if (arrival.atMs > time.durationMs || count >= time.mostPulls) break;
    run.until(arrival.atMs, time.warmUpMs);
    run.arrived(arrival);
    lastMs = arrival.atMs;
    count += 1;
    if (count % progressEvery === 0) {
      time.progressed?.(count);
      // Else no signal would come through, and nothing would be drawn.
      await nextTurn();
      time.signal?.throwIfAborted();
    }
  }
  return run.ended(lastMs, time.warmUpMs);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** One fleet under way. */
class Simulation {
  readonly #clock = new VirtualClock();
  readonly #contents: ContentTable;
  readonly #fleet: SimulatedFleet;
  readonly #site: SimulatedSite;
  readonly #tally: SimulatedCounts;
  readonly #random: () => number;
  readonly #replicas: readonly Replica[];
  readonly #nodes: NodeStores;
  readonly #uses = new Map<number, number>();
  #isCounting = false;

  constructor(fleet: SimulatedFleet, site: SimulatedSite, contents: ContentTable) {
    this.#fleet = fleet;
    this.#site = site;
    this.#contents = contents;
    this.#tally = new SimulatedCounts(fleet.replicas);
    this.#random = createRandom(site.seed);
    this.#nodes = new NodeStores({ maxBytes: site.nodeBytes, livesMs: site.nodeLivesMs });
    this.#replicas = this.#made();
    for (const replica of this.#replicas) this.#upkeep(replica);
  }

  until(atMs: number, warmUpMs: number): void {
    if (!this.#isCounting && atMs >= warmUpMs) {
      this.#clock.runUntil(warmUpMs);
      this.#tally.begin(warmUpMs);
      this.#isCounting = true;
    }
    this.#clock.runUntil(atMs);
  }

  arrived(arrival: SimulatedArrival): void {
    switch (arrival.kind) {
      case 'pull':
        this.#pull(arrival.node, arrival.image);
        return;
      case 'manifest':
        this.#read(this.#contents.size(arrival.reference.manifest), (replica, done) =>
          manifestOf(replica, arrival.reference, done),
        );
        return;
      case 'blob':
        this.#read(this.#contents.size(arrival.id), (replica, done) =>
          replica.blob(arrival.repository, arrival.id, done),
        );
        return;
      case 'move':
        arrival.move();
    }
  }

  ended(lastMs: number, warmUpMs: number): Simulated {
    // What is under way at the end goes on for a minute, in which nothing else begins.
    this.#clock.runUntil(lastMs + 60_000);
    const media = new Set(this.#replicas.map(({ medium }) => medium));
    return {
      tally: this.#tally,
      countedMs: Math.max(1, lastMs - (this.#isCounting ? warmUpMs : 0)),
      storedBytes: [...media].reduce((sum, { bytes }) => sum + bytes, 0),
      diskBytes: this.#replicas.reduce((sum, { disk }) => sum + (disk?.bytes ?? 0), 0),
    };
  }

  #made(): readonly Replica[] {
    const { upstream: budget, replicas: count, medium } = this.#fleet;
    const common = { clock: this.#clock, site: this.#site, tally: this.#tally };
    const upstream = new SimulatedUpstream({ ...common, budget, random: this.#random, replicas: count });
    const parts: ReplicaParts = {
      ...{ ...common, contents: this.#contents, fleet: this.#fleet, upstream, recordedUses: this.#uses },
      owners: new Owners(count, budget.name, this.#contents),
      replica: (index) => this.#replicaAt(index),
    };
    const shared = { medium: new SimulatedStore(this.#contents), records: new Map<string, TagRecord>() };
    return Array.from({ length: count }, (_, index) => {
      const own =
        medium === 's3'
          ? shared
          : { medium: new SimulatedStore(this.#contents), records: new Map<string, TagRecord>() };
      return new Replica(index, own.medium, own.records, parts);
    });
  }

  #replicaAt(index: number): Replica {
    const replica = this.#replicas[index];
    if (replica === undefined) throw new Error(`there is no replica ${index}`);
    return replica;
  }

  /** What each replica does by the clock. */
  #upkeep(replica: Replica): void {
    this.#every(flushEveryMs, this.#random() * flushEveryMs, () => {
      if (this.#flushed(replica)) replica.s3?.writeRecord();
    });
    const { everyMs } = this.#fleet.eviction;
    this.#every(everyMs, this.#random() * everyMs, () => this.#looked(replica));
    if (replica.s3 !== undefined)
      this.#every(newsEveryMs, this.#random() * newsEveryMs, () => replica.s3?.readRecord());
  }

  #every(ms: number, firstMs: number, run: () => void): void {
    const again = (): void => {
      run();
      this.#clock.at(this.#clock.now() + ms, again);
    };
    this.#clock.at(firstMs, again);
  }

  /** Whether there were uses to write. */
  #flushed(replica: Replica): boolean {
    const now = this.#clock.now();
    const seconds = Math.floor(now / 1000) * 1000;
    const news = replica.notes.absorbed(seconds);
    for (const id of news) this.#uses.set(id, seconds);
    return news.length > 0;
  }

  #looked(replica: Replica): void {
    const now = this.#clock.now();
    this.#flushed(replica);
    // The running total is read, and written where something was stored.
    replica.s3?.readRecord();
    replica.s3?.writeRecord();
    const report = replica.medium.evicted(this.#fleet, {
      now,
      lastUse: (id) => this.#uses.get(id) ?? 0,
      // What is used now is younger than the grace time.
      isInUse: () => false,
    });
    if (report === undefined) return;
    const listings = Math.ceil(report.listed / 1000);
    replica.s3?.writeRecord(2 * listings);
    if (replica.s3 !== undefined) this.#tally.s3Reads.add(now, report.manifests);
    for (const { id, eviction } of report.evicted) {
      this.#tally.evicted += 1;
      this.#tally.evictedBytes += eviction.size;
      replica.deleted(id);
    }
  }

  /** A whole image, as a node pulls it: the manifest, then so many blobs at a time. */
  #pull(node: string, image: SimulatedImage): void {
    const { perNode } = this.#site;
    const startedAt = this.#clock.now();
    this.#tally.pulls += 1;
    this.#read(
      this.#contents.size(image.manifest),
      (replica, done) => manifestOf(replica, image, done),
      () => {
        const wanted = image.blobs.filter((id) => !this.#nodes.has(node, id, this.#clock.now()));
        let next = 0;
        let left = wanted.length;
        const lane = (): void => {
          const id = wanted[next];
          next += 1;
          if (id === undefined) return;
          const size = this.#contents.size(id);
          this.#read(
            size,
            (replica, done) => replica.blob(image.repository, id, done),
            () => {
              this.#nodes.add(node, id, size, this.#clock.now());
              left -= 1;
              if (left === 0) this.#tally.pullMs.record(this.#clock.now() - startedAt);
              lane();
            },
          );
        };
        if (left === 0) this.#tally.pullMs.record(this.#clock.now() - startedAt);
        for (let lanes = 0; lanes < perNode; lanes += 1) lane();
      },
    );
  }

  /** A request at one of the replicas, made again when the client is told to come later. */
  #read(
    bytes: number,
    ask: (replica: Replica, done: ReadDone) => void,
    ended: () => void = () => undefined,
    attempt = 0,
  ): void {
    const replica = this.#replicaAt(Math.floor(this.#random() * this.#replicas.length));
    const begunAt = this.#clock.now();
    ask(replica, (outcome: ReadOutcome) => {
      if ('hit' in outcome) {
        this.#tally.read(outcome, bytes);
        const now = this.#clock.now();
        const untilMs = Math.max(now, begunAt + (bytes / this.#site.clientBytesPerSecond) * 1000);
        this.#tally.egress[replica.index]?.add(begunAt, untilMs, bytes);
        this.#clock.at(untilMs + answerMs, ended);
      } else if (attempt < clientRetries)
        this.#clock.at(this.#clock.now() + outcome.retryAfterSeconds * 1000, () =>
          this.#read(bytes, ask, ended, attempt + 1),
        );
      else this.#tally.failed += 1;
    });
  }
}
