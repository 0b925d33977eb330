import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { RegistryError } from '../../oci/errors.ts';

/** Networks without public registries, token servers or CDNs (IANA special-purpose registries). */
const privateNetworks: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

const blocked = blockList();

/** True for an address or a host name that is local to this network or machine. */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
    .replace(/\.$/, '');
  const family = isIP(host);
  if (family === 0) return host === 'localhost' || host.endsWith('.localhost');
  return blocked.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Resolves like dns.lookup, but refuses a name with any private address. It checks the very
 * addresses of the connection, so that a name cannot resolve differently for the check.
 */
export const publicLookup: LookupFunction = (hostname, options, done) => {
  resolve(hostname, { ...options, all: true }, (error, found) => {
    if (error !== null) return done(error, '');
    if (found.some(({ address }) => isPrivateHost(address))) return done(privateTarget(), '');
    const [first] = found;
    if (options.all === true || first === undefined) return done(null, found);
    return done(null, first.address, first.family);
  });
};

/** The refusal of a target inside; it names no address, since a client reads it. */
export function privateTarget(): RegistryError {
  const message = 'the upstream names a private address; allowPrivateAddresses permits that';
  return new RegistryError('UPSTREAM_INVALID', message);
}

/** NAT64 (RFC 6052) maps IPv4, public and private addresses alike. */
function blockList(): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of privateNetworks) {
    if (network.includes(':')) {
      list.addSubnet(network, prefix, 'ipv6');
    } else {
      list.addSubnet(network, prefix, 'ipv4');
      list.addSubnet(`64:ff9b::${network}`, 96 + prefix, 'ipv6');
    }
  }
  return list;
}
