import { fieldsOf, jsonOrNone } from '../../base/text/json.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { scrubKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';

/** How far a scrub has come, or that it has ended: it survives the process that does it. */
export interface ScrubProgress {
  /** When the scrub began, milliseconds since the epoch. */
  readonly beganAt: number;
  readonly state: 'running' | 'complete';
  /** The last digest that was looked at. */
  readonly after?: Digest;
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that were not what their digests say. */
  readonly wrong: number;
}

/** The latest scrub; undefined without a valid record. Throws if the store fails. */
export async function readProgress(records: Pick<Records, 'get'>): Promise<ScrubProgress | undefined> {
  const record = await records.get(scrubKey);
  return record && parsed(record.bytes);
}

/** Writes the progress over the one before: there is one scrub at a time. */
export async function writeProgress(records: Pick<Records, 'put'>, progress: ScrubProgress): Promise<void> {
  await records.put(scrubKey, Buffer.from(JSON.stringify(progress)));
}

function parsed(bytes: Uint8Array): ScrubProgress | undefined {
  const { beganAt, state, after, ...counts } = fieldsOf(jsonOrNone(bytes));
  const began = count(beganAt);
  if (began === undefined || (state !== 'running' && state !== 'complete')) return undefined;
  return {
    beganAt: began,
    state,
    blobs: count(counts['blobs']) ?? 0,
    bytes: count(counts['bytes']) ?? 0,
    wrong: count(counts['wrong']) ?? 0,
    ...(isDigest(after) ? { after } : {}),
  };
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
