import { fieldsOf, isObject, jsonOrNone } from '../../base/text/json.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { type IndexEntry, indexEntryFields, readIndexEntry } from './index-entry.ts';

/** What the joint record of a repository says. Never changed in place. */
export interface JointRecord {
  readonly members: ReadonlyMap<Digest, IndexEntry>;
  /** There were too many: each member has a record of its own, for good. */
  readonly isDissolved: boolean;
}

/** What joint records say that are written now. */
const format = 3;

/** A later version wrote the record: it is neither believed nor replaced. */
export class LaterRecord extends Error {
  override readonly name = 'LaterRecord';
}

/** A repository without members. */
export const emptyJoint: JointRecord = Object.freeze({ members: new Map(), isDissolved: false });

/** In place of members that have a record each. */
export const dissolvedJoint: JointRecord = Object.freeze({ members: new Map(), isDissolved: true });

/** The record's bytes; `by` is the replica that writes it. */
export function jointBytes({ members, isDissolved }: JointRecord, by: string | undefined): Uint8Array {
  const each = Array.from(members, ([digest, member]) => [digest, indexEntryFields(member)]);
  const fields = { format, by, ...(isDissolved && { isDissolved }), members: Object.fromEntries(each) };
  return Buffer.from(JSON.stringify(fields));
}

/**
 * The record, without members that are none; undefined for bytes that are no joint record, and
 * `later` for one of a later version, which must not be replaced.
 */
export function parseJoint(bytes: Uint8Array): JointRecord | 'later' | undefined {
  const { format: written, isDissolved, members } = fieldsOf(jsonOrNone(bytes));
  if (typeof written === 'number' && written > format) return 'later';
  if (written !== format || !isObject(members)) return undefined;
  if (isDissolved === true) return dissolvedJoint;
  const read = new Map<Digest, IndexEntry>();
  for (const [digest, value] of Object.entries(members)) {
    const member = isDigest(digest) ? readIndexEntry(fieldsOf(value)) : undefined;
    if (member !== undefined && isDigest(digest)) read.set(digest, member);
  }
  return { members: read, isDissolved: false };
}
