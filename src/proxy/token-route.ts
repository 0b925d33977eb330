import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Login } from '../auth/guard.ts';
import { challengeText } from '../oci/challenge.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ProxyEvents } from './events.ts';
import type { Hosts } from './hosts.ts';
import { tokenPath } from './realm.ts';

export interface TokenRouteOptions {
  readonly hosts: Hosts;
  readonly events?: Partial<ProxyEvents>;
}

const form = 'application/x-www-form-urlencoded';
const longestForm = 16 * 1024;

/**
 * Our token end-point (token protocol of the Docker registry): GET with Basic, or POST with `grant_type=password`, as
 * containerd asks first. Without a scope the token serves a login's ping. Throws `UNAUTHORIZED`, and `NAME_UNKNOWN` under a host
 * name that asks for no login.
 */
export function tokenRoute(app: FastifyInstance, { hosts, events }: TokenRouteOptions): void {
  async function answer(
    authority: string | undefined,
    login: Login | undefined,
    scopes: readonly string[],
    reply: FastifyReply,
  ) {
    const host = hosts(authority);
    if (host.guard === undefined) throw new RegistryError('NAME_UNKNOWN', 'no login is asked for here');
    const granted =
      login === undefined ? { refused: 'malformed' as const } : await host.guard.grant(login, scopes);
    if ('refused' in granted) {
      const isAnonymous = granted.refused === 'absent';
      events?.accessRefused?.({ reason: isAnonymous ? 'anonymous' : 'credential' });
      throw wrong(host.name, isAnonymous);
    }
    events?.tokenIssued?.();
    reply.record.subject = granted.subject.name;
    reply.header('cache-control', 'no-store');
    return {
      token: granted.token,
      access_token: granted.token,
      expires_in: granted.expiresInSeconds,
      issued_at: granted.issuedAt.toISOString(),
    };
  }

  app.register((scope, _options, registered) => {
    const options = { parseAs: 'string', bodyLimit: longestForm } as const;
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(form, options, async (_request: unknown, body: string | Buffer) =>
      String(body),
    );

    scope.get(tokenPath, async ({ headers: { host, authorization }, url }, reply) => {
      const query = new URLSearchParams(url.slice(tokenPath.length + 1));
      return answer(host, { authorization }, query.getAll('scope'), reply);
    });

    scope.post(tokenPath, async ({ headers: { host }, body }, reply) => {
      const fields = new URLSearchParams(typeof body === 'string' ? body : '');
      return answer(host, passwordGrant(fields), fields.getAll('scope'), reply);
    });
    registered();
  });
}

/** OAuth 2 (RFC 6749 section 4.3). We hand out no refresh tokens, so nobody can show one. */
function passwordGrant(fields: URLSearchParams): Login | undefined {
  if (fields.get('grant_type') !== 'password') return undefined;
  return { username: fields.get('username') ?? '', password: fields.get('password') ?? '' };
}

function wrong(host: string, isAnonymous: boolean): RegistryError {
  const message = isAnonymous ? 'a login is required' : 'the user name or the password is wrong';
  return new RegistryError('UNAUTHORIZED', message, {
    headers: { 'www-authenticate': challengeText('Basic', { realm: host }) },
  });
}
