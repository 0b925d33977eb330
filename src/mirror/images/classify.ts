import { ContentMismatch, type Descriptor } from '../../oci/content.ts';
import { type ErrorCode, RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import { CopyError, type FailureClass } from '../failure.ts';
import { repositoryText } from '../references/pull-spec.ts';

/** What was asked for when it failed. */
export interface CopySubject {
  readonly kind: 'blob' | 'manifest' | 'referrers';
  /** A digest or a tag. */
  readonly reference: string;
  readonly registry: string;
  readonly repository: Repository;
  readonly isSchema1?: boolean;
  /** Whether it is a layer with `urls` of its own. */
  readonly isForeign?: boolean;
}

interface FailureVerdict {
  readonly kind: FailureClass;
  /** What the reader is to do about it. */
  readonly advice: string;
  readonly isDoubtful?: true;
  /** What the message begins with. Default: with what was asked for. */
  readonly lead?: string;
}

const tryLater = 'retrying later';
const skipForeign = 'leave such layers where they are (--foreign-layers=skip), or the image out';
const repush = 'push the image to the source again, or leave it out';

const passing: Partial<Record<ErrorCode, FailureVerdict>> = {
  TOOMANYREQUESTS: { kind: 'throttled', advice: tryLater },
  UNAVAILABLE: { kind: 'unavailable', advice: tryLater },
  UNKNOWN: { kind: 'unavailable', advice: tryLater },
};

const ofSource: Partial<Record<ErrorCode, FailureVerdict>> = {
  ...passing,
  TOOMANYREQUESTS: { kind: 'throttled', advice: tryLater, lead: 'failed to retrieve ' },
  DENIED: { kind: 'denied', advice: 'configure credentials that may pull it from the source' },
  UNAUTHORIZED: { kind: 'denied', advice: 'configure credentials that may pull it from the source' },
  NAME_UNKNOWN: { kind: 'source-gone', advice: repush },
  MANIFEST_UNKNOWN: { kind: 'source-gone', advice: repush },
  BLOB_UNKNOWN: { kind: 'blob-unknown', advice: repush },
};

const ofForeign: Partial<Record<ErrorCode, FailureVerdict>> = {
  ...ofSource,
  BLOB_UNKNOWN: { kind: 'blob-unknown', advice: skipForeign },
};

/** quay says so of a manifest whose blobs it does not see yet, and takes it minutes later. */
const ofContent: FailureVerdict = {
  kind: 'manifest-invalid',
  advice: 'the destination does not accept this content',
};
const tooLarge: FailureVerdict = {
  kind: 'too-large',
  advice: 'raise its limit (nginx: client_max_body_size), or leave the image out',
};

const ofDestination: Partial<Record<ErrorCode, FailureVerdict>> = {
  ...passing,
  UPSTREAM_INVALID: { kind: 'unavailable', advice: tryLater },
  BLOB_UPLOAD_INVALID: { kind: 'unavailable', advice: tryLater },
  BLOB_UPLOAD_UNKNOWN: { kind: 'unavailable', advice: tryLater },
  DIGEST_INVALID: { kind: 'unavailable', advice: tryLater },
  RANGE_INVALID: { kind: 'unavailable', advice: tryLater },
  SIZE_INVALID: { kind: 'unavailable', advice: tryLater },
  MANIFEST_INVALID: { ...ofContent, isDoubtful: true },
  DENIED: { kind: 'denied', advice: 'configure credentials that may push to the destination' },
  UNAUTHORIZED: { kind: 'denied', advice: 'configure credentials that may push to the destination' },
  NAME_UNKNOWN: { kind: 'denied', advice: 'create the repository first' },
  BLOB_UNKNOWN: {
    kind: 'blob-unknown',
    advice: 'the destination lacks a part of it that it confirmed before',
  },
  MANIFEST_BLOB_UNKNOWN: {
    kind: 'blob-unknown',
    advice: 'the destination lacks a part of it: copy it whole, without a filter',
  },
};

/** A source's refusal as what it means for the copy; whatever is not the source's word passes. */
export function sourceFailure(error: unknown, subject: CopySubject): CopyError {
  if (error instanceof ContentMismatch)
    return classified(error, subject, {}, { kind: 'blob-unknown', advice: repush, isDoubtful: true });
  const invalid: FailureVerdict =
    subject.kind === 'blob'
      ? { kind: 'unavailable', advice: tryLater }
      : { kind: 'manifest-invalid', advice: repush };
  const table = subject.isForeign === true ? ofForeign : ofSource;
  return classified(error, subject, table, invalid);
}

/** A destination's refusal likewise. A full disk stays full until an operator frees space. */
export function destinationFailure(error: unknown, subject: CopySubject): CopyError {
  if (error instanceof RegistryError && isDiskFull(error)) {
    const message = `${textOf(subject)}: ${error.message}: free space, or use another directory`;
    return new CopyError('denied', message, { cause: error });
  }
  if (isTooLarge(error)) return classified(error, subject, {}, tooLarge);
  return subject.isSchema1 === true
    ? classified(error, subject, { ...ofDestination, MANIFEST_INVALID: noSchema1 }, noSchema1)
    : classified(error, subject, ofDestination, ofContent);
}

const noSchema1: FailureVerdict = {
  kind: 'schema-1',
  advice: 'the destination does not accept Docker schema 1: push the image to the source as schema 2',
};

function isTooLarge(error: unknown): boolean {
  return error instanceof RegistryError && error.detail?.['upstreamStatus'] === 413;
}

/** What the source does not have although something there names it. */
export function missingPart(subject: CopySubject, namedBy: string): CopyError {
  return new CopyError(
    'blob-unknown',
    `${textOf(subject)}: unknown ${subject.kind}: ${namedBy} names it and the source does not have it: ${repush}`,
  );
}

/** What the source has in another size than its manifest says: no try makes the two fit. */
export function otherSize(
  subject: CopySubject,
  { size }: Descriptor,
  actual: number,
  namedBy: string,
): CopyError {
  return new CopyError(
    'blob-unknown',
    `${textOf(subject)}: ${namedBy} states ${size} bytes and the source has ${actual}: ${repush}`,
  );
}

/** `blob sha256:… of quay.io/team/app` */
function textOf({ kind, reference, registry, repository }: CopySubject): string {
  return `${kind} ${reference} of ${repositoryText(registry, repository)}`;
}

function classified(
  error: unknown,
  subject: CopySubject,
  table: Partial<Record<ErrorCode, FailureVerdict>>,
  otherwise: FailureVerdict,
): CopyError {
  if (error instanceof CopyError) return error;
  const options = { cause: error };
  if (!(error instanceof RegistryError)) {
    return new CopyError('unavailable', `${textOf(subject)}: ${strangerText(error)}: ${tryLater}`, options);
  }
  const { kind, advice, isDoubtful = false, lead = '' } = table[error.code] ?? otherwise;
  const { retryAfterSeconds, retry } = error;
  const why = kind === 'throttled' ? throttledText(error) : registryText(error);
  return new CopyError(kind, `${lead}${textOf(subject)}: ${why}: ${connectionAdvice(error) ?? advice}`, {
    ...options,
    retry,
    isDoubtful,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** Copies are from and to registries; an upstream is what serves clients. */
export function registryText({ message }: RegistryError): string {
  return message.replace(/\bthe upstream\b/g, 'the registry');
}

/** In the words that people search a log of `oc image mirror` for. */
function throttledText(error: RegistryError): string {
  const { retryAfterSeconds } = error;
  const until =
    retryAfterSeconds === undefined
      ? ''
      : `: throttled until ${new Date(Date.now() + retryAfterSeconds * 1000).toISOString()}`;
  return `toomanyrequests (HTTP 429): ${registryText(error)}${until}`;
}

/** By what the system or TLS calls it. */
const connectionAdvices: readonly (readonly [RegExp, string])[] = [
  [/^ENOTFOUND$/, 'check the spelling of the host name, and DNS'],
  [/^ERR_SSL_(PACKET|WRONG)/, '--insecure allows plain HTTP'],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/,
    'name the authority that signed it (--certificate-authority, caFile)',
  ],
  [
    /^EAI_AGAIN|^ECONNREFUSED|^EADDR|^EHOST|^ENET|TIMED?OUT$/,
    'check host and port, and that something listens there',
  ],
];

/** Advice for a registry without a connection; undefined for other and transient failures. */
export function connectionAdvice({ retry, cause }: RegistryError): string | undefined {
  const code = retry === 'later' ? codeOf(cause) : undefined;
  return code === undefined ? undefined : connectionAdvices.find(([pattern]) => pattern.test(code))?.[1];
}

function codeOf(error: unknown): string | undefined {
  const code =
    error instanceof Error && !(error instanceof RegistryError) && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

function isDiskFull({ cause }: RegistryError): boolean {
  const code = codeOf(cause);
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS' || code === 'EFBIG';
}

/** The system's code, such as `ENOSPC`; any other text may hold a secret. */
function strangerText(error: unknown): string {
  return codeOf(error) ?? 'failed for an unknown reason';
}
