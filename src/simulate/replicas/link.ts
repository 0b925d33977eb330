import type { SimulatedSite } from '../model/settings.ts';
import { VirtualClock } from '../model/virtual-clock.ts';

/** A link whose downloads share it evenly, each with a limit of its own. */
export class SharedLink {
  readonly #clock: VirtualClock;
  readonly #whole: number;
  readonly #each: number;
  readonly #used: (fromMs: number, untilMs: number, bytes: number) => void;
  /** Its time is the bytes that a download would have that began with the first one. */
  readonly #work = new VirtualClock();
  #active = 0;
  #changedAt = 0;
  #round = 0;

  constructor(
    clock: VirtualClock,
    site: Pick<SimulatedSite, 'linkBytesPerSecond' | 'streamBytesPerSecond'>,
    used: (fromMs: number, untilMs: number, bytes: number) => void,
  ) {
    this.#clock = clock;
    this.#whole = site.linkBytesPerSecond;
    this.#each = site.streamBytesPerSecond;
    this.#used = used;
  }

  /** Calls back when all bytes have come. */
  send(bytes: number, done: () => void): void {
    if (bytes === 0) {
      done();
      return;
    }
    if (!Number.isFinite(Math.min(this.#whole, this.#each))) {
      this.#used(this.#clock.now(), this.#clock.now(), bytes);
      done();
      return;
    }
    this.#progress();
    this.#active += 1;
    this.#work.at(this.#work.now() + bytes, () => {
      this.#active -= 1;
      this.#clock.at(this.#clock.now(), done);
    });
    this.#plan();
  }

  get #perMs(): number {
    return Math.min(this.#each, this.#whole / Math.max(1, this.#active)) / 1000;
  }

  #progress(to?: number): void {
    const now = this.#clock.now();
    const passedMs = now - this.#changedAt;
    const active = this.#active;
    if (active > 0 && passedMs > 0) this.#used(this.#changedAt, now, passedMs * this.#perMs * active);
    const work = to ?? this.#work.now() + (active > 0 ? passedMs * this.#perMs : 0);
    this.#changedAt = now;
    this.#work.runUntil(work);
  }

  #plan(): void {
    this.#round += 1;
    const { nextAt } = this.#work;
    if (nextAt === undefined) return;
    const mine = this.#round;
    const leftMs = (nextAt - this.#work.now()) / this.#perMs;
    this.#clock.at(this.#clock.now() + leftMs, () => {
      if (mine !== this.#round) return;
      this.#progress(nextAt);
      this.#plan();
    });
  }
}
