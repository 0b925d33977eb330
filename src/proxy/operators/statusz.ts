import type { FastifyInstance } from 'fastify';
import { field } from '../../base/text/json.ts';
import { acceptedFormat } from './formats.ts';
import { json, refused } from './mirror-api.ts';

export interface StatusOptions {
  /** All conditions now, as JSON and as a table. */
  readonly status: () => { readonly json: object; readonly text: string };
}

/**
 * `/statusz`: the conditions; a table unless `Accept` names JSON, or `format` is `json` or `text`.
 * For operators alone: it names upstreams, clusters and images.
 */
export function statusRoute(app: FastifyInstance, { status }: StatusOptions): void {
  app.get('/statusz', async (request, reply) => {
    const format = field(request.query, 'format') ?? acceptedFormat(request.headers.accept);
    void reply.header('cache-control', 'no-store');
    const { json: document, text } = status();
    if (format === 'json') return json(reply, document);
    if (format !== 'text') return refused(reply, 400, 'format must be json or text');
    return reply.header('content-type', 'text/plain; charset=utf-8').send(text);
  });
}
