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

/** How many seconds late a transfer may be told, which began before others. */
const mostLate = 1_024;
const sweepEvery = 4_096;

/** What of a second does not last, and how much more lasts from it on. */
interface SecondChange {
  bytes: number;
  lasting: number;
}

/** Bytes that are spread evenly over a time each: all of them, and the second with the most. */
export class SpreadMeter {
  readonly #changes = new Map<number, SecondChange>();
  #total = 0;
  #peak = 0;
  #peakAt = 0;
  /** Seconds before this one are summed up. */
  #next = 0;
  #lasting = 0;

  /** Starts may be late by a quarter of an hour. */
  add(fromMs: number, untilMs: number, bytes: number): void {
    this.#total += bytes;
    const first = Math.max(this.#next, Math.floor(fromMs / 1000));
    const last = Math.max(first, Math.floor(untilMs / 1000));
    if (first === last) this.#of(first).bytes += bytes;
    else {
      const startMs = Math.max(fromMs, first * 1000);
      const perMs = bytes / (untilMs - startMs);
      this.#of(first).bytes += perMs * ((first + 1) * 1000 - startMs);
      this.#of(first + 1).lasting += perMs * 1000;
      this.#of(last).lasting -= perMs * 1000;
      this.#of(last).bytes += perMs * (untilMs - last * 1000);
    }
    if (first - this.#next > sweepEvery) this.#sweep(first - mostLate);
  }

  get total(): number {
    return this.#total;
  }

  get peak(): number {
    this.#sweep(Number.POSITIVE_INFINITY);
    return this.#peak;
  }

  get peakAtMs(): number {
    this.#sweep(Number.POSITIVE_INFINITY);
    return this.#peakAt * 1000;
  }

  /** Begins anew: what is spread over seconds from then on still counts for the peak. */
  reset(atMs: number): void {
    this.#sweep(Math.floor(atMs / 1000));
    this.#total = 0;
    this.#peak = 0;
  }

  #of(second: number): SecondChange {
    const known = this.#changes.get(second);
    if (known !== undefined) return known;
    const change = { bytes: 0, lasting: 0 };
    this.#changes.set(second, change);
    return change;
  }

  #sweep(before: number): void {
    for (; this.#next < before && this.#changes.size > 0; this.#next += 1) {
      const change = this.#changes.get(this.#next);
      if (change === undefined && this.#lasting === 0) continue;
      this.#changes.delete(this.#next);
      this.#lasting += change?.lasting ?? 0;
      const bytes = this.#lasting + (change?.bytes ?? 0);
      if (bytes <= this.#peak) continue;
      this.#peak = bytes;
      this.#peakAt = this.#next;
    }
    if (this.#changes.size > 0) return;
    // What rounding leaves.
    this.#lasting = 0;
    if (Number.isFinite(before)) this.#next = Math.max(this.#next, before);
  }
}
