import { BlockList } from 'node:net';

/** Whether an address is in a set of networks; IPv4 in either notation. */
export type IsWithin = (address: string) => boolean;

/** The networks of a list, in CIDR notation (`10.0.0.0/8`, `fd00::/8`). */
export function createNetworkMatcher(list: readonly string[]): IsWithin {
  const all = new BlockList();
  for (const network of list) {
    const [address = '', prefix = ''] = network.split('/');
    all.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (address) => all.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}
