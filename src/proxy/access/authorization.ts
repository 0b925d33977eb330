import type { IncomingHttpHeaders } from 'node:http';
import { headerLineCount } from '../clients/header-lines.ts';

/**
 * The `Authorization` value of a request. One that comes twice is joined as RFC 9110 section 5.2 says, and so no credential: Node keeps the first
 * of two, and what is before us may have looked at the other.
 */
export function authorizationOf(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[] = [],
): string | undefined {
  return headerLineCount(rawHeaders, 'authorization') > 1
    ? `${headers.authorization}, `
    : headers.authorization;
}
