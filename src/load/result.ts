import type { LatencySummary } from './histogram.ts';

/** The first field of a report file. Another number means that older programs cannot read it. */
export const resultFormat = 'quayside-load/1';

/**
 * What is timed. `firstByte`: to the first byte of the body of a manifest or a blob. `manifest`,
 * `layer` (any blob) and `range` (a part of one): to the last byte. `image`: to the last byte of
 * all of it. `other`: any other request of a trace.
 *
 * The first request of an arrival and the whole image are timed from the time at which they were
 * due, the other requests of a pull from when they could be sent.
 */
export const loadMeasures = ['firstByte', 'manifest', 'layer', 'range', 'image', 'other'] as const;

export type LoadMeasure = (typeof loadMeasures)[number];

/**
 * The latencies of one measure and class: the last word of `Quayside-Cache`, such as `memory` or
 * `fill`, and `none` without it. An image has the class of its slowest answer: `fill` if any was.
 */
export interface MeasuredLatency extends LatencySummary {
  readonly measure: LoadMeasure;
  readonly class: string;
}

/** One second of the load. */
export interface LoadSecond {
  /** Since the start, seconds: 0, 1, 2, … None is left out. */
  readonly second: number;
  /** Work that was due in it, and that was begun. */
  readonly due: number;
  readonly started: number;
  /** Work that ended well in it, and answers that did. */
  readonly finished: number;
  readonly requests: number;
  /** Bytes of bodies that came in it. */
  readonly bytes: number;
  readonly errors: number;
  /** Work under way at its end. */
  readonly underWay: number;
  /** Of the work that ended in it, since it was due, milliseconds. */
  readonly longestMs: number;
}

/** Failures of a kind: `status 503`, `network`, `timeout`, `cut`, `wrong bytes`, `unfinished` … */
export interface LoadErrors {
  readonly kind: string;
  readonly count: number;
  /** One of them, in words. */
  readonly example: string;
}

/** Content whose bytes are not what its digest says. */
interface WrongContent {
  readonly url: string;
  readonly digest: string;
  readonly bytes: number;
  /** Since the start, milliseconds. */
  readonly atMs: number;
  /** How often it broke off and was continued: the client put it together. Default: not once. */
  readonly resumes?: number;
}

/** What the machine that made the load was busy with. */
export interface LoadGenerator {
  readonly processes: number;
  /** Processor time of all of them, their threads included, milliseconds. */
  readonly processorMs: number;
  /** How late arrivals were begun, those that waited for `maxConcurrency` not counted. */
  readonly lag: LatencySummary;
  /** The busiest event loop: from 0 to 1 of the time. */
  readonly busyLoop: number;
  /** Arrivals that had to wait because `maxConcurrency` was under way. */
  readonly heldBack: number;
  /** How long readers waited for the threads that check digests, milliseconds. */
  readonly verifyWaitMs: number;
  /** The most memory that one of them had, bytes. */
  readonly residentBytes: number;
  /** Why the figures are of the generator and not of the target; empty where they are not. */
  readonly bottlenecks: readonly string[];
}

/** What the target took from its upstream meanwhile. */
interface UpstreamTraffic {
  /** Who counted: the front before the upstream, or the metrics page of the target. */
  readonly source: 'front' | 'metrics';
  readonly bytes: number;
  readonly requests: number;
  /** Upstream bytes for each distinct byte that was asked for: 1 is one download of each. */
  readonly amplification?: number;
  /** Upstream bytes for each byte that clients received. */
  readonly perClientByte?: number;
}

/** One rate that the search for the knee tried. */
export interface KneeStep {
  /** Arrivals in a second: wanted, and begun. */
  readonly ratePerSecond: number;
  readonly achievedPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** Whether the generator was the bottleneck, so that the step says nothing. */
  readonly isGeneratorBound: boolean;
}

/** Where the p99 of whole work is twice that of the first step. */
export interface Knee {
  readonly steps: readonly KneeStep[];
  /** The first rate beyond it, and the last one before; absent where no step was. */
  readonly beyondPerSecond?: number;
  readonly lastGoodPerSecond?: number;
  /** Why the search ended. */
  readonly end: string;
}

/** One load, whole: what the report file holds as JSON. */
export interface LoadResult {
  readonly format: typeof resultFormat;
  /** What people call it, such as the name of the target. */
  readonly title: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** From the first arrival to the last answer, milliseconds. */
  readonly durationMs: number;
  readonly target: {
    readonly url: string;
    /** The upstream whose mirror it is, and how requests say so. */
    readonly mirrorOf?: string;
    readonly mirrorBy?: 'ns' | 'host' | 'path';
    /** Its `Server` and `Docker-Distribution-Api-Version` headers, those that it sends. */
    readonly server?: string;
  };
  /** The options that the load was made with, defaults included. No secrets. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly machine: {
    readonly cores: number;
    readonly processor: string;
    readonly memoryBytes: number;
    readonly system: string;
    readonly node: string;
    /** The load average of the minute before. */
    readonly loadBefore: number;
  };
  readonly work: {
    readonly due: number;
    readonly started: number;
    readonly finished: number;
    /** Ended with an error, those below not counted. */
    readonly failed: number;
    /** Under way when the time was over, or never begun. */
    readonly unfinished: number;
  };
  readonly requests: number;
  readonly latencies: readonly MeasuredLatency[];
  readonly seconds: readonly LoadSecond[];
  readonly bytes: {
    /** Of bodies, received. */
    readonly received: number;
    /** Of these checked against a digest, and of a content with another digest. */
    readonly verified: number;
    readonly wrong: number;
    /** Each digest that was asked for, once. */
    readonly distinct: number;
  };
  /** Whether digests were checked. */
  readonly isVerified: boolean;
  /** The first ones. */
  readonly wrongContent: readonly WrongContent[];
  readonly errors: readonly LoadErrors[];
  /** Requests made again, as the client does. */
  readonly retries: number;
  readonly upstream?: UpstreamTraffic;
  readonly generator: LoadGenerator;
  readonly knee?: Knee;
  /** What ended it: `duration`, `maxRequests`, `maxBytes`, `trace`, `stopped`. */
  readonly end: string;
  /** What of the limits was not kept: a wrong byte, `--max-p99`, `--max-errors`. Empty: passed. */
  readonly objections: readonly string[];
}
