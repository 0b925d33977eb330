import { randomBytes } from 'node:crypto';
import { shared } from '../../base/flow/single-flight.ts';
import type { Current } from '../../base/state/watched-file.ts';
import { withFairTimeout } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseTokenKeys, type TokenKeys } from './token-keys.ts';

/** Small named values that all replicas share; the cache's records are such. */
export interface KeyRecords {
  get(key: string): Promise<{ readonly bytes: Uint8Array } | undefined>;
  /** Resolves to undefined where there was one already. */
  put(key: string, bytes: Uint8Array, condition: { readonly ifVersion: 'absent' }): Promise<unknown>;
}

interface KeptKeysOptions {
  readonly records: KeyRecords;
  /** The record could not be read or written; called once in `retryMs` at most. */
  readonly failed: (error: unknown) => void;
  /** Signs while the store does not answer; of all workers of a process. Default: a random one. */
  readonly own?: string | undefined;
  /** How soon the store is asked again after a failure, in milliseconds. Default 10,000. */
  readonly retryMs?: number;
  /** How long a login waits for the store, in milliseconds. Default 2,000. */
  readonly patienceMs?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

const recordKey = 'v1/secrets/tokens';

/**
 * A random secret that is made once and kept as a record, so that tokens survive a restart and
 * every replica on the store accepts them. While the store cannot be asked, a secret of this
 * process alone signs: its tokens are accepted here for as long as the process runs.
 */
export function createKeptKeys(options: KeptKeysOptions): Current<TokenKeys> {
  const { records, failed, retryMs = 10_000, patienceMs = 2_000, now = () => performance.now() } = options;
  const { own = secretText() } = options;
  let ownKeys: TokenKeys | undefined;
  let kept: TokenKeys | undefined;
  let askAgainAt = Number.NEGATIVE_INFINITY;

  const ask = shared(async () => {
    try {
      const text = await withFairTimeout(secretIn(records), patienceMs, () => {
        throw new RegistryError('UNAVAILABLE', 'the store does not answer');
      });
      kept = parseTokenKeys(ownKeys === undefined ? [text] : [text, own], [recordKey]);
      return kept;
    } catch (error) {
      failed(error);
      askAgainAt = now() + retryMs;
      ownKeys ??= parseTokenKeys([own]);
      return ownKeys;
    }
  });

  return () => {
    if (kept !== undefined) return kept;
    if (ownKeys !== undefined && now() < askAgainAt) return ownKeys;
    return ask();
  };
}

/** The record's text, which one of those who make it at the same time has written. */
async function secretIn(records: KeyRecords): Promise<string> {
  const found = await records.get(recordKey);
  if (found !== undefined) return Buffer.from(found.bytes).toString();
  const made = secretText();
  const isOurs = (await records.put(recordKey, Buffer.from(made), { ifVersion: 'absent' })) !== undefined;
  if (isOurs) return made;
  const theirs = await records.get(recordKey);
  if (theirs === undefined) throw new Error(`the record ${recordKey} was deleted while it was read`);
  return Buffer.from(theirs.bytes).toString();
}

/** A line as a token secret file has it. */
export function secretText(): string {
  return randomBytes(32).toString('base64url');
}
