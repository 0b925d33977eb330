import type { Clock, Timer } from '../../base/time/wait.ts';

/** What is due, the earliest first, and of one time in the order in which it was said. */
export class VirtualClock implements Clock {
  readonly #times: number[] = [];
  readonly #turns: number[] = [];
  readonly #runs: (() => void)[] = [];
  #now = 0;
  #turn = 0;

  /** Milliseconds since the start. */
  readonly now = (): number => this.#now;

  /** When the next callback is due; undefined without any. */
  get nextAt(): number | undefined {
    return this.#times[0];
  }

  /** Calls back at that time, or at once in turn where it has passed. */
  at(ms: number, run: () => void): void {
    this.#turn += 1;
    let place = this.#times.length;
    const time = Math.max(ms, this.#now);
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!this.#isBefore(time, this.#turn, above)) break;
      this.#move(above, place);
      place = above;
    }
    this.#put(place, time, this.#turn, run);
  }

  setTimeout(callback: () => void, ms: number): Timer {
    let round = 0;
    const start = (): void => {
      round += 1;
      const mine = round;
      this.at(this.#now + Math.max(0, ms), () => {
        if (mine === round) callback();
      });
    };
    start();
    return {
      refresh: start,
      unref: () => undefined,
      [Symbol.dispose]: () => {
        round += 1;
      },
    };
  }

  /** Lets the time pass up to then: each callback runs at its time. */
  runUntil(ms: number): void {
    for (let next = this.#times[0]; next !== undefined && next <= ms; next = this.#times[0]) {
      this.#now = next;
      this.#take()();
    }
    this.#now = Math.max(this.#now, ms);
  }

  #take(): () => void {
    const [run = () => undefined] = this.#runs;
    const [time = 0, turn = 0, last = run] = [this.#times.pop(), this.#turns.pop(), this.#runs.pop()];
    const { length } = this.#times;
    if (length === 0) return run;
    let place = 0;
    for (let below = 1; below < length; below = 2 * place + 1) {
      const right = below + 1;
      const first =
        right < length && this.#isBefore(this.#times[right] ?? 0, this.#turns[right] ?? 0, below)
          ? right
          : below;
      if (this.#isBefore(time, turn, first)) break;
      this.#move(first, place);
      place = first;
    }
    this.#put(place, time, turn, last);
    return run;
  }

  #isBefore(time: number, turn: number, other: number): boolean {
    const otherTime = this.#times[other] ?? 0;
    return time < otherTime || (time === otherTime && turn < (this.#turns[other] ?? 0));
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] ?? 0, this.#turns[from] ?? 0, this.#runs[from] ?? (() => undefined));
  }

  #put(place: number, time: number, turn: number, run: () => void): void {
    this.#times[place] = time;
    this.#turns[place] = turn;
    this.#runs[place] = run;
  }
}
