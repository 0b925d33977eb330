import { LRUCache } from 'lru-cache';
import { createLru } from '../../base/state/lru.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Subject } from '../access.ts';
import { parseSubject, subjectId, subjectText } from '../subject.ts';

/** Small named values that all replicas share; the cache's records are such. */
export interface SubjectRecords {
  get(key: string): Promise<{ readonly bytes: Uint8Array } | undefined>;
  put(key: string, bytes: Uint8Array): Promise<unknown>;
  delete(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<{ readonly key: string; readonly writtenAt: number }>;
}

interface KeptSubjectsOptions {
  readonly records: SubjectRecords;
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Subjects too large for a token, each under the sha256 of its text: none can replace another. */
export interface KeptSubjects {
  /** Resolves to the id once every replica can read it. Throws `UNAVAILABLE`. */
  keep(subject: Subject): Promise<string>;
  /** Undefined for an unknown or swept one. Throws `UNAVAILABLE` if unknown. */
  read(id: string): Promise<Subject | undefined>;
  /**
   * Deletes subjects without a login within that time, and resolves to their number. A time below
   * the validity of the tokens and a day would end tokens that are in use.
   */
  sweep(olderThanMs: number): Promise<number>;
}

const prefix = 'v1/subjects/';
/** A subject that logs in repeatedly is written again this often, so that it is not swept. */
const rewriteMs = 24 * 3_600_000;
const mostRemembered = 10_000;
/** Texts of subjects that are remembered, in characters. */
const mostRememberedText = 16 * 1024 * 1024;

export function createKeptSubjects({ records, now = Date.now }: KeptSubjectsOptions): KeptSubjects {
  const writtenAt = createLru<string, number>(mostRemembered);
  const known = new LRUCache<string, Subject>({ maxSize: mostRememberedText });

  async function readAnew(id: string): Promise<Subject | undefined> {
    const record = await orUnavailable(records.get(`${prefix}${id}`));
    if (record === undefined) return undefined;
    const text = Buffer.from(record.bytes).toString();
    const subject = subjectId(text) === id ? parseSubject(text) : undefined;
    if (subject === undefined) throw unavailable(new Error(`the record of the subject ${id} is corrupt`));
    known.set(id, subject, { size: text.length });
    return subject;
  }

  return {
    async keep(subject) {
      const text = subjectText(subject);
      const id = subjectId(text);
      if (now() - (writtenAt.get(id) ?? Number.NEGATIVE_INFINITY) < rewriteMs) return id;
      await orUnavailable(records.put(`${prefix}${id}`, Buffer.from(text)));
      writtenAt.set(id, now());
      return id;
    },
    async read(id) {
      if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
      return known.get(id) ?? readAnew(id);
    },
    async sweep(olderThanMs) {
      let swept = 0;
      for await (const { key, writtenAt: at } of records.list(prefix)) {
        if (now() - at < olderThanMs) continue;
        writtenAt.delete(key.slice(prefix.length));
        await records.delete(key);
        swept += 1;
      }
      return swept;
    },
  };
}

async function orUnavailable<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (cause) {
    throw unavailable(cause);
  }
}

function unavailable(cause: unknown): RegistryError {
  const message = 'the store does not answer, so that the login cannot be looked up';
  return new RegistryError('UNAVAILABLE', message, { cause });
}
