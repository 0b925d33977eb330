import type { Action } from './actions.ts';
import type { Piece } from './world.ts';

/** The one right answer of a healthy service, worked out without any code of the service. */
export interface Expected {
  readonly status: 200 | 206 | 304 | 400 | 416;
  /** Of status 200 and 206: what the body holds; several parts are `multipart/byteranges`. */
  readonly parts: readonly Part[];
}

export interface Part {
  readonly start: number;
  readonly bytes: Buffer;
}

/**
 * What the action is to get of the piece. Ranges that overlap to more than the whole of it are
 * ignored.
 */
export function expectedAnswer({ method, headers }: Action, { kind, digest, bytes }: Piece): Expected {
  const whole = { status: 200, parts: [{ start: 0, bytes }] } as const;
  const isKnown = headers['if-none-match']?.includes(digest) === true;
  if (isKnown) return { status: 304, parts: [] };
  const isVoid = headers['if-range'] !== undefined && headers['if-range'] !== `"${digest}"`;
  const { range } = headers;
  if (method === 'HEAD' || kind === 'manifests' || range === undefined || isVoid) return whole;
  if (!/^bytes=[\d\s,-]*$/.test(range)) return { status: 400, parts: [] };
  const parts = range
    .slice('bytes='.length)
    .split(',')
    .flatMap((text) => part(text.trim(), bytes));
  const total = parts.reduce((sum, { bytes: some }) => sum + some.length, 0);
  if (total > bytes.length) return whole;
  return { status: parts.length === 0 ? 416 : 206, parts };
}

/** RFC 9110 section 14.1.2. */
function part(text: string, bytes: Buffer): Part[] {
  const [first = '', last = ''] = text.split('-');
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes.length : Math.min(Number(last) + 1, bytes.length);
  return start >= end ? [] : [{ start, bytes: bytes.subarray(start, end) }];
}
