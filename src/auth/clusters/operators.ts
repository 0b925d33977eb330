import { createHash, timingSafeEqual } from 'node:crypto';
import { type RereadOptions, readOnChange } from '../../base/state/watched-file.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { PathQuestion } from '../question.ts';
import { loginsUnavailable } from '../unavailable.ts';
import type { RememberedCluster } from './cluster.ts';
import { mayBeToken } from './cluster-token.ts';

/** Whether the holder of a token may operate the server, and the name to be logged. */
export type OperatorVerdict =
  | { readonly kind: 'allowed' | 'denied'; readonly name: string }
  | { readonly kind: 'unknown' };

/** Operators by their tokens. Throws `UNAVAILABLE` when that cannot be told. */
export interface Operators {
  judge(token: string, question: PathQuestion): Promise<OperatorVerdict>;
}

interface OperatorsOptions extends RereadOptions {
  /** Tokens, one a line. What is in it may do everything. Default: none. */
  readonly tokenFile?: string;
  /** Knows its users, and their rights by `nonResourceURLs`. Default: none. */
  readonly cluster?: Pick<RememberedCluster, 'review' | 'ask'>;
}

type Hashes = readonly Buffer[];

/** Shorter ones can be guessed, and others cannot be sent (RFC 6750 section 2.1). */
const shape = /^[A-Za-z0-9._~+/-]{20,8192}={0,2}$/;

/**
 * Tokens of a file, which is read again when it changes, and users of a cluster. A source that
 * cannot tell keeps out none of the other's operators, and never lets in.
 */
export function createOperators({ tokenFile, cluster, ...options }: OperatorsOptions): Operators {
  const failure = loginsUnavailable;
  const hashes =
    tokenFile === undefined
      ? (): Hashes => []
      : readOnChange([tokenFile], ([text = '']) => tokensIn(text).map(hashOf), { ...options, failure });

  async function judgedByCluster(token: string, question: PathQuestion): Promise<OperatorVerdict> {
    if (cluster === undefined || !mayBeToken(token)) return { kind: 'unknown' };
    const subject = await cluster.review(token);
    if (subject === undefined) return { kind: 'unknown' };
    const { allowed } = await cluster.ask(subject, question);
    return { kind: allowed ? 'allowed' : 'denied', name: subject.name };
  }

  return {
    async judge(token, question) {
      const [held] = await Promise.allSettled([hashes()]);
      if (held.status === 'fulfilled' && isAmong(held.value, token))
        return { kind: 'allowed', name: 'tokenFile' };
      const verdict = await judgedByCluster(token, question);
      if (verdict.kind === 'unknown' && held.status === 'rejected') throw held.reason;
      return verdict;
    },
  };
}

/** Looks at all of them, so that the time taken tells nothing. */
function isAmong(hashes: Hashes, token: string): boolean {
  const shown = hashOf(token);
  return hashes.map((hash) => timingSafeEqual(hash, shown)).includes(true);
}

/** The tokens of a file; blank lines and comments (`#`) are none. Throws for what is no token. */
export function tokensIn(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const tokens = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (tokens.every((token) => shape.test(token))) return tokens;
  throw new RegistryError(
    'UNAVAILABLE',
    'the token file holds a line that is not a token: 20 characters at least, of A-Z a-z 0-9 . _ ~ + / -',
  );
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
