// Room `proxy/access`: which host, which subject, which upstream, and may they. In: a parsed
// request. Out: an admitted request, or the refusal; tokens. Imports: base, oci, proxy/clients,
// proxy/http; types of auth, auth/guards, proxy.

import type { IncomingHttpHeaders } from 'node:http';
import type { Access, Decision, Subject } from '../../auth/access.ts';
import type { Guard, Identity, Unidentified } from '../../auth/guards/guard.ts';
import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { RegistryError } from '../../oci/errors.ts';
import type { ParsedRequest } from '../../oci/request.ts';
import type { ProxyEvents } from '../events.ts';
import type { RequestFacts } from '../http/exchange.ts';
import { denied, FailedLogin, refusals } from './auth-errors.ts';
import { authorizationOf } from './authorization.ts';
import { type ChallengerOptions, createChallenger } from './challenge.ts';
import type { Host, Hosts } from './hosts.ts';
import type { RoutedRequest, Router } from './route.ts';

export interface AdmissionOptions extends ChallengerOptions {
  readonly hosts: Hosts;
  readonly route: Router;
  readonly events?: Partial<ProxyEvents>;
}

/** A request that may be answered. */
export interface Admitted {
  readonly host: Host;
  readonly subject: Subject;
  /** The decision; absent for a ping, and for a host without logins. */
  readonly decision?: Decision;
  /** Where it goes; absent for a ping. */
  readonly routed?: RoutedRequest;
}

/** The part of a request that decides its subject. */
interface IncomingRequest {
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came: shows what came twice. */
  readonly rawHeaders?: readonly string[];
}

/**
 * Decides on subject and access. A request is routed and answered only after its host has admitted
 * it, and access is decided on the routed request, the very one that is then answered. At once
 * where no question is needed. The log gets subject and decision, also of refused requests. Throws
 * `NAME_UNKNOWN` (host, registry or repository), `UNAUTHORIZED` with our challenge (a FailedLogin
 * where it may be a guess), `DENIED`, and `UNAVAILABLE` when the decision is unknown.
 */
export type Admission = (
  incoming: IncomingRequest,
  parsed: ParsedRequest,
  log?: RequestFacts,
  address?: string,
) => MaybePromise<Admitted>;

/** The subject of a request to a host without logins. */
const anyone: Subject = Object.freeze({ name: 'anonymous', groups: Object.freeze([]) });
/** The anonymous user of Kubernetes. */
const nobody = 'system:anonymous';

/** One request to a host with a guard. */
interface Call {
  readonly host: Host;
  readonly door: Guard;
  readonly incoming: IncomingRequest;
  readonly parsed: ParsedRequest;
  readonly log: RequestFacts;
}

export function createAdmission({ hosts, route, events, ...realm }: AdmissionOptions): Admission {
  const challenge = createChallenger(realm);

  function routedBy(parsed: ParsedRequest, host: Host): RoutedRequest | undefined {
    const { request } = parsed;
    return request.kind === 'ping' ? undefined : route({ ...parsed, request }, host.upstream);
  }

  function challenged(
    why: keyof typeof refusals,
    { host, incoming, parsed: { request } }: Call,
  ): RegistryError {
    const repository = request.kind === 'ping' ? {} : { repository: request.repository };
    return challenge(host, incoming.headers.host ?? '', { ...refusals[why], ...repository });
  }

  function strangerRefused({ refused, token }: Unidentified, call: Call): RegistryError {
    events?.accessRefused?.({ reason: refused === 'absent' ? 'anonymous' : 'credential' });
    const error = challenged(refused, call);
    return refused === 'wrong' ? new FailedLogin(error, token) : error;
  }

  function rightRefused(
    routed: RoutedRequest,
    decision: Decision,
    subject: Subject,
    call: Call,
  ): RegistryError {
    const isNobody = subject.name === nobody;
    events?.accessRefused?.({ reason: isNobody ? 'anonymous' : 'rights' });
    return isNobody ? challenged('anonymous', call) : denied(routed.asked, decision);
  }

  function identified(identity: Identity, call: Call): MaybePromise<Admitted> {
    const { host, door, parsed, log } = call;
    const { subject } = identity;
    log.subject = subject.name;
    if (subject.cluster !== undefined) log.cluster = subject.cluster;
    const routed = routedBy(parsed, host);
    if (routed !== undefined) log.upstream = routed.upstream;
    events?.identified?.(log);
    if (routed === undefined) return { host, subject };
    if (!isCovered(identity, routed, host)) {
      events?.accessRefused?.({ reason: 'scope' });
      throw challenged('scope', call);
    }
    return andThen(door.authorize(subject, accessOf(routed)), (decision) => {
      tell(log, decision);
      events?.decided?.(log);
      if (decision.allowed) return { host, subject, routed, decision };
      throw rightRefused(routed, decision, subject, call);
    });
  }

  return (incoming, parsed, log = {}, address) => {
    const host = hosts(incoming.headers.host);
    const { guard: door } = host;
    events?.hostFound?.(host);
    if (door === undefined) {
      const routed = routedBy(parsed, host);
      log.subject = anyone.name;
      if (routed !== undefined) log.upstream = routed.upstream;
      events?.identified?.(log);
      return { host, subject: anyone, ...(routed && { routed }) };
    }
    const call = { host, door, incoming, parsed, log };
    const authorization = authorizationOf(incoming.headers, incoming.rawHeaders);
    return andThen(door.identify(authorization, address), (identity) => {
      if ('refused' in identity) throw strangerRefused(identity, call);
      return identified(identity, call);
    });
  };
}

function tell(log: RequestFacts, decision: Decision): void {
  const { allowed, rule, question, cluster, isRemembered = false } = decision;
  if (rule !== undefined) log.rule = rule;
  if (cluster !== undefined) log.cluster = cluster;
  if (question !== undefined) log.question = question;
  log.verdict = allowed ? 'allowed' : 'refused';
  log.asked = question === undefined ? 'none' : isRemembered ? 'remembered' : 'asked';
}

/**
 * Clients name a repository in the scope as their user wrote it, or by its path here: containerd
 * drops a first component that its mirror's URL added, so each name of the repository counts. A
 * requested scope counts even if it was not granted: rights may have been granted since, and a
 * client that requests the same token again would learn no more. The challenge of a plain host has
 * no scope, so its tokens cover all that their subject may pull.
 */
function isCovered(
  { scopes, isUnscoped = false }: Identity,
  { asked, upstream, request: { repository } }: RoutedRequest,
  { challenge }: Host,
): boolean {
  if (scopes === undefined || (isUnscoped && challenge === 'plain')) return true;
  return (
    scopes.includes(asked) || scopes.includes(repository) || scopes.includes(`${upstream}/${repository}`)
  );
}

function accessOf({ upstream, request }: RoutedRequest): Access {
  const access = { upstream, repository: request.repository, action: 'pull' } as const;
  if (request.kind === 'manifest') return { ...access, reference: request.reference };
  return request.kind === 'tags' ? access : { ...access, reference: { digest: request.digest } };
}
