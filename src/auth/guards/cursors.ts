import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Current } from '../../base/state/watched-file.ts';
import type { Place, Subject } from '../access.ts';
import type { TokenKey, TokenKeys } from '../tokens/token-keys.ts';

/** The list that a cursor belongs to, and the subject it was made for. */
export interface CursorOwner extends Place {
  readonly host: string;
  readonly subject: Pick<Subject, 'name' | 'cluster'>;
}

/**
 * Where a list goes on, for a client who may see only a part of it. An upstream's cursor is the
 * last tag of a page, which may be one that is not shown: with pages of one tag, the links would
 * tell every name. Good on each replica that shares the token keys, for its owner alone: at another
 * list, or for another subject, it would go on behind a name that is hidden there.
 */
export interface Cursors {
  /** The cursor as the client gets it. Throws `UNAVAILABLE` when the keys cannot be read. */
  sealed(cursor: string, owner: CursorOwner): Promise<string>;
  /** The cursor; undefined for a text that was not sealed for this owner with our key. */
  opened(text: string, owner: CursorOwner): Promise<string | undefined>;
}

const cipher = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Cursors under keys that are derived from those that sign tokens. */
export function createCursors(keys: Current<TokenKeys>): Cursors {
  return {
    async sealed(cursor, owner) {
      const { signing } = await keys();
      const nonce = randomBytes(nonceBytes);
      const sealing = createCipheriv(cipher, derived(signing.signing), nonce).setAAD(ownerBytes(owner));
      const text = Buffer.concat([sealing.update(cursor, 'utf8'), sealing.final()]);
      return Buffer.concat([nonce, sealing.getAuthTag(), text]).toString('base64url');
    },
    async opened(text, owner) {
      const { byKid } = await keys();
      const sealed = Buffer.from(text, 'base64url');
      for (const { signing } of byKid.values()) {
        const cursor =
          signing === undefined ? undefined : openedWith(derived(signing), sealed, ownerBytes(owner));
        if (cursor !== undefined) return cursor;
      }
      return undefined;
    },
  };
}

function openedWith(key: Uint8Array, sealed: Buffer, owner: Uint8Array): string | undefined {
  const text = nonceBytes + tagBytes;
  if (sealed.byteLength < text) return undefined;
  try {
    const opening = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    opening.setAAD(owner).setAuthTag(sealed.subarray(nonceBytes, text));
    return opening.update(sealed.subarray(text), undefined, 'utf8') + opening.final('utf8');
  } catch {
    return undefined;
  }
}

/** Unambiguous, whatever the names hold. */
function ownerBytes({ host, upstream, repository, subject: { name, cluster } }: CursorOwner): Uint8Array {
  return Buffer.from(JSON.stringify([host, upstream, repository, cluster ?? null, name]));
}

/** A key of its own purpose: what seals cursors signs nothing (RFC 5869). */
function derived(secret: NonNullable<TokenKey['signing']>): Uint8Array {
  const bytes = secret instanceof Uint8Array ? secret : secret.export({ type: 'pkcs8', format: 'der' });
  return new Uint8Array(hkdfSync('sha256', bytes, '', 'quayside list cursors', keyBytes));
}
