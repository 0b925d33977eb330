import type { IncomingHttpHeaders } from 'node:http';
import { malformed } from '../exchange.ts';

/** How the end of a body is known (RFC 9112 section 6.3). */
export type Framing =
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** With the connection: whether all came cannot be told. */
  | { readonly kind: 'close' };

/** The head of an answer to a GET. */
export interface ResponseHead {
  readonly status: number;
  /** Names in lower case; a field of several lines is a list of them. */
  readonly headers: IncomingHttpHeaders;
  readonly framing: Framing;
  /** Whether the connection may be used again. */
  readonly isKept: boolean;
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\0\r\n]*)?$/;
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\0\r\n]*)$/;

/**
 * Reads a head, without the empty line that ends it. Throws for whatever RFC 9112 does not allow,
 * such as folded lines, bare line feeds and two opinions about the length: a guess could take one
 * server's bytes for another's.
 */
export function parseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, statusText] = statusLine.exec(first) ?? [];
  if (statusText === undefined) throw malformed('status line');
  const headers = fieldsOf(lines);
  const status = Number(statusText);
  const framing = framingOf(status, headers);
  const isAsked = tokensOf(headers['connection']).includes('close');
  return { status, headers, framing, isKept: minor === '1' && !isAsked && framing.kind !== 'close' };
}

function fieldsOf(lines: readonly string[]): IncomingHttpHeaders {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (const line of lines) {
    const [, name, value] = fieldLine.exec(line) ?? [];
    if (name === undefined || value === undefined) throw malformed('header');
    const key = name.toLowerCase();
    const held = fields[key];
    if (Array.isArray(held)) held.push(trimmed(value));
    else fields[key] = held === undefined ? trimmed(value) : [held, trimmed(value)];
  }
  return fields;
}

/**
 * Without the spaces and tabs around it, and no more than those. An expression would take long for
 * a long run of them.
 */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start += 1;
  while (end > start && isBlank(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

function framingOf(status: number, headers: IncomingHttpHeaders): Framing {
  if (status < 200 || status === 204 || status === 304) return { kind: 'length', bytes: 0 };
  const codings = tokensOf(headers['transfer-encoding']);
  const lengths = new Set(tokensOf(headers['content-length']));
  if (codings.length > 0) {
    if (codings.join() !== 'chunked' || lengths.size > 0) throw malformed('transfer coding');
    return { kind: 'chunked' };
  }
  const [length] = lengths;
  if (length === undefined) return { kind: 'close' };
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) throw malformed('length');
  return { kind: 'length', bytes: Number(length) };
}

function tokensOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return [value].flat().join(',').toLowerCase().split(',').map(trimmed);
}
