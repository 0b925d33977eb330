import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Credential } from '../auth/access.ts';
import { parseAuthorization } from '../auth/basic.ts';
import { grantedScopes } from '../auth/scope.ts';
import { challengeText } from '../oci/challenge.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ProxyEvents } from './events.ts';
import type { Hosts } from './hosts.ts';
import { tokenPath } from './realm.ts';

export interface TokenRouteOptions {
  readonly hosts: Hosts;
  readonly events?: Partial<ProxyEvents>;
}

interface Question {
  readonly host: string | undefined;
  readonly credential: Credential | 'malformed' | undefined;
  readonly scopes: readonly string[];
}

const form = 'application/x-www-form-urlencoded';
const longestForm = 16 * 1024;

/**
 * Our token end-point (token protocol of the Docker registry): GET with Basic, or POST with `grant_type=password`, as
 * containerd asks first. What is granted is what was asked, as far as it is pulling: whether the subject has the right is
 * asked anew with every pull, so a token outlives no right. Without a scope the token serves a login's ping.
 */
export function tokenRoute(app: FastifyInstance, { hosts, events }: TokenRouteOptions): void {
  async function answer({ host: authority, credential, scopes: asked }: Question, reply: FastifyReply) {
    const host = hosts(authority);
    if (host.guard === undefined) throw new RegistryError('NAME_UNKNOWN', 'no login is asked for here');
    const known = credential === undefined || credential === 'malformed' ? undefined : credential;
    const subject = known && (await host.guard.authenticator.authenticate(known));
    if (subject === undefined) {
      events?.accessRefused?.({ reason: credential === undefined ? 'anonymous' : 'credential' });
      throw wrong(host.name, credential === undefined);
    }
    const scopes = grantedScopes(asked);
    const { token, expiresInSeconds, issuedAt } = await host.guard.tokens.issue(subject, scopes);
    events?.tokenIssued?.();
    reply.record.subject = subject.name;
    reply.header('cache-control', 'no-store');
    return {
      token,
      access_token: token,
      expires_in: expiresInSeconds,
      issued_at: issuedAt.toISOString(),
    };
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const options = { parseAs: 'string', bodyLimit: longestForm } as const;
    scope.addContentTypeParser(form, options, async (_request: unknown, body: string | Buffer) =>
      String(body),
    );

    scope.get(tokenPath, async ({ headers, url }, reply) => {
      const query = new URLSearchParams(url.slice(tokenPath.length + 1));
      const credential = parseAuthorization(headers.authorization);
      return answer({ host: headers.host, credential, scopes: query.getAll('scope') }, reply);
    });

    scope.post(tokenPath, async ({ headers, body }, reply) => {
      const fields = new URLSearchParams(typeof body === 'string' ? body : '');
      return answer(
        { host: headers.host, credential: passwordGrant(fields), scopes: fields.getAll('scope') },
        reply,
      );
    });
  });
}

/** OAuth 2 (RFC 6749 section 4.3). We hand out no refresh tokens, so nobody can show one. */
function passwordGrant(fields: URLSearchParams): Credential | 'malformed' | undefined {
  if (fields.get('grant_type') !== 'password') return 'malformed';
  const username = fields.get('username') ?? '';
  const password = fields.get('password') ?? '';
  return username === '' && password === '' ? undefined : { kind: 'basic', username, password };
}

function wrong(host: string, isAnonymous: boolean): RegistryError {
  const message = isAnonymous ? 'a login is required' : 'the user name or the password is wrong';
  return new RegistryError('UNAUTHORIZED', message, {
    headers: { 'www-authenticate': challengeText('Basic', { realm: host }) },
  });
}
