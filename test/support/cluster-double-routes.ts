import { hash } from 'node:crypto';
import {
  apiAudience,
  type DoublePathQuestion,
  type DoublePeople,
  type DoubleQuestion,
  type DoubleUser,
} from './cluster-double-people.ts';

/**
 * Every way in which the cluster double can be wrong. All off by default; set and unset at any
 * time.
 */
export interface ClusterMisbehaviours {
  /** Connections are cut as soon as a request comes. */
  isDown?: boolean;
  /** Answers wait so long, milliseconds; `Infinity` never come. */
  isSlow?: number;
  /** Every review is answered with this status. */
  answersStatus?: number;
  /** The `Retry-After` of such an answer. */
  retryAfter?: string;
  /** We may not ask: 403. */
  forbidsUs?: boolean;
  /** Our own credential is refused: 401. */
  doesNotKnowUs?: boolean;
  /** Tokens are known, but the user has no name. */
  liesNoName?: boolean;
  /** Yes and no are said with this value, instead of `true` and `false`. */
  saysYesAs?: unknown;
  /** A page of HTML with status 200. */
  answersHtml?: boolean;
  /** This text, with status 201. */
  answersText?: string;
  /**
   * A second request on a connection meets its end, as behind a load balancer that cuts idle
   * connections.
   */
  closesIdle?: boolean;
  /** The key set cannot be had: 404. */
  lacksKeySet?: boolean;
}

export type ClusterRequestKind =
  | 'TokenReview'
  | 'SubjectAccessReview'
  | 'TokenRequest'
  | 'jwks'
  | 'openid-configuration'
  | 'other';

/** One request as the double saw it. */
export interface ClusterRequest {
  readonly kind: ClusterRequestKind;
  readonly method: string;
  readonly path: string;
  /** The parsed body; of a TokenReview without the token. */
  readonly body: ReviewBody;
  /** Of a TokenReview: the SHA-256 of the token, hexadecimal. */
  readonly tokenHash?: string;
  /** The client's port: the same one means the same connection. */
  readonly clientPort: number;
  /** 0 until it is answered, or when it never is. */
  status: number;
}

export interface ReviewBody {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly spec?: {
    readonly token?: string;
    readonly audiences?: readonly string[];
    readonly user?: string;
    readonly groups?: readonly string[];
    readonly uid?: string;
    readonly extra?: Readonly<Record<string, readonly string[]>>;
    readonly resourceAttributes?: DoubleQuestion;
    readonly nonResourceAttributes?: DoublePathQuestion;
    readonly expirationSeconds?: number;
  };
}

export interface ClusterAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** What is answered, once it is settled that the caller may ask. */
interface ClusterQuestion {
  readonly kind: ClusterRequestKind;
  readonly path: string;
  readonly body: ReviewBody;
  readonly people: DoublePeople;
  readonly switches: ClusterMisbehaviours;
  readonly url: string;
}

const versions: Readonly<Partial<Record<ClusterRequestKind, string>>> = {
  TokenReview: 'authentication.k8s.io/v1',
  TokenRequest: 'authentication.k8s.io/v1',
  SubjectAccessReview: 'authorization.k8s.io/v1',
};

const fields: Readonly<Partial<Record<ClusterRequestKind, readonly string[]>>> = {
  TokenReview: ['token', 'audiences'],
  TokenRequest: ['audiences', 'expirationSeconds'],
  SubjectAccessReview: ['user', 'groups', 'uid', 'extra', 'resourceAttributes', 'nonResourceAttributes'],
};

const attributes = ['namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'];
const tokenPath = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/;

export function kindOf(method: string, path: string): ClusterRequestKind {
  const isPost = method === 'POST';
  if (isPost && path === '/apis/authentication.k8s.io/v1/tokenreviews') return 'TokenReview';
  if (isPost && path === '/apis/authorization.k8s.io/v1/subjectaccessreviews') return 'SubjectAccessReview';
  if (isPost && tokenPath.test(path)) return 'TokenRequest';
  if (method === 'GET' && path === '/openid/v1/jwks') return 'jwks';
  if (method === 'GET' && path === '/.well-known/openid-configuration') return 'openid-configuration';
  return 'other';
}

/**
 * What is wrong with the request, as a strict server would see it; undefined when it is well made.
 */
