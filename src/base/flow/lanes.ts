/** First in, first out. */
class Line<Item> {
  #items: Item[] = [];
  #head = 0;

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    this.#head += 1;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

interface WriteLane {
  readonly name: string;
  readonly keys: Line<string>;
  size: number;
  /** Where it stands among the lanes of its size. */
  at: number;
}

interface WaitingJob<Job> {
  readonly key: string;
  readonly job: Job;
}

/**
 * Jobs in lanes, the oldest of a lane first, one for each key. Lanes take turns, and when there are
 * too many jobs the longest lane loses one: no lane waits for another, or is displaced by it. Every
 * operation takes the same time, however many jobs wait.
 */
export class WriteLanes<Job> {
  readonly #jobs = new Map<string, { readonly lane: WriteLane; job: Job }>();
  readonly #lanes = new Map<string, WriteLane>();
  #turns = new Line<WriteLane>();
  /** Lanes among the turns that were emptied by another way. */
  #emptied = 0;
  /** Lanes by how many jobs wait in them. */
  readonly #bySize: WriteLane[][] = [];
  #longest = 0;

  get size(): number {
    return this.#jobs.size;
  }

  get(key: string): Job | undefined {
    return this.#jobs.get(key)?.job;
  }

  /** A job of the same key is replaced, and keeps its place. */
  set(name: string, key: string, job: Job): void {
    const waiting = this.#jobs.get(key);
    if (waiting !== undefined) {
      waiting.job = job;
      return;
    }
    const lane = this.#lanes.get(name) ?? this.#opened(name);
    lane.keys.push(key);
    this.#jobs.set(key, { lane, job });
    this.#resize(lane, lane.size + 1);
  }

  /** Takes the oldest job of the lane whose turn it is. */
  take(): WaitingJob<Job> | undefined {
    for (let lane = this.#turns.shift(); lane !== undefined; lane = this.#turns.shift()) {
      const taken = this.#takenFrom(lane);
      if (lane.size > 0) this.#turns.push(lane);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  /** Takes the oldest job of the longest lane. */
  takeFromLongest(): WaitingJob<Job> | undefined {
    const lane = this.#bySize[this.#longest]?.at(-1);
    if (lane === undefined) return undefined;
    const taken = this.#takenFrom(lane);
    if (lane.size === 0) this.#emptied += 1;
    if (this.#emptied > this.#lanes.size) this.#passOverEmptied();
    return taken;
  }

  #passOverEmptied(): void {
    this.#turns = new Line();
    for (const lane of this.#lanes.values()) this.#turns.push(lane);
    this.#emptied = 0;
  }

  #opened(name: string): WriteLane {
    const lane: WriteLane = { name, keys: new Line(), size: 0, at: 0 };
    this.#lanes.set(name, lane);
    this.#turns.push(lane);
    return lane;
  }

  #takenFrom(lane: WriteLane): WaitingJob<Job> | undefined {
    if (lane.size === 0) return undefined;
    const key = lane.keys.shift() ?? '';
    const waiting = this.#jobs.get(key);
    this.#jobs.delete(key);
    this.#resize(lane, lane.size - 1);
    if (lane.size === 0) this.#lanes.delete(lane.name);
    return waiting && { key, job: waiting.job };
  }

  #resize(lane: WriteLane, size: number): void {
    if (lane.size > 0) this.#leave(lane, this.#ofSize(lane.size));
    lane.size = size;
    if (size > 0) lane.at = this.#ofSize(size).push(lane) - 1;
    if (size > this.#longest || this.#ofSize(this.#longest).length === 0) this.#longest = size;
  }

  #leave({ at }: WriteLane, lanes: WriteLane[]): void {
    const last = lanes.pop();
    if (last === undefined || last.at === at) return;
    last.at = at;
    lanes[at] = last;
  }

  #ofSize(size: number): WriteLane[] {
    const found = this.#bySize[size] ?? [];
    this.#bySize[size] = found;
    return found;
  }
}
