import { challengeText } from '../../oci/challenge.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Host } from './hosts.ts';

export interface ChallengerOptions {
  /** How clients see us, when something before us ends TLS or renames us. */
  readonly publicUrl?: URL;
  /** Whether our listener speaks TLS: the realm's scheme without `publicUrl`. Default false. */
  readonly isTls?: boolean;
}

export interface LoginRefusal {
  /** `errors[].message`; with `error` also what `error_description` says. */
  readonly message: string;
  /** RFC 6750 section 3.1: absent when no credential was shown. */
  readonly error?: 'invalid_token' | 'insufficient_scope';
  /** The repository that a token should be asked for, as the client names it. */
  readonly repository?: string;
}

/** A 401 that says where to log in. */
export type Challenger = (host: Host, authority: string, refusal: LoginRefusal) => RegistryError;

/** Where our tokens are handed out. */
export const tokenPath = '/v2/auth';

/**
 * Challenges for `Bearer` only, in one field line: containers/image reads a single challenge per
 * line and takes the first it supports. `Basic` is accepted unasked. The realm is on the requested
 * host, so that crane, which refuses a realm on a private address elsewhere, follows it.
 */
export function createChallenger({ publicUrl, isTls = false }: ChallengerOptions): Challenger {
  const scheme = publicUrl?.protocol ?? (isTls ? 'https:' : 'http:');

  return (host, authority, refusal) => {
    const seen = host.name === '*' ? (publicUrl?.host ?? authority) : authority;
    const challenge = challengeText('Bearer', {
      realm: `${scheme}//${seen}${tokenPath}`,
      service: seen,
      ...parametersOf(host, refusal),
    });
    return new RegistryError('UNAUTHORIZED', refusal.message, { headers: { 'www-authenticate': challenge } });
  };
}

/** A plain host names a scope only to who shows a token that lacks it, and cannot go on without. */
function parametersOf(host: Host, { message, error, repository }: LoginRefusal): Record<string, string> {
  const isScoped = host.challenge !== 'plain' || error === 'insufficient_scope';
  return {
    ...(repository === undefined || !isScoped ? {} : { scope: `repository:${repository}:pull` }),
    ...(error === undefined ? {} : { error, error_description: message }),
  };
}
