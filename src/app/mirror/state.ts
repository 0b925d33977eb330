import { memberIn } from '../../lease/holder.ts';
import type { LeaseEvents, LeaseMedium, LeaseRecord } from '../../lease/medium.ts';
import type { Queue } from '../../mirror/queue/queue.ts';

/** What the mirror of this process is doing. */
export interface MirrorActivity {
  /** `held`: this process copies; `waiting`: another does; `failed`: that cannot be told. */
  readonly lease: 'held' | 'waiting' | 'failed';
  /** Why it failed. */
  readonly error?: unknown;
  /** Of this process's queue; undefined while another process has it. */
  readonly tasks?: MirrorTaskCounts;
}

interface MirrorTaskCounts {
  readonly waiting: number;
  readonly running: number;
  readonly parked: number;
  /** When the oldest waiting task was made, milliseconds since the epoch. */
  readonly oldestAt?: number;
  /** The destination of a parked task, and why it is. */
  readonly example?: { readonly destination: string; readonly reason: string };
}

/** Follows the lease by its events. */
export class MirrorWatch {
  #lease: MirrorActivity['lease'] = 'waiting';
  #error: unknown;
  #holder = '';

  /** The member of the fleet that holds the lease, as it was last seen. */
  get leader(): string | undefined {
    return memberIn(this.#holder);
  }

  /** The events of the lease, noted and passed on. */
  noted(events: Pick<LeaseEvents, 'acquired' | 'lost' | 'released' | 'failed'>): Partial<LeaseEvents> {
    return {
      acquired: (event) => {
        this.#become('held');
        events.acquired(event);
      },
      lost: (event) => {
        this.#become('waiting');
        events.lost(event);
      },
      released: (event) => {
        this.#become('waiting');
        events.released(event);
      },
      failed: (event) => {
        this.#become('failed', event.error);
        events.failed(event);
      },
    };
  }

  /** The same medium; that it can be read ends a failure. */
  followed<Written extends LeaseRecord>(medium: LeaseMedium<Written>): LeaseMedium<Written> {
    return {
      write: (claim, seen) => medium.write(claim, seen),
      read: async () => {
        const found = await medium.read();
        this.#holder = found?.holder ?? '';
        if (this.#lease === 'failed') this.#become('waiting');
        return found;
      },
    };
  }

  state(queue: Pick<Queue, 'list'> | undefined): MirrorActivity {
    const lease = queue === undefined ? this.#lease : 'held';
    return {
      lease,
      ...(lease === 'failed' ? { error: this.#error } : {}),
      ...(queue === undefined ? {} : { tasks: countsOf(queue) }),
    };
  }

  #become(lease: MirrorActivity['lease'], error?: unknown): void {
    this.#lease = lease;
    this.#error = error;
  }
}

function countsOf(queue: Pick<Queue, 'list'>): MirrorTaskCounts {
  const counts = { waiting: 0, running: 0, parked: 0 };
  let oldestAt: number | undefined;
  let example: MirrorTaskCounts['example'];
  for (const { state, createdAt, destination, failure } of queue.list()) {
    counts[state] += 1;
    if (state === 'waiting') oldestAt = Math.min(oldestAt ?? createdAt, createdAt);
    if (state === 'parked') example ??= { destination: destination.text, reason: failure?.reason ?? '' };
  }
  return {
    ...counts,
    ...(oldestAt === undefined ? {} : { oldestAt }),
    ...(example === undefined ? {} : { example }),
  };
}
