import type { IncomingHttpHeaders } from 'node:http';
import type { Access, Subject } from '../auth/access.ts';
import type { Guard, Unidentified } from '../auth/guard.ts';
import type { Scopes } from '../auth/scope.ts';
import { RegistryError } from '../oci/errors.ts';
import type { ParsedRequest } from '../oci/request.ts';
import type { ProxyEvents } from './events.ts';
import type { Host, Hosts } from './hosts.ts';
import { challenger, type RealmOptions, type Refusal } from './realm.ts';
import type { RoutedRequest, Router } from './route.ts';

export interface AdmissionOptions extends RealmOptions {
  readonly hosts: Hosts;
  readonly route: Router;
  readonly events?: Partial<ProxyEvents>;
}

/** A request that may be answered. */
export interface Admitted {
  readonly host: Host;
  readonly subject: Subject;
  /** The rule that let it pass. */
  readonly rule?: string;
  /** Where it goes; absent for a ping. */
  readonly routed?: RoutedRequest;
}

/**
 * Decides who asks, and whether they may. Nothing of a request is routed, let alone answered, before its host has admitted it,
 * and access is decided on the routed request, the very one that is then answered. At once where no login is asked for.
 * Throws `NAME_UNKNOWN` (host, registry or repository), `UNAUTHORIZED` with our challenge, `DENIED`, and `UNAVAILABLE`
 * when it cannot be told.
 */
export type Admission = (
  incoming: { readonly headers: IncomingHttpHeaders },
  parsed: ParsedRequest,
) => Admitted | Promise<Admitted>;

/** The subject of a request to a host that asks nobody who they are. */
const anonymous: Subject = Object.freeze({ name: 'anonymous', groups: Object.freeze([]) });

export function admission({ hosts, route, events, ...realm }: AdmissionOptions): Admission {
  const challenge = challenger(realm);

  function routedBy(parsed: ParsedRequest, host: Host): { readonly routed?: RoutedRequest } {
    const { request } = parsed;
    return request.kind === 'ping' ? {} : { routed: route({ ...parsed, request }, host.upstream) };
  }

  async function guarded(host: Host, door: Guard, headers: IncomingHttpHeaders, parsed: ParsedRequest) {
    const identified = await door.identify(headers.authorization);
    const repository = parsed.request.kind === 'ping' ? {} : { repository: parsed.request.repository };
    if ('refused' in identified) {
      events?.accessRefused?.({ reason: identified.refused === 'absent' ? 'anonymous' : 'credential' });
      throw challenge(host, headers.host ?? '', { ...refusals[identified.refused], ...repository });
    }
    const { subject, scopes } = identified;
    const { routed } = routedBy(parsed, host);
    if (routed === undefined) return { host, subject };
    if (scopes !== undefined && !isCovered(scopes, routed)) {
      events?.accessRefused?.({ reason: 'scope' });
      throw challenge(host, headers.host ?? '', { ...refusals.scope, ...repository });
    }
    const { allowed, rule, reason } = await door.authorize(subject, accessOf(routed));
    if (!allowed) {
      events?.accessRefused?.({ reason: 'rights' });
      throw denied(routed, reason);
    }
    return { host, subject, routed, ...(rule === undefined ? {} : { rule }) };
  }

  return ({ headers }, parsed) => {
    const host = hosts(headers.host);
    if (host.guard !== undefined) return guarded(host, host.guard, headers, parsed);
    return { host, subject: anonymous, ...routedBy(parsed, host) };
  };
}

const refusals: Readonly<Record<Unidentified['refused'] | 'scope', Refusal>> = {
  absent: { message: 'a login is required' },
  malformed: { message: 'the Authorization field is malformed', error: 'invalid_token' },
  expired: { message: 'the token has expired', error: 'invalid_token' },
  wrong: { message: 'the credential is not accepted', error: 'invalid_token' },
  scope: { message: 'the token was not asked for this repository', error: 'insufficient_scope' },
};

/**
 * Clients name a repository in the scope as their user wrote it, or as its path here: containerd leaves out a first component
 * that its mirror's URL added, so each name of the same repository counts.
 */
function isCovered(scopes: Scopes, { asked, upstream, request: { repository } }: RoutedRequest): boolean {
  return (
    scopes.includes(asked) || scopes.includes(repository) || scopes.includes(`${upstream}/${repository}`)
  );
}

function accessOf({ upstream, request }: RoutedRequest): Access {
  const access = { upstream, repository: request.repository, action: 'pull' } as const;
  if (request.kind === 'manifest') return { ...access, reference: request.reference };
  return request.kind === 'tags' ? access : { ...access, reference: { digest: request.digest } };
}

function denied({ asked }: RoutedRequest, reason = 'no right to pull from this repository'): RegistryError {
  return new RegistryError('DENIED', reason, { detail: { repository: asked, action: 'pull' } });
}
