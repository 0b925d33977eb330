import type { Credential } from '../access.ts';

type NoCredential = { readonly refused: 'absent' | 'malformed' };

/** Longer `Authorization` values are refused unread: a cluster's token is some 1.5 KB. */
const longestHeader = 8192;
const shape = /^(basic|bearer) +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * The credential in an `Authorization` value (RFC 7617, RFC 6750). An empty name and password
 * (`Basic Og==`) are none: clients without a login send them.
 */
export function parseAuthorization(header: string | undefined): Credential | NoCredential {
  if (header === undefined || header === '') return { refused: 'absent' };
  if (header.length > longestHeader) return { refused: 'malformed' };
  const [, scheme, value] = shape.exec(header) ?? [];
  if (scheme === undefined || value === undefined) return { refused: 'malformed' };
  return scheme.toLowerCase() === 'bearer' ? { kind: 'bearer', token: value } : parsePair(value);
}

function parsePair(encoded: string): Credential | NoCredential {
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return { refused: 'malformed' };
  const username = text.slice(0, colon);
  const password = text.slice(colon + 1);
  return username === '' && password === '' ? { refused: 'absent' } : { kind: 'basic', username, password };
}
