import type { IncomingHttpHeaders } from 'node:http';
import { headerLineCount } from '../http/target.ts';

/**
 * The `Authorization` value of a request. Two fields are joined (RFC 9110 section 5.2), and so no
 * credential: Node keeps the first of two, and a proxy in front may have checked the other.
 */
export function authorizationOf(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[] = [],
): string | undefined {
  return headerLineCount(rawHeaders, 'authorization') > 1
    ? `${headers.authorization}, `
    : headers.authorization;
}
