import { field, jsonOrNone, listOf } from '../../base/text/json.ts';
import type { ErrorCode, ErrorOptions, UpstreamReply } from '../../oci/errors.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type UpstreamResponse, wholeBody } from '../exchange.ts';
import { statusRefusal, TryAgain } from '../resilience/retry.ts';
import { replyWith } from '../resilience/words.ts';

/** A registry's error codes of the spec for a push; others are mapped by the status. */
const known: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ['BLOB_UNKNOWN', 'BLOB_UNKNOWN'],
  ['BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_INVALID'],
  ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_UNKNOWN'],
  ['DENIED', 'DENIED'],
  ['DIGEST_INVALID', 'DIGEST_INVALID'],
  ['MANIFEST_BLOB_UNKNOWN', 'MANIFEST_BLOB_UNKNOWN'],
  ['MANIFEST_INVALID', 'MANIFEST_INVALID'],
  ['MANIFEST_UNVERIFIED', 'MANIFEST_INVALID'],
  ['NAME_INVALID', 'NAME_INVALID'],
  ['NAME_UNKNOWN', 'NAME_UNKNOWN'],
  ['RANGE_INVALID', 'RANGE_INVALID'],
  ['SIZE_INVALID', 'SIZE_INVALID'],
  ['TAG_INVALID', 'TAG_INVALID'],
  ['UNAUTHORIZED', 'DENIED'],
  ['UNSUPPORTED', 'UNSUPPORTED'],
]);

const byStatus: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [404, 'NAME_UNKNOWN'],
  [405, 'UNSUPPORTED'],
  [413, 'SIZE_INVALID'],
  [415, 'UNSUPPORTED'],
]);

const maxErrorBytes = 64 * 1024;

/**
 * Maps a push error response to a RegistryError: the error code from the body, else from the
 * status; `otherwise` is the code of a bare 400. The registry's own text stays out of it, as it may
 * repeat what it was sent.
 */
export async function writeRefusal(answer: UpstreamResponse, otherwise: ErrorCode): Promise<RegistryError> {
  const { status } = answer;
  const { code: upstreamCode, reply } = await told(answer);
  const plain = statusRefusal(answer, reply);
  if (plain.code === 'DENIED' || status < 400 || status >= 500) return plain;
  const code = known.get(upstreamCode ?? '') ?? byStatus.get(status) ?? otherwise;
  const why =
    status === 413
      ? 'the registry, or a proxy before it, does not accept a request of this size: 413'
      : `the registry refuses it: ${upstreamCode ?? status}`;
  const detail: ErrorOptions['detail'] = {
    upstreamStatus: status,
    ...(upstreamCode === undefined ? {} : { upstreamCode }),
  };
  return new RegistryError(code, why, { detail, reply });
}

/**
 * What a 500 to a manifest with something odd about it means. docker-registry 2.8 has no code for
 * "no schema 1" and "no such urls", and says so by an unknown error without any detail, while its
 * disk's and its own failures come with theirs: another try would end the same. Throws TryAgain for
 * all others.
 */
export async function lastingRefusal(
  answer: UpstreamResponse,
  oddity: string | undefined,
): Promise<RegistryError> {
  const { code, hasDetail, reply } = await told(answer);
  if (code !== 'UNKNOWN' || hasDetail || oddity === undefined)
    throw new TryAgain('status', statusRefusal(answer, reply));
  const detail = { upstreamStatus: answer.status, upstreamCode: code };
  return new RegistryError('UNSUPPORTED', `the registry does not accept ${oddity}`, { detail, reply });
}

interface Told {
  readonly code?: string;
  /** Whether an error without a code of its own says more about itself. */
  readonly hasDetail: boolean;
  readonly reply: UpstreamReply;
}

/** The body's first error. docker-registry lists each unknown error of a manifest twice. */
async function told(answer: UpstreamResponse): Promise<Told> {
  const body = await wholeBody(answer, maxErrorBytes).catch(() => undefined);
  if (body === undefined) answer.body.destroy();
  const errors = field(body && jsonOrNone(body), 'errors');
  const hasDetail = listOf(errors).some(isDetailed);
  const code = field(field(errors, 0), 'code');
  const reply = await replyWith(answer, body ?? new Uint8Array());
  return typeof code === 'string' && /^[A-Z_]{1,64}$/.test(code)
    ? { code, hasDetail, reply }
    : { hasDetail, reply };
}

function isDetailed(error: unknown): boolean {
  const detail = field(error, 'detail') ?? {};
  const isEmpty = typeof detail === 'object' && Object.keys(detail).length === 0;
  return field(error, 'code') === 'UNKNOWN' && !isEmpty;
}
