/** An amount a second: all of it, and the second with the most. Times never go back. */
export class Meter {
  #total = 0;
  #second = -1;
  #sum = 0;
  #peak = 0;
  #peakAt = 0;

  add(atMs: number, amount = 1): void {
    this.#total += amount;
    const second = Math.floor(atMs / 1000);
    if (second !== this.#second) this.#close(second);
    this.#sum += amount;
  }

  get total(): number {
    return this.#total;
  }

  /** In the fullest second. */
  get peak(): number {
    return Math.max(this.#peak, this.#sum);
  }

  /** When that was, milliseconds since the start. */
  get peakAtMs(): number {
    return (this.#sum > this.#peak ? this.#second : this.#peakAt) * 1000;
  }

  /** Begins anew. */
  reset(): void {
    this.#total = 0;
    this.#sum = 0;
    this.#peak = 0;
    this.#peakAt = 0;
  }

  #close(second: number): void {
    if (this.#sum > this.#peak) {
      this.#peak = this.#sum;
      this.#peakAt = this.#second;
    }
    this.#second = second;
    this.#sum = 0;
  }
}

/** Seconds that are looked through at a time for the fullest. */
const mostOpen = 4_096;

/** Bytes that are spread evenly over a time each: all of them, and the second with the most. */
export class SpreadMeter {
  readonly #open = new Map<number, number>();
  #total = 0;
  #peak = 0;
  #peakAt = 0;
  #from = 0;

  /** Of the same or a later start than the one before. */
  add(fromMs: number, untilMs: number, bytes: number): void {
    this.#total += bytes;
    const first = Math.floor(fromMs / 1000);
    const last = Math.floor(untilMs / 1000);
    if (first === last) this.#note(first, bytes);
    else {
      const perMs = bytes / (untilMs - fromMs);
      for (let second = first; second <= last; second += 1) {
        const ms = Math.min(untilMs, (second + 1) * 1000) - Math.max(fromMs, second * 1000);
        this.#note(second, perMs * ms);
      }
    }
    if (this.#open.size > mostOpen) this.#close(first - mostOpen / 4);
  }

  get total(): number {
    return this.#total;
  }

  get peak(): number {
    this.#close(Number.POSITIVE_INFINITY);
    return this.#peak;
  }

  get peakAtMs(): number {
    this.#close(Number.POSITIVE_INFINITY);
    return this.#peakAt * 1000;
  }

  /** Begins anew: what was spread over times from then on still counts for the peak. */
  reset(atMs: number): void {
    this.#total = 0;
    this.#peak = 0;
    this.#from = Math.floor(atMs / 1000);
    for (const second of this.#open.keys()) if (second < this.#from) this.#open.delete(second);
  }

  #note(second: number, bytes: number): void {
    this.#open.set(second, (this.#open.get(second) ?? 0) + bytes);
  }

  #close(before: number): void {
    for (const [second, bytes] of this.#open) {
      if (second >= before) continue;
      this.#open.delete(second);
      if (bytes <= this.#peak || second < this.#from) continue;
      this.#peak = bytes;
      this.#peakAt = second;
    }
  }
}
