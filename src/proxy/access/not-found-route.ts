import type { FastifyInstance } from 'fastify';
import { RegistryError } from '../../oci/errors.ts';
import { clientSignal } from '../http/body.ts';
import { FailedLogin, type FailedLogins, heldBack, refusals } from './auth-errors.ts';
import { authorizationOf } from './authorization.ts';
import { type ChallengerOptions, createChallenger } from './challenge.ts';
import type { Hosts } from './hosts.ts';

interface NotFoundRouteOptions extends ChallengerOptions {
  readonly hosts: Hosts;
  /** Delays guesses. Default: none. */
  readonly attempts?: FailedLogins;
}

/** Catch-all: 404. Hosts with a Basic challenge ask for a login first. Reads no body. */
export function notFoundRoute(
  app: FastifyInstance,
  { hosts, attempts, ...realm }: NotFoundRouteOptions,
): void {
  const challenge = createChallenger(realm);
  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', async ({ headers, raw }, reply) => {
      const host = hosts(headers.host);
      if (host.guard !== undefined && host.challenge === 'plain') {
        const { client } = reply.record;
        const identity = await host.guard.identify(authorizationOf(headers, raw.rawHeaders), client);
        if ('refused' in identity) {
          const refusal = challenge(host, headers.host ?? '', refusals[identity.refused]);
          if (identity.refused !== 'wrong' || attempts === undefined) throw refusal;
          const failed = new FailedLogin(refusal, identity.token);
          throw await heldBack(failed, attempts, [client, clientSignal(reply.raw)]);
        }
      }
      throw new RegistryError('NAME_UNKNOWN', 'no such end-point');
    });
    scope.all('/*', () => {});
    done();
  });
}
