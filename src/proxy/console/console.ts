// Room `proxy/console`: the console, a web page on the admin port. In: requests of browsers. Out:
// the page's files, logins, a stream of what happens. Imports: base, oci, proxy/http,
// proxy/operators.

import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../../base/time/wait.ts';
import type { ExplainApi } from '../operators/explain.ts';
import { type CallerOptions, createCallers } from '../operators/operator-access.ts';
import { createAssets } from './assets.ts';
import { type ConsoleData, consoleData } from './data.ts';
import { consoleLogin } from './login.ts';
import { contentSecurityPolicy, shell } from './shell.ts';
import { type ConsoleFeed, consoleStream } from './stream.ts';

export interface ConsoleOptions extends CallerOptions {
  readonly feed: ConsoleFeed;
  readonly data: ConsoleData;
  /** The user of a cluster who has the token. Default: tokens of clusters are not accepted. */
  readonly subjectOf?: ExplainApi['subjectOf'];
  readonly clock?: Clock;
}

/** A page of another origin neither frames this one nor gets a handle on it. */
const pageFields = {
  'content-security-policy': contentSecurityPolicy,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
} as const;

/**
 * The page at `/console/`, and what it asks. Its files are the same for all and tell nothing, so
 * that a login page can be shown; all else takes a caller whom the admin server knows.
 */
export function consoleRoutes(app: FastifyInstance, options: ConsoleOptions): void {
  const callers = createCallers(options, options.subjectOf);
  const assets = createAssets();

  app.get('/console', async (_request, reply) => reply.redirect('/console/', 308));
  app.get('/console/', async (request, reply) =>
    sent(reply, await assets.page(shell), request.headers['if-none-match']),
  );
  app.get<{ Params: { '*': string } }>('/console/files/*', async (request, reply) => {
    const found = await assets.file(request.params['*']);
    if (found === undefined) return reply.callNotFound();
    return sent(reply, found, request.headers['if-none-match']);
  });
  consoleLogin(app, { ...options, callers });
  consoleStream(app, { ...options, callers });
  consoleData(app, { ...options, callers });
}

/** Files are asked for anew each time, and sent only when they changed. */
function sent(
  reply: FastifyReply,
  { etag, type, bytes }: { readonly etag: string; readonly type: string; readonly bytes: Buffer },
  known: string | undefined,
): FastifyReply {
  void reply.headers({ ...pageFields, etag, 'cache-control': 'no-cache' });
  const isKnown = known?.split(',').some((each) => each.trim().replace(/^W\//, '') === etag) === true;
  if (isKnown) return reply.code(304).send();
  return reply.header('content-type', type).send(bytes);
}
