import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from 'node:crypto';

/** A user as in a TokenReview. */
export interface DoubleUser {
  readonly username: string;
  readonly uid?: string;
  /** Without `system:authenticated`, which every user has. */
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/**
 * One right, as a role binding gives it. What is left out is as for pulling an image: `get
 * imagestreams.image.openshift.io/layers`.
 */
interface DoubleBinding {
  /** The name of a user or a group. */
  readonly to: string;
  /** Without: in every namespace, and in the question about all of them. */
  readonly namespace?: string;
  /** Without: every name, and the question about all of them. */
  readonly name?: string;
  readonly verb?: string;
  readonly group?: string;
  /** With the sub-resource after a slash, as RBAC has it. */
  readonly resource?: string;
}

/** The `resourceAttributes` of a SubjectAccessReview. */
/** A right to paths that begin so, as a ClusterRole with `nonResourceURLs` gives it. */
interface DoublePathRight {
  /** The name of a user or a group. */
  readonly to: string;
  readonly verbs: readonly string[];
  readonly prefix: string;
}

export interface DoublePathQuestion {
  readonly verb: string;
  readonly path: string;
}

export interface DoubleQuestion {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
}

interface ServiceAccountTokenOptions {
  /** Default: those of the API server. */
  readonly audiences?: readonly string[];
  /** Negative for one that has expired. Default 3600. */
  readonly expiresInSeconds?: number;
  /** Claims besides, or instead of, the usual ones. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The people, service accounts and rights of a cluster double. Change them at any time. */
export interface DoublePeople {
  /** People by their token. */
  readonly users: Map<string, DoubleUser>;
  /** Uids by `<namespace>/<name>`; delete one and its tokens are known no more. */
  readonly serviceAccounts: Map<string, string>;
  readonly bindings: DoubleBinding[];
  readonly issuer: string;
  /** A bound token, signed with the newest key. */
  serviceAccountToken(account: string, options?: ServiceAccountTokenOptions): string;
  /** Signs with another key from now on; the older ones stay in the key set. */
  rotateSigningKey(): void;
  /** The public keys (RFC 7517). */
  keySet(): { readonly keys: readonly object[] };
  /** Whose token that is, for one of the audiences. */
  userOf(token: string, audiences: readonly string[]): DoubleUser | undefined;
  isAllowed(user: string, groups: readonly string[], question: DoubleQuestion): boolean;
  isAllowedOnPath(user: string, groups: readonly string[], question: DoublePathQuestion): boolean;
}

/** The audience of the API server, which a token is for when nothing else was asked. */
export const apiAudience = 'https://kubernetes.default.svc';

interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
}

interface Claims {
  readonly sub?: string;
  readonly iss?: string;
  readonly aud?: readonly string[];
  readonly exp?: number;
  readonly jti?: string;
}

export interface PeopleOptions {
  readonly users?: Readonly<Record<string, DoubleUser>>;
  readonly serviceAccounts?: readonly string[];
  readonly bindings?: readonly DoubleBinding[];
  readonly pathRights?: readonly DoublePathRight[];
  readonly issuer: string;
}

export function doublePeople({ issuer, ...options }: PeopleOptions): DoublePeople {
  const users = new Map(Object.entries(options.users ?? {}));
  const serviceAccounts = new Map(options.serviceAccounts?.map((account) => [account, randomUUID()]));
  const bindings = [...(options.bindings ?? [])];
  const keys: SigningKey[] = [signingKey()];

  function serviceAccountOf(token: string, audiences: readonly string[]): DoubleUser | undefined {
    const claims = verifiedClaims(token, keys);
    if (claims === undefined || claims.iss !== issuer) return undefined;
    if ((claims.exp ?? 0) * 1000 <= Date.now()) return undefined;
    if (!claims.aud?.some((audience) => audiences.includes(audience))) return undefined;
    const [namespace = '', name = ''] = (claims.sub ?? '').split(':').slice(2);
    const uid = serviceAccounts.get(`${namespace}/${name}`);
    if (uid === undefined) return undefined;
    return {
      username: `system:serviceaccount:${namespace}:${name}`,
      uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] },
    };
  }

  return {
    users,
    serviceAccounts,
    bindings,
    issuer,
    serviceAccountToken(account, { audiences = [apiAudience], expiresInSeconds = 3600, claims = {} } = {}) {
      const [namespace = '', name = ''] = account.split('/');
      const issuedAt = Math.floor(Date.now() / 1000);
      return signed(keys.at(-1) ?? signingKey(), {
        iss: issuer,
        sub: `system:serviceaccount:${namespace}:${name}`,
        aud: audiences,
        iat: issuedAt,
        nbf: issuedAt,
        exp: issuedAt + expiresInSeconds,
        jti: randomUUID(),
        'kubernetes.io': { namespace, serviceaccount: { name, uid: serviceAccounts.get(account) } },
        ...claims,
      });
    },
    rotateSigningKey: () => void keys.push(signingKey()),
    keySet: () => ({ keys: keys.map(publicJwk) }),
    userOf: (token, audiences) =>
      audiences.includes(apiAudience) && users.has(token)
        ? users.get(token)
        : serviceAccountOf(token, audiences),
    isAllowedOnPath: (user, groups, { verb, path }) =>
      (options.pathRights ?? []).some(
        ({ to, verbs, prefix }) =>
          (to === user || groups.includes(to)) && verbs.includes(verb) && path.startsWith(prefix),
      ),
    isAllowed: (user, groups, question) =>
      bindings.some(
        (binding) => (binding.to === user || groups.includes(binding.to)) && covers(binding, question),
      ),
  };
}

/**
 * RBAC: what a binding does not narrow, it gives; a question about all is only answered by what
 * gives all.
 */
function covers(binding: DoubleBinding, question: DoubleQuestion): boolean {
  const {
    verb = 'get',
    group = 'image.openshift.io',
    resource = 'imagestreams/layers',
    namespace,
    name,
  } = binding;
  const asked = question.resource + (question.subresource === undefined ? '' : `/${question.subresource}`);
  return (
    (verb === '*' || verb === question.verb) &&
    (group === '*' || group === (question.group ?? '')) &&
    (resource === '*' || resource === asked) &&
    (namespace === undefined || namespace === question.namespace) &&
    (name === undefined || name === question.name)
  );
}

function signingKey(): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid: randomUUID(), privateKey };
}

function publicJwk({ kid, privateKey }: SigningKey): object {
  return { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
}

const signature = { dsaEncoding: 'ieee-p1363' } as const;

function signed({ kid, privateKey }: SigningKey, claims: object): string {
  const body = `${encoded({ alg: 'ES256', kid })}.${encoded(claims)}`;
  const bytes = sign('sha256', Buffer.from(body), { key: privateKey, ...signature });
  return `${body}.${bytes.toString('base64url')}`;
}

function verifiedClaims(token: string, keys: readonly SigningKey[]): Claims | undefined {
  const [header = '', payload = '', proof = '', ...rest] = token.split('.');
  if (proof === '' || rest.length > 0) return undefined;
  const body = Buffer.from(`${header}.${payload}`);
  const isSigned = keys.some(({ privateKey }) =>
    verify(
      'sha256',
      body,
      { key: createPublicKey(privateKey), ...signature },
      Buffer.from(proof, 'base64url'),
    ),
  );
  return isSigned ? JSON.parse(Buffer.from(payload, 'base64url').toString()) : undefined;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
