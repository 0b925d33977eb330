import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';

/**
 * What a member says of a question while it is silent: it gives no sign of life; it waits for the
 * upstream; or it lives, and nothing explains its silence.
 */
export type Liveness = 'dead' | 'asking' | 'idle';

export interface VigilOptions {
  /**
   * Until the first sign of life, milliseconds. Default 2,000; three times that where the member
   * answers other questions meanwhile.
   */
  readonly signMs?: number;
  /** How long ago the member answered any question, milliseconds. Default: never. */
  readonly answeredAgoMs?: () => number;
  /** A silence after which the member is asked whether it lives, milliseconds. Default 1,000. */
  readonly silenceMs?: number;
  /**
   * After so many silences in a row that nothing explains, the member hangs; the wait for an answer
   * to a ping is a part of them. Default 4.
   */
  readonly mostIdle?: number;
  /** What the member answers to a ping about the question. */
  readonly liveness: () => Promise<Liveness>;
  readonly clock?: Clock;
}

/** However long this process is too busy to read an answer, that counts as one slice. */
const slices = 4;
const mostSlices = 3 * slices;
/** In the same way, a silence and the wait for a ping count as no more than three of them. */
const mostSilences = 3;

type VigilState = 'sign' | 'bytes' | 'none' | 'over';

/**
 * Tells a slow member from a dead one during one question. It is dead without a sign of life in
 * `signMs`, here and in all other questions to it, when it is silent for `silenceMs` and answers
 * no ping, or when it answers pings only, as one whose disk hangs. A slow upstream is not a dead
 * owner, and a slow reader is not a silent member: time counts only while this side waits, and the
 * member does not.
 */
export class Vigil implements Disposable {
  readonly #silenceMs: number;
  readonly #sliceMs: number;
  readonly #mostIdle: number;
  readonly #liveness: VigilOptions['liveness'];
  readonly #answeredAgoMs: () => number;
  readonly #clock: Clock;
  readonly #died: () => void;
  #wait: VigilState = 'sign';
  /** Counts what came, so that an answer to a ping is about the silence that it was asked for. */
  #signs = 0;
  #idle = 0;
  #timer: Timer;

  /** `died` is called once, at most. */
  constructor({ liveness, ...options }: VigilOptions, died: () => void) {
    const { signMs = 2_000, silenceMs = 1_000, mostIdle = 4, clock = systemClock } = options;
    this.#silenceMs = silenceMs;
    this.#mostIdle = mostIdle;
    this.#liveness = liveness;
    this.#answeredAgoMs = options.answeredAgoMs ?? (() => Number.POSITIVE_INFINITY);
    this.#clock = clock;
    this.#died = died;
    this.#sliceMs = signMs / slices;
    this.#timer = clock.setTimeout(() => this.#unsigned(slices, mostSlices), this.#sliceMs);
  }

  /** The member lives, and an answer is waited for. */
  sign(): void {
    if (this.#wait !== 'sign') return;
    this.#wait = 'bytes';
    this.#timer[Symbol.dispose]();
    this.#timer = this.#clock.setTimeout(() => void this.#silent(), this.#silenceMs);
  }

  /** Bytes came, and their reader is busy with them. */
  came(): void {
    if (this.#wait !== 'bytes') return;
    this.#signs += 1;
    this.#idle = 0;
    this.#wait = 'none';
  }

  /** The reader waits for more. */
  waits(): void {
    if (this.#wait !== 'none') return;
    this.#wait = 'bytes';
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    this.#wait = 'over';
    this.#timer[Symbol.dispose]();
  }

  /** A slice went by without a sign; one in which the member answered others begins anew. */
  #unsigned(left: number, most: number): void {
    if (this.#wait !== 'sign') return;
    const silent = this.#answeredAgoMs() < this.#sliceMs ? slices : left - 1;
    if (silent === 0 || most === 1) this.#end();
    else this.#timer = this.#clock.setTimeout(() => this.#unsigned(silent, most - 1), this.#sliceMs);
  }

  async #silent(): Promise<void> {
    if (this.#wait !== 'bytes') return;
    const signs = this.#signs;
    const askedAt = this.#clock.now();
    const liveness = await this.#liveness();
    if (this.#wait !== 'bytes') return;
    const silences = Math.min(1 + (this.#clock.now() - askedAt) / this.#silenceMs, mostSilences);
    if (signs === this.#signs && this.#isGone(liveness, silences)) this.#end();
    else this.#timer.refresh();
  }

  #isGone(liveness: Liveness, silences: number): boolean {
    this.#idle = liveness === 'idle' ? this.#idle + silences : 0;
    return liveness === 'dead' || this.#idle >= this.#mostIdle;
  }

  #end(): void {
    if (this.#wait === 'over') return;
    this[Symbol.dispose]();
    this.#died();
  }
}
