import type { Decision } from '../../auth/access.ts';
import type { Unidentified } from '../../auth/guards/guard.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { LoginRefusal } from './challenge.ts';

/**
 * What is said to whom we do not know, or whose token or login is not enough. All of it is ours:
 * nothing of the client's is repeated. A token that was good once is not enough, rather than
 * invalid: containers/image fetches a new one after `insufficient_scope` alone, and fails the pull
 * after `invalid_token`.
 */
export const refusals: Readonly<Record<Unidentified['refused'] | 'scope' | 'anonymous', LoginRefusal>> = {
  absent: { message: 'a login is required' },
  malformed: { message: 'the Authorization field is malformed', error: 'invalid_token' },
  expired: { message: 'the token has expired; log in again', error: 'insufficient_scope' },
  'unknown-key': {
    message: 'the token is signed with a key that is not in use; log in again',
    error: 'insufficient_scope',
  },
  foreign: { message: 'the token was not issued by this service for this host', error: 'invalid_token' },
  wrong: { message: 'the credential is not accepted', error: 'invalid_token' },
  scope: { message: 'the token does not cover this repository', error: 'insufficient_scope' },
  anonymous: { message: 'a login is required for this repository', error: 'insufficient_scope' },
};

/** A failed login, which may have been a guess: its answer is to be delayed, see Attempts. */
export class FailedLogin extends RegistryError {
  /** A hash of the cluster's token that was shown; absent for a password. */
  readonly token: string | undefined;

  constructor({ code, message, headers }: RegistryError, token?: string) {
    super(code, message, { headers });
    this.token = token;
  }
}

/** Holds back the answers to logins that failed; see Attempts. */
export interface FailedLogins {
  /** Resolves when the answer may go out, or the client left. Throws `TOOMANYREQUESTS` instead. */
  failed(clientAddress: string, leaving: AbortSignal, token?: string): Promise<void>;
  /** Resolves when an answer 429 may go out, or the client is gone. */
  refused(clientAddress: string, leaving: AbortSignal): Promise<void>;
}

/**
 * The error to answer with, once the answer may go out: a failed login and a 429 after such ones
 * are delayed. The request's slot must be free by then: guesses hold no slots.
 */
export async function heldBack(
  error: unknown,
  attempts: FailedLogins,
  [address, leaving]: readonly [address: string, leaving: AbortSignal],
): Promise<unknown> {
  if (error instanceof FailedLogin) {
    try {
      await attempts.failed(address, leaving, error.token);
      return error;
    } catch (tooMany) {
      return heldBack(tooMany, attempts, [address, leaving]);
    }
  }
  await attempts.refused(address, leaving);
  return error;
}

/** Whether `heldBack` may hold it back. */
export function isHeldBack(error: unknown): boolean {
  return error instanceof FailedLogin || (error instanceof RegistryError && error.code === 'TOOMANYREQUESTS');
}

const longestReason = 1000;
/** A longer one may be cut where it is shown. */
const longMessage = 200;

/**
 * 403, with the reason and what to do about it. A cluster's own words and names are data from
 * outside. A reason too long for a message is in the detail, too.
 */
export function denied(repository: string, { reason }: Decision): RegistryError {
  const message = oneLine(reason ?? 'no right to pull from this repository', longestReason);
  return new RegistryError('DENIED', message, {
    detail: { repository, action: 'pull', ...(message.length > longMessage && { reason: message }) },
  });
}
