import { createHash } from 'node:crypto';
import type { Current } from '../../base/state/watched-file.ts';
import { fieldsOf, jsonOrNone } from '../../base/text/json.ts';
import { derivedKey, opened, sealed } from './sealing.ts';
import type { TokenKeys } from './token-keys.ts';

interface SealedLoginsOptions {
  /** Those that all replicas share. */
  readonly keys: Current<TokenKeys>;
  /** How long a login lasts, milliseconds. */
  readonly lastsMs: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

interface SealedLogin {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly digest: string;
}

const purpose = 'quayside login of a browser';
const bound = Buffer.from(purpose);
/** A cookie has 4,096 bytes at most (RFC 6265 section 6.1), and base64 makes 4 of 3. */
const longestToken = 2_900;

/**
 * Tokens of people, sealed for the cookies of their browsers: each replica that has the keys opens
 * what another sealed. A login that is ended before its time is over at this process alone. What is
 * sealed is as good as the token for as long as it lasts, and is shown to no page.
 */
export function createSealedLogins({ keys, lastsMs, now = Date.now }: SealedLoginsOptions) {
  /** Those that were ended before their time, by their digest, and until when they would last. */
  const over = new Map<string, number>();

  async function found(text: string): Promise<SealedLogin | undefined> {
    const bytes = Buffer.from(text, 'base64url');
    for (const { signing } of (await keys()).byKid.values()) {
      const plain = signing && opened(bytes, derivedKey(signing, purpose), bound);
      if (plain === undefined) continue;
      const { token, until } = fieldsOf(jsonOrNone(plain));
      if (typeof token !== 'string' || typeof until !== 'number' || now() >= until) return undefined;
      return { token, until, digest: createHash('sha256').update(bytes).digest('base64url') };
    }
    return undefined;
  }

  return {
    async seal(token: string): Promise<string | undefined> {
      if (token.length > longestToken) return undefined;
      const { signing } = await keys();
      const text = JSON.stringify({ token, until: now() + lastsMs });
      return sealed(text, derivedKey(signing.signing, purpose), bound).toString('base64url');
    },
    async open(text: string): Promise<string | undefined> {
      const login = await found(text);
      return login === undefined || over.has(login.digest) ? undefined : login.token;
    },
    async end(text: string): Promise<void> {
      const login = await found(text);
      for (const [digest, until] of over) if (now() >= until) over.delete(digest);
      if (login !== undefined) over.set(login.digest, login.until);
    },
  };
}
