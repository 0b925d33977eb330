import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RegistryError } from '../../oci/errors.ts';
import { clientSignal } from '../http/body.ts';
import type { RequestRecord } from '../http/request-log.ts';
import { FailedLogin, type FailedLogins, heldBack, isHeldBack, refusals } from './auth-errors.ts';
import { authorizationOf } from './authorization.ts';
import type { EnterBy } from './entrance.ts';

interface NotFoundRouteOptions {
  readonly enter: EnterBy<'hosts' | 'challenge'>;
  /** Delays guesses. Default: none. */
  readonly attempts?: FailedLogins;
}

/** Catch-all: 404. Hosts with a Basic challenge ask for a login first. Reads no body. */
export function notFoundRoute(app: FastifyInstance, { enter, attempts }: NotFoundRouteOptions): void {
  /** Throws what a stranger is answered; returns for a subject, and where there are no logins. */
  async function identified({ headers, raw }: FastifyRequest, { client }: RequestRecord): Promise<void> {
    const { value, leave } = enter();
    try {
      const host = value.hosts(headers.host);
      if (host.guard === undefined || host.challenge !== 'plain') return;
      const identity = await host.guard.identify(authorizationOf(headers, raw.rawHeaders), client);
      if (!('refused' in identity)) return;
      const refusal = value.challenge(host, headers.host ?? '', refusals[identity.refused]);
      throw identity.refused === 'wrong' ? new FailedLogin(refusal, identity.token) : refusal;
    } finally {
      leave();
    }
  }

  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request, reply) => {
      await identified(request, reply.record).catch(async (error: unknown) => {
        if (attempts === undefined || !isHeldBack(error)) throw error;
        throw await heldBack(error, attempts, [reply.record.client, clientSignal(reply.raw)]);
      });
      throw new RegistryError('NAME_UNKNOWN', 'no such end-point');
    });
    scope.all('/*', () => {});
    done();
  });
}
