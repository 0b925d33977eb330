import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { field, fieldsOf, isText, listOf } from '../../base/text/json.ts';
import { keyBytes } from './reference-table.ts';

/** What is known of one stream itself. */
export interface StreamItem {
  readonly namespace: string;
  readonly name: string;
  /** Changes when a stream is deleted and another made under its name. */
  readonly uid: string;
  /** Of the object that was read last. */
  version: string;
}

const namespaceShape = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const streamShape = /^[a-z0-9][a-z0-9._-]{0,252}$/;
const longestIdentity = 128;

/**
 * The stream of the metadata of an object; undefined for names that no stream has. A cluster may
 * send anything, and names stand in questions about rights, in keys, and in the log.
 */
export function streamItemOf(metadata: unknown): StreamItem | undefined {
  const { namespace, name, uid, resourceVersion } = fieldsOf(metadata);
  const isStream =
    isText(namespace) && isText(name) && namespaceShape.test(namespace) && streamShape.test(name);
  if (!isStream) return undefined;
  return { namespace, name, uid: identityOf(uid), version: identityOf(resourceVersion) };
}

function identityOf(text: unknown): string {
  return isText(text) && text.length <= longestIdentity ? text : '';
}

/** A stream in full, as records have it. */
export interface StreamCopy extends StreamItem {
  readonly references: readonly ReferenceCopy[];
}

export interface ReferenceCopy {
  readonly tag: string;
  readonly upstream: string;
  readonly repository: string;
  /** Not the text of the digest: what finds it again. */
  readonly key: Uint8Array;
  readonly isLong: boolean;
  /** When the tag stopped to name it, ms since the epoch; 0 while it does. */
  readonly until: number;
}

const format = 1;
/** The longest text of a record, bytes: more than 2,000,000 references in one take. */
const longestText = 256 * 1024 * 1024;
const compressed = promisify<string, { level: number }, Buffer>(gzip);
const expanded = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/**
 * The streams as the bytes of a record: JSON, compressed, in which each tag and repository stands
 * once. `settings` stands for all that decides which references count. Reads the copies before it
 * returns; they may be views.
 */
export function encoded(copies: Iterable<StreamCopy>, settings: string): Promise<Uint8Array> {
  const places = new Map<string, number>();
  const streams = Array.from(copies, ({ references, ...stream }) => {
    const tags = new Map<string, number>();
    const rows = references.map(({ tag, upstream, repository, isLong, key, until }) => [
      numberOf(tags, tag),
      numberOf(places, JSON.stringify([upstream, repository, isLong])),
      Buffer.from(key).toString('base64'),
      until,
    ]);
    return { ...stream, tags: [...tags.keys()], references: rows };
  });
  const text = JSON.stringify({ format, settings, places: [...places.keys()], streams });
  // Digests do not get smaller, however long one tries.
  return compressed(text, { level: 1 });
}

/**
 * The streams of a record; none for one of other settings. Rejects for bytes that `encoded` has not
 * made.
 */
export async function decoded(bytes: Uint8Array, settings: string): Promise<readonly StreamCopy[]> {
  const text = await expanded(bytes, { maxOutputLength: longestText });
  const record: unknown = JSON.parse(text.toString());
  if (field(record, 'format') !== format) throw new Error('the record has another format');
  if (field(record, 'settings') !== settings) return [];
  const places = listOf(field(record, 'places')).map(placeOf);
  return listOf(field(record, 'streams')).map((stream) => streamOf(stream, places));
}

function numberOf(numbers: Map<string, number>, text: string): number {
  const number = numbers.get(text) ?? numbers.size;
  numbers.set(text, number);
  return number;
}

type CopiedPlace = Pick<ReferenceCopy, 'upstream' | 'repository' | 'isLong'>;

function placeOf(text: unknown): CopiedPlace {
  const parts: unknown = JSON.parse(isText(text) ? text : '');
  const [upstream, repository, isLong] = listOf(parts);
  if (isText(upstream) && isText(repository) && typeof isLong === 'boolean')
    return { upstream, repository, isLong };
  throw new Error('a repository of the record is none');
}

function streamOf(stream: unknown, places: readonly CopiedPlace[]): StreamCopy {
  const { version, tags, references, ...metadata } = fieldsOf(stream);
  const item = streamItemOf({ ...metadata, resourceVersion: version });
  if (item === undefined) throw new Error('a stream of the record is none');
  return { ...item, references: listOf(references).map((row) => referenceOf(row, listOf(tags), places)) };
}

function referenceOf(row: unknown, tags: readonly unknown[], places: readonly CopiedPlace[]): ReferenceCopy {
  const [tagNumber, placeNumber, text, until] = listOf(row);
  const tag = tags[Number(tagNumber)];
  const place = places[Number(placeNumber)];
  const key = Buffer.from(isText(text) ? text : '', 'base64');
  if (isText(tag) && place !== undefined && key.length === keyBytes && typeof until === 'number')
    return { ...place, tag, key, until };
  throw new Error('a reference of the record is none');
}
