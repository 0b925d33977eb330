import { fastify } from 'fastify';
import { test } from 'tap';
import { schemaless } from '../../src/proxy/schemaless.ts';

test('a server without compilers answers routes, and refuses one with a schema before it serves', async (t) => {
  const app = fastify({ ...schemaless });
  app.get('/', async () => ({ isFine: true }));
  t.same((await app.inject('/')).json(), { isFine: true });
  const other = fastify({ ...schemaless });
  other.get('/', { schema: { querystring: { type: 'object' } } }, async () => 'never');
  await t.rejects(async () => other.ready(), /no route has a schema/);
});
