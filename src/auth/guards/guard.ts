// Room `auth/guards`: what stands before a host: none, robots, or clusters. In: an Authorization
// header. Out: a subject, a token of ours, and what the subject may pull. Imports: auth,
// auth/clusters, auth/robots, auth/tokens, base; types of oci.

import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Repository } from '../../oci/reference.ts';
import type { Authenticator, Authorizer, Credential, Place, Subject } from '../access.ts';
import { isClusterToken } from '../clusters/cluster-token.ts';
import { createKeyedHash } from '../clusters/keyed-hash.ts';
import { requestedScopes, type Scope } from '../scope.ts';
import { anonymousName } from '../subject.ts';
import type { IssuedToken, Tokens } from '../tokens/token.ts';
import { parseAuthorization } from './basic.ts';
import type { Cursors } from './cursors.ts';

/** A subject, and the scope of its credential. */
export interface Identity {
  readonly subject: Subject;
  /** The repositories in a token's scope; absent for a credential without scopes. */
  readonly scopes?: readonly string[];
  /** Of a token: no scope was named when it was asked for. */
  readonly isUnscoped?: boolean;
}

/** No credential was shown, or it was not accepted. */
export interface Unidentified {
  /**
   * `expired`, `unknown-key` and `foreign` are tokens of our own kind: one whose time is over, one
   * of a key that is not among ours, and one for another host, or changed. `wrong` is any other
   * credential that no authenticator knows: the only kind that may be a guess.
   */
  readonly refused: 'absent' | 'malformed' | 'expired' | 'unknown-key' | 'foreign' | 'wrong';
  /** Of a `wrong` one that has the form of a cluster's token: a hash of it, under a secret key. */
  readonly token?: string;
}

/** The credential at the token end-point: an `Authorization` value (GET), or a pair (POST). */
export type LoginForm =
  | { readonly authorization: string | undefined }
  | { readonly username: string; readonly password: string };

export interface Grant extends IssuedToken {
  readonly subject: Subject;
}

/** The place of a repository as named by clients of this host; undefined if there is none. */
export type Locate = (name: Repository) => Place | undefined;

/** Authentication and authorization of one host. Every method throws `UNAVAILABLE` if unknown. */
export interface Guard extends Authorizer {
  /** Present where lists may be shown in part. */
  readonly cursors?: Cursors;
  /**
   * Who shows this `Authorization` value: a token of ours, or whatever the authenticator knows. At
   * once for a token seen before. What has to be looked at waits its turn, by the client's address.
   */
  identify(authorization: string | undefined, address?: string): MaybePromise<Identity | Unidentified>;
  /**
   * A token for the subject, with the scopes that pull. It says of the first few which were in
   * sight, and grants none: each pull asks. Throws `UNAUTHORIZED` for too many scopes.
   */
  grant(
    login: LoginForm,
    scopes: readonly string[],
    locate: Locate,
    address?: string,
  ): Promise<Grant | Unidentified>;
}

interface GuardParts {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly tokens: Tokens;
  /** Needed where the authorizer shows lists in part. */
  readonly cursors?: Cursors;
  /** The subjects that get a token without a login. Default: none. */
  readonly anonymous?: Subject;
}

/** Scopes of one token that are checked: each may cost a review. */
const mostAsked = 4;

/** Joins the three questions: who is it, may they, and how do they say so next time. */
export function createGuard({ authenticator, authorizer, tokens, cursors, anonymous }: GuardParts): Guard {
  const hashOf = createKeyedHash();

  function wrong(credential: Credential): Unidentified {
    const secret = credential.kind === 'basic' ? credential.password : credential.token;
    return { refused: 'wrong', ...(isClusterToken(secret) ? { token: hashOf(secret) } : {}) };
  }

  function authenticate(credential: Credential, address?: string): MaybePromise<Identity | Unidentified> {
    return andThen(authenticator.authenticate(credential, address), (subject) =>
      subject === undefined ? wrong(credential) : { subject },
    );
  }

  function whoLogsIn(
    credential: Credential | Unidentified,
    address?: string,
  ): MaybePromise<Identity | Unidentified> {
    if (!('refused' in credential)) return authenticate(credential, address);
    return credential.refused === 'absent' && anonymous !== undefined ? { subject: anonymous } : credential;
  }

  /** Without a login a subject has what the settings say now, not what they said for its token. */
  function isStillLetIn({ name, cluster }: Subject): boolean {
    return name !== anonymousName || (anonymous !== undefined && anonymous.cluster === cluster);
  }

  /** Of a listing only: what depends on the tag is asked when there is one. */
  async function isInSight(subject: Subject, place: Place | undefined): Promise<boolean> {
    if (place === undefined) return false;
    const { allowed, isPartial = false } = await authorizer.authorize(subject, { ...place, action: 'pull' });
    return allowed || isPartial;
  }

  return {
    authorize: authorizer.authorize,
    visible: authorizer.visible,
    ...(cursors === undefined ? {} : { cursors }),
    identify(authorization, address) {
      const credential = parseAuthorization(authorization);
      if ('refused' in credential) return credential;
      if (credential.kind === 'basic') return authenticate(credential, address);
      return andThen(tokens.verify(credential.token), (verdict): MaybePromise<Identity | Unidentified> => {
        if (!('refused' in verdict)) return isStillLetIn(verdict.subject) ? verdict : { refused: 'expired' };
        return verdict.refused === 'strange'
          ? authenticate(credential, address)
          : { refused: verdict.refused };
      });
    },
    async grant(login, texts, locate, address) {
      const identified = await whoLogsIn(credentialOf(login), address);
      if ('refused' in identified) return identified;
      const { subject } = identified;
      const names = requestedScopes(texts);
      const scopes: Scope[] = [];
      for (const [index, name] of (names ?? []).entries())
        scopes.push({ name, isGranted: index < mostAsked && (await isInSight(subject, locate(name))) });
      return { subject, ...(await tokens.issue(subject, names && scopes)) };
    },
  };
}

function credentialOf(login: LoginForm): Credential | Unidentified {
  if ('authorization' in login) return parseAuthorization(login.authorization);
  const { username, password } = login;
  return username === '' && password === '' ? { refused: 'absent' } : { kind: 'basic', username, password };
}
