import type { FastifyInstance } from 'fastify';

/** Tells browsers to take a body for nothing but its Content-Type (WHATWG Fetch, section 3.6). */
export const noSniffing = { 'x-content-type-options': 'nosniff' } as const;

/** Puts it on every answer that the framework sends; raw ones bring it along. */
export function nosniff(app: FastifyInstance): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    reply.headers(noSniffing);
    done(null, payload);
  });
}
