import type { FastifyInstance } from 'fastify';

/** Whether the mirror answers, as the program `ci-images-mirror` said it. */
export function mirrorHealth(app: FastifyInstance): void {
  app.get('/api/health', async (_, reply) =>
    reply.header('content-type', 'application/json').send(Buffer.from('{"ok":true}\n')),
  );
}
