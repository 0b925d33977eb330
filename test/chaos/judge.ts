import type { Action } from './actions.ts';
import type { Observed } from './client.ts';
import { type Expected, expectedAnswer, type Part } from './expected.ts';
import type { Piece } from './world.ts';

/** What the service had to cope with while it answered. */
export interface Circumstances {
  /** Refusals and broken bodies are excused. */
  readonly isStormy: boolean;
  /** The upstream says false things: what cannot be checked before the last byte is excused too. */
  readonly isLying: boolean;
  /** The service was being restarted. */
  readonly isRestarting: boolean;
}

/** What is wrong with the answer; undefined when nothing is. */
export function fault(action: Action, observed: Observed, around: Circumstances): string | undefined {
  const { status, ended } = observed;
  if (ended === 'unanswered')
    return around.isRestarting ? undefined : `there was no answer: ${observed.reason}`;
  if (ended === 'overdue') return `no end came after ${observed.body.length} bytes`;
  if (status === 500) return `status 500: ${observed.body}`;
  if (status >= 400) return faultOfRefusal(action, observed, around);
  const wanted = wantedPiece(action, observed);
  if (wanted === undefined) return `status ${status} for what is not there`;
  if (typeof wanted === 'string') return wanted;
  return faultOfSuccess(action, observed, wanted, around);
}

/** The piece that was asked for; of a tag, the meaning that the answer names. */
export function wantedPiece({ wants }: Action, { headers }: Observed): Piece | string | undefined {
  if (wants === undefined || !('meanings' in wants)) return wants;
  const stated = headers['docker-content-digest'];
  return (
    wants.meanings.find(({ digest }) => digest === stated) ?? `the tag never meant ${stated ?? 'nothing'}`
  );
}

function faultOfRefusal(action: Action, observed: Observed, around: Circumstances): string | undefined {
  const { status, headers, body, ended } = observed;
  const told = `status ${status}: ${body}`;
  if (ended === 'cut') return around.isRestarting ? undefined : `a refusal was cut off; ${told}`;
  if (headers['x-request-id'] === undefined) return `no request id; ${told}`;
  if (action.method === 'GET' && ended === 'whole') {
    if (Number(headers['content-length']) !== body.length)
      return `the length of the refusal is wrong; ${told}`;
    if (!isErrorDocument(body)) return `no error document; ${told}`;
  }
  if ((status === 429 || status === 503) && headers['retry-after'] === undefined)
    return `no Retry-After; ${told}`;
  const passing = status === 429 || status === 502 || status === 503;
  if (around.isStormy && passing) return undefined;
  if (rightRefusals(action).includes(status)) return undefined;
  if (around.isLying && (status === 416 || status === 404)) return undefined;
  return `refused; ${told}`;
}

function rightRefusals(action: Action): readonly number[] {
  const { wants } = action;
  if (wants === undefined) return [404];
  return 'meanings' in wants ? [] : [expectedAnswer(action, wants).status];
}

function isErrorDocument(body: Buffer): boolean {
  try {
    const { errors } = JSON.parse(body.toString());
    return typeof errors[0].code === 'string' && typeof errors[0].message === 'string';
  } catch {
    return false;
  }
}

function faultOfSuccess(
  action: Action,
  { status, headers, body, ended, reason }: Observed,
  piece: Piece,
  { isStormy, isLying, isRestarting }: Circumstances,
): string | undefined {
  const expected = expectedAnswer(action, piece);
  if (status !== expected.status)
    return isLying && status < 300 ? undefined : `status ${status} instead of ${expected.status}`;
  if (headers['docker-content-digest'] !== piece.digest) return 'the digest is wrong';
  if (headers.etag !== `"${piece.digest}"`) return 'the entity tag is wrong';
  if (status === 304) return body.length === 0 ? undefined : 'a 304 has a body';
  const said = isLying ? undefined : faultOfHead(headers, expected, piece);
  if (said !== undefined) return said;
  if (action.method === 'HEAD') return body.length === 0 ? undefined : 'the answer to HEAD has a body';
  if (ended === 'cut' && !isStormy && !isRestarting)
    return `cut off after ${body.length} of ${headers['content-length']} bytes: ${reason ?? 'silently'}`;
  const mayDiffer = isLying && (status === 206 || ended !== 'whole');
  return mayDiffer
    ? undefined
    : faultOfBody(body, ended === 'whole', headers['content-type'] ?? '', expected);
}

function faultOfHead(headers: Observed['headers'], { status, parts }: Expected, piece: Piece) {
  const [first] = parts;
  const isList = parts.length > 1;
  const type = headers['content-type'] ?? '';
  if (isList ? !type.startsWith('multipart/byteranges; boundary=') : type !== piece.mediaType)
    return `the type is ${type}`;
  if (!isList && Number(headers['content-length']) !== first?.bytes.length)
    return `the length is said to be ${headers['content-length']} instead of ${first?.bytes.length}`;
  const range = status === 206 && !isList && first ? rangeOf(first, piece.bytes.length) : undefined;
  return headers['content-range'] === range
    ? undefined
    : `the range is ${headers['content-range']}, not ${range}`;
}

function faultOfBody(body: Buffer, isWhole: boolean, type: string, { parts }: Expected): string | undefined {
  const right = parts.length > 1 ? multipart(parts, type) : parts[0]?.bytes;
  if (right === undefined) return 'nothing was to be sent';
  if (typeof right === 'function') return right(body, isWhole);
  if (isWhole && body.length !== right.length) return `${body.length} bytes came instead of ${right.length}`;
  return body.equals(right.subarray(0, body.length))
    ? undefined
    : `the byte at ${firstDifference(body, right)} is wrong`;
}

/**
 * The parts of a `multipart/byteranges` body (RFC 9110 section 14.6) one after the other, without
 * their heads.
 */
function multipart(parts: readonly Part[], type: string) {
  const boundary = type.split('boundary=')[1] ?? '';
  return (body: Buffer, isWhole: boolean): string | undefined => {
    let at = 0;
    for (const [index, { start, bytes }] of parts.entries()) {
      const head = body.indexOf('\r\n\r\n', at + 2);
      if (head < 0) return isWhole ? `part ${index} is missing` : undefined;
      const lines = body.toString('latin1', at, head);
      const range = new RegExp(
        `^\\r\\n--${boundary}\\r\\n[^]*Content-Range: bytes ${start}-${start + bytes.length - 1}/`,
      );
      if (!range.test(lines)) return `the head of part ${index} is ${JSON.stringify(lines)}`;
      at = head + 4;
      const came = body.subarray(at, at + bytes.length);
      if (!came.equals(bytes.subarray(0, came.length)))
        return `part ${index} is wrong at ${firstDifference(came, bytes)}`;
      at += bytes.length;
    }
    const end = body.toString('latin1', at);
    return !isWhole || end === `\r\n--${boundary}--\r\n` ? undefined : `the end is ${JSON.stringify(end)}`;
  };
}

function rangeOf({ start, bytes }: Part, size: number): string {
  return `bytes ${start}-${start + bytes.length - 1}/${size}`;
}

function firstDifference(some: Buffer, right: Buffer): number {
  return some.findIndex((byte, index) => byte !== right[index]);
}
