import { defined } from '../../base/text/defined.ts';
import { type Fields, fieldsOf, isText, listOf, textOf } from '../../base/text/json.ts';
import type { Retry } from '../../base/time/retry.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { type ErrorCode, isErrorCode, RegistryError, replyBelow } from '../../oci/errors.ts';

/** What the answer to a question says. The bytes follow as the body. */
export type MemberAnswer =
  | {
      readonly word: 'found';
      readonly digest?: Digest;
      readonly mediaType?: string;
      /** Of the whole content, bytes; absent where the upstream does not say. */
      readonly size?: number;
      /** How long ago the upstream said so, milliseconds. */
      readonly ageMs?: number;
      readonly etag?: string;
      readonly warnings?: readonly string[];
      readonly nextQuery?: string;
      readonly filtersApplied?: string;
      /** The digest of a body in memory, which the proof of the answer covers so. */
      readonly body?: Digest;
    }
  /** The upstream said that there is no such content, so long ago; milliseconds. */
  | { readonly word: 'absent'; readonly reason?: string; readonly ageMs?: number }
  /** The upstream refused, or cannot be asked: its word, for all members. */
  | {
      readonly word: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterSeconds?: number;
      readonly retry?: Retry;
      /** The registry itself answered so; otherwise it may be the member's own trouble. */
      readonly isAnswer?: boolean;
    }
  /** The member follows another member's download itself, which it asked for that repository. */
  | {
      readonly word: 'follows';
      readonly member: string;
      readonly hasBytes: boolean;
      readonly repository?: string;
    }
  /** The member asks others, for that repository, and downloads it unless one of them has it. */
  | { readonly word: 'seeking'; readonly repository?: string }
  /** Neither stored nor being downloaded. */
  | { readonly word: 'uncached' }
  /** The member's own trouble: no room, or shutting down. */
  | { readonly word: 'busy' };

/** The HTTP status that goes with each word; for readers of access logs. */
export const statusOfWord: Readonly<Record<MemberAnswer['word'], number>> = {
  found: 200,
  absent: 404,
  refused: 502,
  follows: 421,
  seeking: 425,
  uncached: 504,
  busy: 507,
};

/**
 * What a member of this version can use of an answer, each field checked; undefined for anything
 * else. A code of a later version is one that another attempt may get past.
 */
export function parseAnswer(value: unknown): MemberAnswer | undefined {
  const fields = fieldsOf(value);
  const { word } = fields;
  switch (word) {
    case 'found':
      return foundIn(fields);
    case 'absent':
      return { word, ...defined({ reason: textOf(fields['reason']), ageMs: countOf(fields['ageMs']) }) };
    case 'refused':
      return refusedIn(fields);
    case 'follows': {
      const { member, hasBytes } = fields;
      return isText(member)
        ? { word, member, hasBytes: hasBytes === true, ...repositoryIn(fields) }
        : undefined;
    }
    case 'seeking':
      return { word, ...repositoryIn(fields) };
    case 'uncached':
    case 'busy':
      return { word };
    default:
      return undefined;
  }
}

/** None in an answer of an earlier version. */
function repositoryIn({ repository }: Fields): { readonly repository?: string } {
  return defined({ repository: textOf(repository) });
}

function foundIn(fields: Fields): MemberAnswer | undefined {
  const { digest, size, body, warnings } = fields;
  const isWrong =
    (digest !== undefined && !isDigest(digest)) ||
    (body !== undefined && !isDigest(body)) ||
    (size !== undefined && countOf(size) === undefined);
  if (isWrong) return undefined;
  return {
    word: 'found',
    ...defined({
      digest: isDigest(digest) ? digest : undefined,
      body: isDigest(body) ? body : undefined,
      size: countOf(size),
      ageMs: countOf(fields['ageMs']),
      mediaType: textOf(fields['mediaType']),
      etag: textOf(fields['etag']),
      warnings: warnings === undefined ? undefined : listOf(warnings).filter(isText),
      nextQuery: textOf(fields['nextQuery']),
      filtersApplied: textOf(fields['filtersApplied']),
    }),
  };
}

function refusedIn({ code, message, retryAfterSeconds, retry, isAnswer }: Fields): MemberAnswer {
  return {
    word: 'refused',
    code: isErrorCode(code) ? code : 'UNAVAILABLE',
    message: isText(message) ? message : 'the upstream refused',
    isAnswer: isAnswer === true,
    ...defined({
      retryAfterSeconds: countOf(retryAfterSeconds),
      retry: isRetry(retry) ? retry : undefined,
    }),
  };
}

function isRetry(value: unknown): value is Retry {
  return value === 'now' || value === 'later' || value === 'never';
}

/** A finite number that is not negative. */
function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

type Refused = Extract<MemberAnswer, { word: 'refused' }>;

/** The upstream's refusal as the member that asked it received it. */
export function refusalOf(answer: Refused, member: string): RegistryError {
  const { code, message, retryAfterSeconds, retry } = answer;
  const cause = new Error(`${member} asked the upstream`);
  return new RegistryError(code, message, { cause, retryAfterSeconds, ...(retry && { retry }) });
}

/** Of a refusal that may be a member's own trouble, one other is asked; then it is believed. */
export const mostRefusals = 2;

/**
 * Whether a refusal may be the trouble of the member that was asked: a login that it has, its way
 * to the upstream. Then one other may try.
 */
export function mayBeOwn({ code, isAnswer = false }: Refused): boolean {
  return code === 'DENIED' || (code === 'UNAVAILABLE' && !isAnswer);
}

/** A refusal as other members receive it. */
export function answerOf(error: RegistryError): MemberAnswer {
  const { code, message, retryAfterSeconds, retry } = error;
  return {
    ...{ word: 'refused', code, message, retry, isAnswer: replyBelow(error) !== undefined },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}
