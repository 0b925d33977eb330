import { field, jsonOrNone } from '../../../base/text/json.ts';
import { ApiFailure } from '../../../kubernetes/failure.ts';
import type { Subject } from '../../access.ts';
import type { PathQuestion, Question } from '../../question.ts';
import type { Verdict } from '../cluster.ts';

/** A review: where it is posted, and what. */
export interface Review {
  readonly path: string;
  readonly body: string;
}

/** The longest name that is believed to be one, in characters. */
const mostCharacters = 1024;
const mostReasonCharacters = 200;

/** The TokenReview (authentication.k8s.io/v1) of a token, for the API server's own audiences. */
export function tokenReview(token: string): Review {
  return {
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }),
  };
}

/**
 * The subject of the token, if `authenticated` is `true` and there is a user name; else undefined.
 * Throws `ApiFailure` for nonsense, and where the cluster could not check.
 */
export function reviewedSubject(answer: string, cluster: string): Subject | undefined {
  const status = statusOf(answer, 'TokenReview');
  const authenticated = field(status, 'authenticated');
  if (authenticated === undefined || authenticated === false) {
    if (couldNotLook(field(status, 'error')))
      throw new ApiFailure('unreachable', 'cannot reach its token authenticator');
    return undefined;
  }
  if (authenticated !== true) throw invalid();
  const user = field(status, 'user');
  const uid = field(user, 'uid');
  const extra = field(user, 'extra');
  return {
    name: nameOf(field(user, 'username')),
    groups: namesOf(field(user, 'groups') ?? []),
    ...(uid === undefined || uid === '' ? {} : { uid: nameOf(uid) }),
    ...(extra === undefined || extra === null ? {} : { extra: extraOf(extra) }),
    cluster,
  };
}

/**
 * The SubjectAccessReview (authorization.k8s.io/v1). `uid` and `extra` matter: `extra` has the
 * scopes of an OpenShift token, without which it would have all rights of its owner.
 */
export function accessReview(
  { name: user, groups, uid, extra }: Subject,
  question: Question | PathQuestion,
): Review {
  const attributes =
    'path' in question ? { nonResourceAttributes: question } : { resourceAttributes: question };
  const spec = { user, groups, uid, extra, ...attributes };
  return {
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }),
  };
}

/** The verdict: a yes is `allowed: true` that is not `denied`; throws `ApiFailure` if unclear. */
export function reviewedVerdict(answer: string): Verdict {
  const status = statusOf(answer, 'SubjectAccessReview');
  const allowed = field(status, 'allowed');
  const denied = field(status, 'denied') ?? false;
  const reason = field(status, 'reason');
  if (typeof allowed !== 'boolean' || typeof denied !== 'boolean') throw invalid();
  return {
    allowed: allowed && !denied,
    ...(typeof reason === 'string' && reason !== '' ? { reason: printable(reason) } : {}),
  };
}

const trouble =
  /dial tcp|connection re(?:fused|set)|time(?:d )?out|deadline exceeded|no such host|\bEOF\b|not initialized|internal error|unavailable|unable to (?:handle|process)|too many requests/i;

/**
 * An API server says "not authenticated" also when its own authenticator, such as OpenShift's OAuth
 * server behind a webhook, is down. Only the text of `status.error` reveals that.
 */
function couldNotLook(error: unknown): boolean {
  return typeof error === 'string' && trouble.test(error);
}

/** Without the parser's message, which quotes the text, and thereby the token. */
function statusOf(answer: string, kind: string): unknown {
  const review = jsonOrNone(answer);
  if (field(review, 'kind') !== kind || field(review, 'status') === undefined) throw invalid();
  return field(review, 'status');
}

function nameOf(value: unknown): string {
  if (typeof value !== 'string' || value === '' || value.length > mostCharacters) throw invalid();
  return value;
}

function namesOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw invalid();
  return value.map(nameOf);
}

/** What an authenticator adds is its own affair: it may be empty, or long. */
function textsOf(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === 'string')) return value;
  throw invalid();
}

function extraOf(value: unknown): Readonly<Record<string, readonly string[]>> {
  if (typeof value !== 'object' || value === null) throw invalid();
  return Object.fromEntries(Object.entries(value).map(([key, texts]) => [nameOf(key), textsOf(texts)]));
}

function printable(text: string): string {
  return text.slice(0, mostReasonCharacters).replace(/[^\x20-\x7e]/g, '?');
}

function invalid(): ApiFailure {
  return new ApiFailure('invalid', 'answered with something other than a review');
}
