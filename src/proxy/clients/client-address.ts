import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { createLru } from '../../base/state/lru.ts';
import { createNetworkMatcher, type IsWithin } from '../../base/text/networks.ts';

/** What a request says about its sender. */
export interface ReceivedRequest {
  readonly headers: IncomingHttpHeaders;
  /** The other end of the connection; without an address once it is gone. */
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The address of a request, empty when its connection is closed. Never throws. */
export type ClientAddress = (request: ReceivedRequest) => string;

/** An address and a port in `X-Forwarded-For` and RFC 7239 section 6; IPv6 in brackets. */
const node = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/i;
/** RFC 7239 section 4, without escapes in quotes, which no address needs. */
const pair = /^\s*([\w!#$%&'*+.^`|~-]+)=(?:"([^"\\]*)"|([^\s",;\\]+))\s*$/;
const mostRemembered = 1000;
const longestRemembered = 128;

/**
 * The client's address behind proxies of these networks (CIDR). From the connection inwards, each
 * proxy is trusted about the one before it, by `X-Forwarded-For` or, where there is none,
 * `Forwarded` (RFC 7239); the first address that is not such a proxy is the client. Entries from
 * other addresses, unparsable ones, and entries to the left of those are ignored: a client must not
 * choose its address. Without networks no header is read.
 */
export function createClientAddress(trustedProxies: readonly string[]): ClientAddress {
  if (trustedProxies.length === 0) return peerOf;
  const isTrusted = remembered(createNetworkMatcher(trustedProxies));
  const byAddresses = remembered((text) => clientIn(text, (entry) => entry, isTrusted));
  const byForwarded = remembered((text) => clientIn(text, forOf, isTrusted));
  return (request) => {
    const peer = peerOf(request);
    const { 'x-forwarded-for': addresses, forwarded } = request.headers;
    const text = addresses ?? forwarded;
    if (text === undefined || !isTrusted(peer)) return peer;
    const clientBy = addresses === undefined ? byForwarded : byAddresses;
    return clientBy(String(text)) ?? peer;
  };
}

/** Undefined when not even the last entry can be read. */
function clientIn(
  text: string,
  nodeOf: (entry: string) => string | undefined,
  isTrusted: IsWithin,
): string | undefined {
  let client: string | undefined;
  for (const entry of fromTheRight(text)) {
    const address = addressOf(nodeOf(entry)?.trim() ?? '');
    if (address === undefined) return client;
    client = address;
    if (!isTrusted(client)) return client;
  }
  return client;
}

/**
 * The members of a list, the last one first. Read from that end, since an open quote on the left,
 * which a client may write, must not swallow what a proxy has appended.
 */
function* fromTheRight(list: string): Generator<string> {
  let end = list.length;
  let isQuoted = false;
  for (let at = end - 1; at >= 0; at -= 1) {
    if (list[at] === '"') isQuoted = !isQuoted;
    if (list[at] !== ',' || isQuoted) continue;
    yield list.slice(at + 1, end);
    end = at;
  }
  yield list.slice(0, end);
}

/** The one `for` of an element of `Forwarded`. */
function forOf(element: string): string | undefined {
  const pairs = element.split(';').map((text) => pair.exec(text));
  if (pairs.includes(null)) return undefined;
  const [first, ...more] = pairs.filter((found) => found?.[1]?.toLowerCase() === 'for');
  return more.length === 0 ? (first?.[2] ?? first?.[3]) : undefined;
}

/** The canonical notation of an address. A zone is local to a machine, and comes from no proxy. */
function addressOf(text: string): string | undefined {
  const [, bracketed, plain] = node.exec(text) ?? ['', text];
  if (plain !== undefined) return isIPv4(plain) ? plain : undefined;
  if (bracketed === undefined || bracketed.includes('%') || !isIPv6(bracketed)) return undefined;
  const { address } = new SocketAddress({ address: bracketed, family: 'ipv6' });
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}

function peerOf({ socket }: ReceivedRequest): string {
  return socket.remoteAddress ?? '';
}

/** Frequent clients are few, with short entries; many unknown ones must cost no memory. */
function remembered<T extends string | boolean | undefined>(
  answer: (text: string) => T,
): (text: string) => T {
  const known = createLru<string, T & (string | boolean)>(mostRemembered);
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const now = answer(text);
    if (now !== undefined && text.length <= longestRemembered) known.set(text, now);
    return now;
  };
}
