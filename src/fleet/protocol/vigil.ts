import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';

/**
 * What a member says of a question while it is silent: it gives no sign of life; it waits for the
 * upstream; or it lives, and nothing explains its silence.
 */
export type Liveness = 'dead' | 'asking' | 'idle';

export interface VigilOptions {
  /** Until the first sign of life, milliseconds. Default 2,000. */
  readonly signMs?: number;
  /** A silence after which the member is asked whether it lives, milliseconds. Default 1,000. */
  readonly silenceMs?: number;
  /** After so many silences in a row that nothing explains, the member hangs. Default 4. */
  readonly mostIdle?: number;
  /** What the member answers to a ping about the question. */
  readonly liveness: () => Promise<Liveness>;
  readonly clock?: Clock;
}

/** However long this process is too busy to read an answer, that counts as one slice. */
const slices = 4;

type VigilState = 'sign' | 'bytes' | 'none' | 'over';

/**
 * Tells a slow member from a dead one during one question. It is dead without a sign of life in
 * `signMs`, when it is silent for `silenceMs` and answers no ping, or when it answers pings only,
 * as one whose disk hangs. A slow upstream is not a dead owner, and a slow reader is not a silent
 * member: time counts only while this side waits, and the member does not.
 */
export class Vigil implements Disposable {
  readonly #silenceMs: number;
  readonly #sliceMs: number;
  readonly #mostIdle: number;
  readonly #liveness: VigilOptions['liveness'];
  readonly #clock: Clock;
  readonly #died: () => void;
  #wait: VigilState = 'sign';
  /** Counts what came, so that an answer to a ping is about the silence that it was asked for. */
  #signs = 0;
  #idle = 0;
  #timer: Timer;

  /** `died` is called once, at most. */
  constructor(
    { signMs = 2_000, silenceMs = 1_000, mostIdle = 4, liveness, clock = systemClock }: VigilOptions,
    died: () => void,
  ) {
    this.#silenceMs = silenceMs;
    this.#mostIdle = mostIdle;
    this.#liveness = liveness;
    this.#clock = clock;
    this.#died = died;
    this.#timer = clock.setTimeout(() => this.#unsigned(slices), signMs / slices);
    this.#sliceMs = signMs / slices;
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

  #unsigned(left: number): void {
    if (this.#wait !== 'sign') return;
    if (left > 1) this.#timer = this.#clock.setTimeout(() => this.#unsigned(left - 1), this.#sliceMs);
    else this.#end();
  }

  async #silent(): Promise<void> {
    if (this.#wait !== 'bytes') return;
    const signs = this.#signs;
    const liveness = await this.#liveness();
    if (this.#wait !== 'bytes') return;
    if (signs === this.#signs && this.#isGone(liveness)) this.#end();
    else this.#timer.refresh();
  }

  #isGone(liveness: Liveness): boolean {
    this.#idle = liveness === 'idle' ? this.#idle + 1 : 0;
    return liveness === 'dead' || this.#idle >= this.#mostIdle;
  }

  #end(): void {
    if (this.#wait === 'over') return;
    this[Symbol.dispose]();
    this.#died();
  }
}
