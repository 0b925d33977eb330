import type { FastifyServerOptions } from 'fastify';

function refuse(): never {
  throw new Error('no route has a schema');
}

/**
 * Options of `fastify()` for servers whose routes have no schemas. Without compilers it loads
 * neither ajv nor fast-json-stringify, 96 files that took a tenth of a start.
 */
export const schemaless: Pick<FastifyServerOptions, 'schemaController'> = {
  schemaController: { compilersFactory: { buildValidator: () => refuse, buildSerializer: () => refuse } },
};
