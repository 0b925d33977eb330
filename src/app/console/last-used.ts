import type { Usage } from '../../cache/eviction/usage.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseUsageKey, usagePrefix } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';

/** Records that are read for one answer: some 10,000 uses each, the latest days first. */
const mostRecords = 32;

/**
 * When each was last served, milliseconds since the epoch, right to about ten minutes. A digest of
 * which nothing is said was not served within the days that were read.
 */
export async function lastUses(
  digests: readonly Digest[],
  { records, usage }: { readonly records: Records; readonly usage: Pick<Usage, 'unwritten'> },
): Promise<ReadonlyMap<Digest, number>> {
  const found = new Map<Digest, number>();
  const wanted = new Set(digests);
  for (const [digest, at] of usage.unwritten())
    if (wanted.has(digest)) found.set(digest, Math.max(at, found.get(digest) ?? 0));
  const keys: { readonly key: string; readonly day: string }[] = [];
  for await (const { key } of records.list(usagePrefix)) {
    const { day } = parseUsageKey(key) ?? {};
    if (day !== undefined) keys.push({ key, day });
  }
  keys.sort((one, other) => (one.day < other.day ? 1 : -1));
  for (const { key } of keys.slice(0, mostRecords)) {
    if (digests.every((digest) => found.has(digest))) break;
    const bytes = (await records.get(key))?.bytes;
    if (bytes === undefined) continue;
    const text = Buffer.from(bytes).toString('latin1');
    for (const digest of digests) {
      const at = timeIn(text, digest);
      if (at !== undefined) found.set(digest, Math.max(at, found.get(digest) ?? 0));
    }
  }
  return found;
}

/** A line is a digest and a time in seconds. */
function timeIn(text: string, digest: Digest): number | undefined {
  const start = text.indexOf(`${digest} `);
  if (start < 0) return undefined;
  const end = text.indexOf('\n', start);
  const seconds = Number(text.slice(start + digest.length + 1, end < 0 ? undefined : end));
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
