import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';

/**
 * Statements between members, each with a proof that its writer holds the fleet's key. The same
 * form serves questions and answers, so that neither can be taken for the other: `purpose` is part
 * of what is proven.
 */
export interface Seals {
  seal(purpose: SealPurpose, statement: object): Promise<string>;
  /** The statement; undefined if its proof is missing, of another key or of another purpose. */
  open(purpose: SealPurpose, text: string | undefined): Promise<unknown>;
}

type SealPurpose = 'ask' | 'answer' | 'news';

const shortestKeyBytes = 32;

/**
 * The keys of a key file: one a line, each of at least 32 characters. The first one seals; all of
 * them open, so that a key can be replaced while members run. Throws for a file without a key.
 */
export function parseFleetKeys(text: string): readonly string[] {
  const keys = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (keys.length === 0) throw new Error('the key file of the fleet holds no key');
  if (keys.some((key) => Buffer.byteLength(key) < shortestKeyBytes))
    throw new Error(`the key file of the fleet holds a key of less than ${shortestKeyBytes} characters`);
  return keys;
}

/** HMAC-SHA256 (RFC 2104) over keys that may change while members run. */
export function createSeals(keys: () => MaybePromise<readonly string[]>): Seals {
  return {
    async seal(purpose, statement) {
      const [key = ''] = await keys();
      const body = Buffer.from(JSON.stringify(statement)).toString('base64url');
      return `${body}.${proofOf(key, purpose, body).toString('base64url')}`;
    },
    async open(purpose, text = '') {
      const [body = '', proof = ''] = text.split('.');
      const given = Buffer.from(proof, 'base64url');
      const isProven = (key: string): boolean => {
        const wanted = proofOf(key, purpose, body);
        return wanted.byteLength === given.byteLength && timingSafeEqual(wanted, given);
      };
      if (!(await keys()).some(isProven)) return undefined;
      return JSON.parse(Buffer.from(body, 'base64url').toString());
    },
  };
}

function proofOf(key: string, purpose: SealPurpose, body: string): Buffer {
  return createHmac('sha256', key).update(purpose).update('\0').update(body).digest();
}
