/**
 * Jobs that a queue had no room for, until there is room again; and those that cannot be done,
 * until they are taken.
 */
export class Unwritten<Job> {
  readonly #jobs = new Map<string, Job>();
  readonly #withheld = new Map<string, Job>();
  /** Goes on where it was, so that a job is found at once however many were taken before. */
  #turn = this.#jobs.entries();

  get size(): number {
    return this.#jobs.size;
  }

  get(key: string): Job | undefined {
    return this.#jobs.get(key);
  }

  set(key: string, job: Job): void {
    this.#jobs.set(key, job);
  }

  /** `next` passes it over. */
  withhold(key: string, job: Job): void {
    this.#withheld.set(key, job);
  }

  take(key: string): Job | undefined {
    const job = this.#jobs.get(key) ?? this.#withheld.get(key);
    this.#jobs.delete(key);
    this.#withheld.delete(key);
    return job;
  }

  /** Takes one out, the oldest first. */
  next(): { readonly key: string; readonly job: Job } | undefined {
    if (this.#jobs.size === 0) return undefined;
    let found = this.#turn.next();
    if (found.done) {
      this.#turn = this.#jobs.entries();
      found = this.#turn.next();
    }
    if (found.done) return undefined;
    const [key, job] = found.value;
    this.#jobs.delete(key);
    return { key, job };
  }
}
