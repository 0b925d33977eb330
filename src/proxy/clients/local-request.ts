import type { IncomingHttpHeaders } from 'node:http';
import { createNetworkMatcher } from '../../base/text/networks.ts';
import type { ReceivedRequest } from './client-address.ts';

interface LocalRequestOptions {
  /** Host names besides those of loopback under which the server is known. */
  readonly names: readonly string[];
  /**
   * Networks (CIDR) of proxies, at each request: what comes from there comes from elsewhere. A list
   * stays the same until it is replaced.
   */
  readonly proxies: () => readonly string[];
}

/** Whether a person or program on this host sent the request by itself. */
export type IsLocal = (request: ReceivedRequest) => boolean;

const forwarding = /^(?:x-forwarded-.*|x-real-ip|x-original-.*|forwarded|via)$/;
const authority = /^(\[[\da-f:.]+\]|[^:@/\s]+)(?::\d{1,5})?$/i;

/**
 * Believes a connection from loopback when nothing says that the request began elsewhere: no proxy
 * forwarded it, `Host` is a name of ours, which it is not after a web page pointed its own name
 * here (DNS rebinding), and no page of another origin sent it (WHATWG Fetch, sections 3.2 and 3.7).
 * The port in `Host` may be another one, as a port-forward has it.
 */
export function createLocalRequests({ names, proxies }: LocalRequestOptions): IsLocal {
  const isLoopback = createNetworkMatcher(['127.0.0.0/8', '::1/128']);
  let networks = proxies();
  let isProxy = createNetworkMatcher(networks);
  const known = new Set(['localhost', '127.0.0.1', '[::1]', ...names.filter(isName)]);

  return ({ headers, socket: { remoteAddress = '' } }) => {
    if (proxies() !== networks) {
      networks = proxies();
      isProxy = createNetworkMatcher(networks);
    }
    if (!isLoopback(remoteAddress) || isProxy(remoteAddress)) return false;
    if (Object.keys(headers).some((name) => forwarding.test(name))) return false;
    const [, name = ''] = authority.exec(headers.host ?? '') ?? [];
    return known.has(name.toLowerCase()) && isOfOwnOrigin(headers);
  };
}

/** Absent from programs; a browser says where the page is from that sends the request. */
function isOfOwnOrigin({ host, origin, 'sec-fetch-site': site = 'none' }: IncomingHttpHeaders): boolean {
  if (site !== 'none' && site !== 'same-origin') return false;
  return origin === undefined || origin === `http://${host}`;
}

/** Where one listens on all addresses, the wildcard is the name of none. */
function isName(name: string): boolean {
  return name !== '0.0.0.0' && name !== '[::]';
}
