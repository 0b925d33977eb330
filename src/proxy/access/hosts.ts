import type { Guard } from '../../auth/guards/guard.ts';
import { RegistryError } from '../../oci/errors.ts';

/** What we are under one host name. */
export interface Host {
  /** As configured: a name, `name:port`, or `*`. */
  readonly name: string;
  /** The upstream that this host name stands for. */
  readonly upstream?: string;
  /** Who may pull; absent for a host without logins. */
  readonly guard?: Guard;
  /**
   * What the 401 asks for: a login for the repository (`scoped`, default), or for the host only, as
   * OpenShift CI's front door: `plain` hosts also challenge on unknown paths and for tokens.
   */
  readonly challenge?: 'scoped' | 'plain';
}

/** The host that a `Host` field names; throws `NAME_UNKNOWN` for an unconfigured one. */
export type Hosts = (header: string | undefined) => Host;

const shape = /^(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;

/**
 * Hosts by name: `name:port` before `name` before `*`; case and a final dot do not matter (RFC 9110
 * section 4.2.3). The last answer is kept: most requests of a busy server name the same host.
 */
export function createHosts(configured: readonly Host[]): Hosts {
  const byName = new Map(configured.map((host) => [host.name, host]));
  let last: { readonly header: string; readonly host: Host } | undefined;

  function find(header: string): Host {
    const authority = header.toLowerCase();
    const port = /:\d+$/.exec(authority)?.[0] ?? '';
    const name = authority.slice(0, authority.length - port.length).replace(/\.$/, '');
    const host = byName.get(name + port) ?? byName.get(name) ?? byName.get('*');
    if (host !== undefined && (header === '' || shape.test(authority))) return host;
    throw new RegistryError('NAME_UNKNOWN', 'this host name is not configured here', {
      detail: { host: header.slice(0, 260) },
    });
  }

  return (header = '') => {
    if (last?.header !== header) last = { header, host: find(header) };
    return last.host;
  };
}
