import type { Authenticator, Authorizer, Credential, Subject } from './access.ts';
import { parseAuthorization } from './basic.ts';
import { grantedScopes, type Scopes } from './scope.ts';
import type { IssuedToken, Tokens } from './token.ts';

/** Somebody, and what the credential was narrowed to. */
export interface Identity {
  readonly subject: Subject;
  /** The repositories that a token of ours was asked for; absent for a credential that knows no scopes. */
  readonly scopes?: Scopes;
}

/** Nobody: no credential was shown, or one that is not accepted. */
export interface Unidentified {
  readonly refused: 'absent' | 'malformed' | 'expired' | 'wrong';
}

/** What is shown at the token end-point: an `Authorization` value (GET), or a name and password (POST). */
export type Login = { readonly authorization: string | undefined } | Pair;

interface Pair {
  readonly username: string;
  readonly password: string;
}

export interface Grant extends IssuedToken {
  readonly subject: Subject;
}

/** All that stands between a client and a host with logins. Every method throws `UNAVAILABLE` when it cannot tell. */
export interface Guard extends Authorizer {
  /** Who shows this `Authorization` value: a token of ours, or whatever the authenticator knows. */
  identify(authorization: string | undefined): Promise<Identity | Unidentified>;
  /**
   * A token for the subject and as much of the scopes as is pulling. Whether there is a right to pull is asked with each pull,
   * so no token outlives a right. Throws `UNAUTHORIZED` for too many scopes.
   */
  grant(login: Login, scopes: readonly string[]): Promise<Grant | Unidentified>;
}

export interface GuardParts {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly tokens: Tokens;
}

/** Joins the three questions: who is it, may they, and how do they say so next time. */
export function guard({ authenticator, authorizer, tokens }: GuardParts): Guard {
  async function authenticate(credential: Credential): Promise<Identity | Unidentified> {
    const subject = await authenticator.authenticate(credential);
    return subject === undefined ? { refused: 'wrong' } : { subject };
  }

  return {
    authorize: (subject, access) => authorizer.authorize(subject, access),
    visible: (subject, place, tags) => authorizer.visible(subject, place, tags),
    async identify(authorization) {
      const credential = parseAuthorization(authorization);
      if ('refused' in credential) return credential;
      const verdict = credential.kind === 'bearer' ? await tokens.verify(credential.token) : undefined;
      if (verdict === undefined) return authenticate(credential);
      if (!('refused' in verdict)) return verdict;
      return verdict.refused === 'expired' ? { refused: 'expired' } : authenticate(credential);
    },
    async grant(login, texts) {
      const credential = credentialOf(login);
      if ('refused' in credential) return credential;
      const identified = await authenticate(credential);
      if ('refused' in identified) return identified;
      const { subject } = identified;
      return { subject, ...(await tokens.issue(subject, grantedScopes(texts))) };
    },
  };
}

function credentialOf(login: Login): Credential | Unidentified {
  if ('authorization' in login) return parseAuthorization(login.authorization);
  const { username, password } = login;
  return username === '' && password === '' ? { refused: 'absent' } : { kind: 'basic', username, password };
}
