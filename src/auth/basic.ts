import type { Credential } from './access.ts';

/** Longer `Authorization` values are refused unread: a cluster's token is some 1.5 KB. */
const longestHeader = 8192;
const shape = /^(basic|bearer) +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * The credential in an `Authorization` value (RFC 7617, RFC 6750), or `malformed`. Undefined when there is none, and
 * for `Basic Og==`, an empty name and password: clients send it to say that they have no login.
 */
export function parseAuthorization(header: string | undefined): Credential | 'malformed' | undefined {
  if (header === undefined || header === '') return undefined;
  if (header.length > longestHeader) return 'malformed';
  const [, scheme, value] = shape.exec(header) ?? [];
  if (scheme === undefined || value === undefined) return 'malformed';
  return scheme.toLowerCase() === 'bearer' ? { kind: 'bearer', token: value } : parsePair(value);
}

function parsePair(encoded: string): Credential | 'malformed' | undefined {
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return 'malformed';
  const username = text.slice(0, colon);
  const password = text.slice(colon + 1);
  return username === '' && password === '' ? undefined : { kind: 'basic', username, password };
}