export function complaint(kind: ClusterRequestKind, contentType: string | undefined, body: ReviewBody) {
  if (versions[kind] === undefined) return undefined;
  if (contentType !== 'application/json') return { status: 415, message: `not ${contentType}` };
  if (body.apiVersion !== versions[kind] || body.kind !== kind) return bad('another apiVersion or kind');
  const unknown = Object.keys(body.spec ?? {}).find((key) => fields[kind]?.includes(key) !== true);
  if (unknown !== undefined) return bad(`unknown field spec.${unknown}`);
  return kind === 'SubjectAccessReview' ? complaintOfAccess(body) : undefined;
}

function complaintOfAccess({ spec = {} }: ReviewBody) {
  if (spec.user === undefined && spec.groups === undefined) return bad('neither spec.user nor spec.groups');
  const { resourceAttributes, nonResourceAttributes } = spec;
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined))
    return bad('exactly one of spec.resourceAttributes and spec.nonResourceAttributes');
  const unknown = Object.keys(resourceAttributes ?? {}).find((key) => !attributes.includes(key));
  return unknown === undefined ? undefined : bad(`unknown field spec.resourceAttributes.${unknown}`);
}

function bad(message: string) {
  return { status: 400, message };
}

export function answerOf(question: ClusterQuestion): ClusterAnswer {
  switch (question.kind) {
    case 'TokenReview':
      return tokenReview(question);
    case 'SubjectAccessReview':
      return accessReview(question);
    case 'TokenRequest':
      return tokenRequest(question);
    case 'jwks':
      return question.switches.lacksKeySet === true
        ? status(404, 'no such path')
        : { status: 200, body: question.people.keySet() };
    case 'openid-configuration':
      return {
        status: 200,
        body: { issuer: question.people.issuer, jwks_uri: `${question.url}/openid/v1/jwks` },
      };
    default:
      return status(404, 'no such path');
  }
}

/** A `Status` object, as the API server refuses. */
export function status(code: number, message: string): ClusterAnswer {
  return { status: code, body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code } };
}

function tokenReview({ body, people, switches }: ClusterQuestion): ClusterAnswer {
  const { token = '', audiences = [apiAudience] } = body.spec ?? {};
  const user = people.userOf(token, audiences);
  const verdict =
    user === undefined
      ? { user: {}, error: '[invalid bearer token, token lookup failed]' }
      : {
          authenticated: switches.saysYesAs ?? true,
          user:
            switches.liesNoName === true ? { groups: groupsOf(user) } : { ...user, groups: groupsOf(user) },
          audiences,
        };
  return { status: 201, body: { ...body, metadata: {}, status: verdict } };
}

function groupsOf(user: DoubleUser): readonly string[] {
  return [...(user.groups ?? []), 'system:authenticated'];
}

function accessReview({ body, people, switches }: ClusterQuestion): ClusterAnswer {
  const { user = '', groups = [], resourceAttributes = {}, nonResourceAttributes } = body.spec ?? {};
  const allowed =
    nonResourceAttributes === undefined
      ? people.isAllowed(user, groups, resourceAttributes)
      : people.isAllowedOnPath(user, groups, nonResourceAttributes);
  const reason = allowed ? { reason: `RBAC: allowed by RoleBinding of User "${user}"` } : {};
  return {
    status: 201,
    body: { ...body, metadata: {}, status: { allowed: switches.saysYesAs ?? allowed, ...reason } },
  };
}

function tokenRequest({ path, body, people }: ClusterQuestion): ClusterAnswer {
  const [, namespace, name] = tokenPath.exec(path) ?? [];
  const account = `${namespace}/${name}`;
  if (!people.serviceAccounts.has(account)) return status(404, `serviceaccounts "${name}" not found`);
  const { audiences, expirationSeconds } = body.spec ?? {};
  const token = people.serviceAccountToken(account, {
    ...(audiences === undefined ? {} : { audiences }),
    ...(expirationSeconds === undefined ? {} : { expiresInSeconds: expirationSeconds }),
  });
  return { status: 201, body: { ...body, metadata: {}, status: { token } } };
}

/** The body without the token, and the token's hash. */
export function withoutToken(body: ReviewBody): Pick<ClusterRequest, 'body' | 'tokenHash'> {
  if (body.spec?.token === undefined) return { body };
  const { token, ...spec } = body.spec;
  return { body: { ...body, spec }, tokenHash: hash('sha256', token) };
}
