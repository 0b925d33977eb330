import type { IncomingHttpHeaders } from 'node:http';

/**
 * The `Authorization` value of a request. One that comes twice is joined as RFC 9110 section 5.2 says, and so no credential: Node keeps the first
 * of two, and what is before us may have looked at the other.
 */
export function authorizationOf(
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[] = [],
): string | undefined {
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === field.length && name.toLowerCase() === field) lines += 1;
  }
  return lines > 1 ? `${headers.authorization}, ` : headers.authorization;
}

const field = 'authorization';
