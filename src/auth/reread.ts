import { readFile, stat } from 'node:fs/promises';
import { RegistryError } from '../oci/errors.ts';

export interface RereadOptions {
  /** How long a reading is believed before the files are looked at again, in milliseconds. Default 1,000. */
  readonly everyMs?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/** What files mean at this moment: at once while the last look is young, else after a look at their times. */
export type Reread<T> = () => T | Promise<T>;

/**
 * Follows files that are replaced while we run, as mounted secrets are. `parse` gets their texts, in order, whenever one of them
 * changed; between changes the very same value is handed out, so that its identity tells whether something was rotated. A
 * file that cannot be read or parsed throws `UNAVAILABLE`: what was true a moment ago may have been revoked.
 */
export function reread<T>(
  files: readonly string[],
  parse: (texts: readonly string[]) => T,
  { everyMs = 1000, now = () => performance.now() }: RereadOptions = {},
): Reread<T> {
  let current: { readonly stamp: string; readonly value: T } | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<T> | undefined;

  async function look(): Promise<T> {
    try {
      const stamp = await stampOf(files);
      if (current?.stamp !== stamp) {
        const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
        current = { stamp, value: parse(texts) };
      }
      lookedAt = now();
      return current.value;
    } catch (cause) {
      lookedAt = Number.NEGATIVE_INFINITY;
      throw new RegistryError('UNAVAILABLE', 'logins cannot be checked at the moment', { cause });
    } finally {
      looking = undefined;
    }
  }

  return () => {
    if (current !== undefined && now() - lookedAt < everyMs) return current.value;
    looking ??= look();
    return looking;
  };
}

async function stampOf(files: readonly string[]): Promise<string> {
  const stats = await Promise.all(files.map((file) => stat(file, { bigint: true })));
  return stats.map(({ mtimeNs, ino, size }) => `${mtimeNs}-${ino}-${size}`).join(' ');
}
