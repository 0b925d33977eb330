import type { Decision } from '../auth/access.ts';
import type { Unidentified } from '../auth/guard.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Refusal } from './realm.ts';

/** What is said to whom we do not know, or whose token or login is not enough. All of it is ours: nothing of the client's is repeated. */
export const refusals: Readonly<Record<Unidentified['refused'] | 'scope' | 'anonymous', Refusal>> = {
  absent: { message: 'a login is required' },
  malformed: { message: 'the Authorization field is malformed', error: 'invalid_token' },
  expired: { message: 'the token has expired', error: 'invalid_token' },
  foreign: { message: 'the token was not made by us for this host', error: 'invalid_token' },
  wrong: { message: 'the credential is not accepted', error: 'invalid_token' },
  scope: { message: 'the token was not asked for this repository', error: 'insufficient_scope' },
  anonymous: { message: 'a login is required for this repository', error: 'insufficient_scope' },
};

/** A login that failed, which may have been a guess: its answer is to be held back, see Attempts. */
export class FailedLogin extends RegistryError {
  constructor({ code, message, headers }: RegistryError) {
    super(code, message, { headers });
  }
}

/** Holds back the answers to logins that failed; see Attempts. */
export interface FailedLogins {
  /** Resolves when the answer may go out, or the client is gone. Throws `TOOMANYREQUESTS` in its stead. */
  failed(clientAddress: string, leaving: AbortSignal): Promise<void>;
}

const longestReason = 1000;

/** 403, with the reason and what to do about it. */
export function denied(repository: string, { reason }: Decision): RegistryError {
  const message = printable(reason ?? 'no right to pull from this repository');
  return new RegistryError('DENIED', message, { detail: { repository, action: 'pull' } });
}

/** A cluster's own words and names are data from outside: one line of ASCII, fit for a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?').slice(0, longestReason);
}
