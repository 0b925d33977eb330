import { isObject, jsonOrNone } from '../../base/text/json.ts';
import { forgetKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';

interface ForgettingOptions {
  readonly records: Pick<Records, 'get' | 'put'>;
  /** Drops what this process remembers of people and their rights. */
  readonly forget: () => void;
  /** Tells other replicas, which would find the record only at their next look. Default: none. */
  readonly tell?: () => void;
  /** The record could not be read or written. */
  readonly failed: (operation: 'read' | 'write', error: unknown) => void;
  /** How often the record is looked at, milliseconds. Default 10,000. */
  readonly everyMs?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Lets all replicas on one store forget people and their rights: the order is a record, which each
 * of them looks at.
 */
export class Forgetting {
  readonly #options: ForgettingOptions;
  #timer: NodeJS.Timeout | undefined;
  /** As the record had it when it was last looked at. */
  #orderedAt: number | undefined;
  /** A look failed before the first that worked: an order may have been given meanwhile. */
  #isUnsure = false;

  constructor(options: ForgettingOptions) {
    this.#options = options;
  }

  /** Forgets here at once, and gives the order to the others. Throws when it cannot be written. */
  async order(): Promise<void> {
    const { records, forget, tell, failed, now = Date.now } = this.#options;
    forget();
    tell?.();
    try {
      await records.put(forgetKey, Buffer.from(JSON.stringify({ orderedAt: now() })));
    } catch (error) {
      failed('write', error);
      throw error;
    }
  }

  /** Looks at the record from now on. */
  start(): void {
    this.#timer = setInterval(() => void this.look(), this.#options.everyMs ?? 10_000).unref();
    void this.look();
  }

  /** Forgets if another order was given since the last look. Never rejects. */
  async look(): Promise<void> {
    const { records, forget, failed } = this.#options;
    try {
      const value = jsonOrNone((await records.get(forgetKey))?.bytes ?? '');
      const orderedAt = isObject(value) && typeof value['orderedAt'] === 'number' ? value['orderedAt'] : 0;
      const before = this.#orderedAt;
      this.#orderedAt = orderedAt;
      if (this.#isUnsure || (before !== undefined && before !== orderedAt)) forget();
      this.#isUnsure = false;
    } catch (error) {
      this.#isUnsure ||= this.#orderedAt === undefined;
      failed('read', error);
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
