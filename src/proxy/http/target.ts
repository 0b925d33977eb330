import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { RegistryError } from '../../oci/errors.ts';

/** The number of lines of a header field, by its lower-case name: Node hides the second. */
export function headerLineCount(rawHeaders: readonly string[], field: string): number {
  let lines = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === field.length && name.toLowerCase() === field) lines += 1;
  }
  return lines;
}

/** A target with a user in it stays what it is, which no route has. */
const absoluteForm = /^https?:\/\/([^/?#@]+)(\/[^#]*)?$/i;

/**
 * Which host and path a request is for, said once. A target in absolute form names both, and its
 * `Host` counts for nothing (RFC 9112 section 3.2.2). Two `Host` lines are 400 (section 3.2): what
 * is before us may have gone by the other one.
 */
export function requestTargets(app: FastifyInstance): void {
  app.server.prependListener('request', inOriginForm).prependListener('checkContinue', inOriginForm);
  app.addHook('onRequest', ({ raw }, _reply, next) => {
    if (headerLineCount(raw.rawHeaders, 'host') > 1) throw twoHosts();
    next();
  });
}

function inOriginForm(request: IncomingMessage): void {
  if (request.url === undefined || request.url.startsWith('/')) return;
  const [, authority, path = '/'] = absoluteForm.exec(request.url) ?? [];
  if (authority === undefined) return;
  request.url = path;
  request.headers.host = authority;
}

function twoHosts(): RegistryError {
  return new RegistryError('HEADER_INVALID', 'the request has more than one Host header', {
    detail: { header: 'Host' },
  });
}
