import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { basename } from 'node:path';
import { type Current, type RereadOptions, readOnChange } from '../../base/state/watched-file.ts';
import { loginsUnavailable } from '../unavailable.ts';

/** A key for our tokens, and the name by which a token says which one signed it. */
export interface TokenKey {
  readonly kid: string;
  /**
   * The only algorithm of the key, whatever a token's header claims: otherwise a public key could
   * be used as an HMAC secret (RFC 8725 section 3.1).
   */
  readonly algorithm: 'HS256' | 'EdDSA' | 'ES256';
  readonly verifying: KeyObject | Uint8Array;
  /** Absent for a public key. */
  readonly signing?: KeyObject | Uint8Array;
}

type SigningKey = TokenKey & Required<Pick<TokenKey, 'signing'>>;

/** One key signs; all verify, so that a key can be rotated while old tokens are in use. */
export interface TokenKeys {
  readonly signing: SigningKey;
  readonly byKid: ReadonlyMap<string, TokenKey>;
}

export interface TokenKeyFiles {
  /** Files of PEM keys or HMAC secrets, see parseTokenKeys; may be replaced at any time. */
  readonly tokenKeyFiles?: readonly string[];
  /** One more such file. */
  readonly tokenSecretFile?: string;
  /** The keys where no file is named. Default: a random one, which no replica shares. */
  readonly defaultKeys?: Current<TokenKeys>;
}

/** HS256 asks for a key no shorter than its hash (RFC 7518 section 3.2), in bytes. */
const shortestSecret = 32;

/** The current keys of the files. Throws `UNAVAILABLE` while a file cannot be read or parsed. */
export function createTokenKeys(
  { tokenKeyFiles = [], tokenSecretFile, defaultKeys }: TokenKeyFiles,
  options?: RereadOptions,
): Current<TokenKeys> {
  const files = tokenSecretFile === undefined ? tokenKeyFiles : [...tokenKeyFiles, tokenSecretFile];
  const names = files.map((file) => basename(file));
  const parse = (texts: readonly string[]) => parseTokenKeys(texts, names);
  if (files.length > 0) return readOnChange(files, parse, { ...options, failure: loginsUnavailable });
  if (defaultKeys !== undefined) return defaultKeys;
  const random = randomTokenKeys();
  return () => random;
}

/**
 * The keys in the texts of files. A text with PEM blocks holds private keys, which sign and verify,
 * and public ones, which verify: Ed25519 or P-256. Another text holds HMAC secrets of at least 32
 * bytes, one per line. The first signing key signs. Throws an Error with file and line or block,
 * and never shows a key.
 */
export function parseTokenKeys(texts: readonly string[], names: readonly string[] = []): TokenKeys {
  return joined(texts.flatMap((text, at) => parseTokenKeyFile(text, names[at] ?? 'the token key file')));
}

/** A key that only this process has: its tokens end with it, and no replica accepts them. */
export function randomTokenKeys(): TokenKeys {
  return joined([hmacKey(randomBytes(shortestSecret))]);
}

function joined(keys: readonly TokenKey[]): TokenKeys {
  const signing = keys.find((key): key is SigningKey => key.signing !== undefined);
  if (signing === undefined) throw new Error('no token key can sign: one must be a private key or a secret');
  return { signing, byKid: new Map(keys.map((key) => [key.kid, key])) };
}

/** The keys of one file alone; throws as parseTokenKeys does, except that they need not sign. */
export function parseTokenKeyFile(text: string, name: string): readonly TokenKey[] {
  const keys = text.includes('-----BEGIN ') ? pemKeys(text, name) : secrets(text, name);
  if (keys.length === 0) throw new Error(`${name} holds no token key`);
  return keys;
}

function secrets(text: string, name: string): TokenKey[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    const secret = Buffer.from(line);
    if (secret.byteLength >= shortestSecret) return [hmacKey(secret)];
    throw new Error(`line ${index + 1} of ${name} is shorter than ${shortestSecret} bytes`);
  });
}

function hmacKey(secret: Uint8Array): TokenKey {
  const kid = createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 12);
  return { kid, algorithm: 'HS256', signing: secret, verifying: secret };
}

const pemBlock = /-----BEGIN ([A-Z ]+)-----\n[A-Za-z0-9+/=\s]+-----END \1-----/g;
const withoutKey = 'EC PARAMETERS';

/** `openssl ecparam -genkey` writes the parameters of the curve first. All else must be a key. */
function pemKeys(text: string, name: string): TokenKey[] {
  const normal = text.replaceAll('\r\n', '\n');
  if (normal.replaceAll(pemBlock, '').trim() !== '')
    throw new Error(`${name} holds something beside PEM keys`);
  const blocks = [...normal.matchAll(pemBlock)].filter(([, label]) => label !== withoutKey);
  return blocks.map(([block, label = ''], index) => {
    const key = asymmetricKey(block, label);
    if (key !== undefined) return key;
    throw new Error(`block ${index + 1} of ${name} is not an Ed25519 or P-256 key, or has a passphrase`);
  });
}

function asymmetricKey(block: string, label: string): TokenKey | undefined {
  try {
    const signing = label.endsWith('PRIVATE KEY') ? createPrivateKey(block) : undefined;
    if (signing === undefined && label !== 'PUBLIC KEY') return undefined;
    const verifying = createPublicKey(block);
    const algorithm = algorithmOf(verifying);
    if (algorithm === undefined) return undefined;
    return {
      kid: thumbprint(verifying),
      algorithm,
      verifying,
      ...(signing === undefined ? {} : { signing }),
    };
  } catch {
    return undefined;
  }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): 'EdDSA' | 'ES256' | undefined {
  if (asymmetricKeyType === 'ed25519') return 'EdDSA';
  const isP256 = asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 ? 'ES256' : undefined;
}

/** RFC 7638: the required members in the order of their names. An Ed25519 key has no `y`. */
function thumbprint(key: KeyObject): string {
  const { crv, kty, x, y } = key.export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
