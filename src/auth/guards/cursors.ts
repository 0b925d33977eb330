import type { Current } from '../../base/state/watched-file.ts';
import type { Place, Subject } from '../access.ts';
import { derivedKey, opened, sealed } from '../tokens/sealing.ts';
import type { TokenKeys } from '../tokens/token-keys.ts';

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

const purpose = 'quayside list cursors';

/** Cursors under keys that are derived from those that sign tokens. */
export function createCursors(keys: Current<TokenKeys>): Cursors {
  return {
    async sealed(cursor, owner) {
      const { signing } = await keys();
      return sealed(cursor, derivedKey(signing.signing, purpose), ownerBytes(owner)).toString('base64url');
    },
    async opened(text, owner) {
      const { byKid } = await keys();
      const bytes = Buffer.from(text, 'base64url');
      for (const { signing } of byKid.values()) {
        const cursor =
          signing === undefined ? undefined : opened(bytes, derivedKey(signing, purpose), ownerBytes(owner));
        if (cursor !== undefined) return cursor;
      }
      return undefined;
    },
  };
}

/** Unambiguous, whatever the names hold. */
function ownerBytes({ host, upstream, repository, subject: { name, cluster } }: CursorOwner): Uint8Array {
  return Buffer.from(JSON.stringify([host, upstream, repository, cluster ?? null, name]));
}
