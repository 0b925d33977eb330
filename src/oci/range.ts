import type { ByteRange, Descriptor } from './content.ts';
import { RegistryError } from './errors.ts';

/** A parsed `Range` value: parts in the order asked, their ends not yet bound to a size. */
type RangeSpec = { readonly first: number; readonly last?: number } | { readonly suffix: number };

/** containers/image asks for at most this many parts of a zstd:chunked layer in one header. */
const mostRanges = 1024;

const unit = /^bytes\s*=/i;
const part = /^(\d*)-(\d*)$/;

/**
 * The parts of a `Range` header (RFC 9110 section 14.2); undefined without one, or for another
 * unit, which a server must ignore. Throws `HEADER_INVALID` for a malformed one and for more than
 * 1,024 parts: after a 400, containers/image asks for fewer.
 */
export function parseRange(header: string | undefined): readonly RangeSpec[] | undefined {
  if (header === undefined || !unit.test(header)) return undefined;
  const texts = header
    .slice(header.indexOf('=') + 1)
    .split(',')
    .map((text) => text.trim());
  if (texts.length > mostRanges) throw malformed('more than 1,024 ranges in one request');
  return texts.filter((text) => text !== '').map(parsePart);
}

/** The parts within `size` bytes, in order. Throws `RANGE_INVALID` (416) if none is left. */
export function boundRanges(specs: readonly RangeSpec[], size: number): readonly ByteRange[] {
  const bound = specs.flatMap((spec) => boundPart(spec, size));
  if (bound.length > 0) return bound;
  throw new RegistryError('RANGE_INVALID', 'the range is outside of the content', {
    detail: { size },
    headers: { 'content-range': `bytes */${size}` },
  });
}

/** How many bytes a range holds. */
export function lengthOf(range: ByteRange): number {
  return range.end - range.start + 1;
}

function parsePart(text: string): RangeSpec {
  const match = part.exec(text);
  if (match === null || text === '-') throw malformed('the Range header is malformed');
  const [, first = '', last = ''] = match;
  if (first.length > 15 || last.length > 15) throw malformed('a number in the Range header is too large');
  if (first === '') return { suffix: Number(last) };
  return last === '' ? { first: Number(first) } : { first: Number(first), last: Number(last) };
}

function boundPart(spec: RangeSpec, size: number): ByteRange[] {
  if ('suffix' in spec) {
    return spec.suffix === 0 || size === 0 ? [] : [{ start: Math.max(0, size - spec.suffix), end: size - 1 }];
  }
  const end = Math.min(spec.last ?? size - 1, size - 1);
  return spec.first > end ? [] : [{ start: spec.first, end }];
}

function malformed(message: string): RegistryError {
  return new RegistryError('HEADER_INVALID', message, { detail: { header: 'Range' } });
}

/** All bytes of the content. */
export function whole({ size }: Descriptor): ByteRange {
  return { start: 0, end: size - 1 };
}

export function isWhole(range: ByteRange, { size }: Descriptor): boolean {
  return range.start === 0 && range.end === size - 1;
}
