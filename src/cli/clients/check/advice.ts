import { claimsOf } from '../../../auth/clusters/cluster-token.ts';
import type { Link, LinkFinding } from './link.ts';
import { isNoTls } from './link-trouble.ts';

/** What to do about a finding: one clause, or undefined where nothing is to be done. */
export function nextStep(finding: LinkFinding, link: Link, nowMs: number): string | undefined {
  const { verdict, status, requestId } = finding;
  if (verdict === 'ok' || verdict === 'skipped') return undefined;
  if (status === undefined) return connectionAdvice(finding, link);
  if (status === 401) return loginAdvice(link, nowMs);
  if (status === 403)
    return `grant the right that the reason names; on Quayside, quayside access check explains it`;
  if (status === 404) return absenceAdvice(finding, link);
  if (status === 429) return `try again${afterThat(finding)}; on Quayside see limits, and docs/operating.md`;
  const where = requestId === undefined ? 'see the log of that registry' : `look for ${requestId} in its log`;
  return status >= 500 ? `${where}, and try again${afterThat(finding)}` : where;
}

function connectionAdvice({ cause, verdict, step }: LinkFinding, { host, trust, schemes }: Link): string {
  if (cause === undefined) {
    if (verdict === 'unknown') return 'try again';
    if (step === 'login') return `see how ${host} is configured: its challenge cannot be followed`;
    return 'this place serves something else: compare it with the others';
  }
  if (cause === 'ECONNREFUSED')
    return `is Quayside, or the registry, running there? Is the port of ${host} right?`;
  if (cause === 'ENOTFOUND') return `correct the name ${host}, or the DNS of this machine`;
  if (isNoTls(cause)) return 'insecure = true for plain HTTP (http:// for containerd), or give it TLS';
  if (verdict === 'wrong' && schemes[0] === 'https')
    return `put the certificate of its authority at ${trust.place}`;
  return 'try again; is there a firewall, or a proxy (HTTPS_PROXY)?';
}

function loginAdvice({ login, host }: Link, nowMs: number): string {
  const { credential, place, helper, never } = login;
  if (never !== undefined) return never;
  if (helper !== undefined)
    return `${place} leaves the login to docker-credential-${helper}, which is not run here: name a file by --auth-file`;
  if (credential === undefined) return `log in: ${place} has no login for ${host}`;
  const expiresAtMs = 'password' in credential ? claimsOf(credential.password)?.expiresAtMs : undefined;
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs)
    return `the token in ${place} expired at ${new Date(expiresAtMs).toISOString()}: make a new one`;
  return `the login in ${place} is refused: renew it`;
}

function absenceAdvice({ code }: LinkFinding, { host, repository }: Link): string {
  if (code === 'NAME_UNKNOWN' || code === 'NAME_INVALID')
    return `is ${host}/${repository} a place there? On Quayside see hosts, upstreams and their repositories`;
  if (code === 'MANIFEST_UNKNOWN') return 'is the tag right, and has the image been pushed or mirrored?';
  return 'pull the tag again: it may have moved';
}

function afterThat({ retryAfter }: LinkFinding): string {
  return retryAfter === undefined ? ' later' : ` after ${retryAfter}${/^\d+$/.test(retryAfter) ? ' s' : ''}`;
}
