import { lookup } from 'node:dns/promises';
import { type Clock, sleep, systemClock } from '../../base/time/wait.ts';

/** Where the names of all members come from, this process among them or not. */
export interface MemberList {
  /** Calls back with the list, now and whenever it may have changed, until it is closed. */
  follow(listed: (members: readonly string[]) => void): void;
  close(): void;
}

/** A list that never changes. */
export function createFixedList(members: readonly string[]): MemberList {
  return { follow: (listed) => listed(members), close: () => undefined };
}

interface NameListOptions {
  /** `host:port`; all addresses of the host are members, as of a headless Service. */
  readonly name: string;
  /** The name could not be resolved: the list stays what it was. */
  readonly failed?: (error: unknown) => void;
  readonly everyMs?: number;
  readonly clock?: Clock;
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** The addresses of a DNS name, looked up again every two seconds. */
export function createNameList(options: NameListOptions): MemberList {
  const { name, failed, everyMs = 2_000, clock = systemClock, resolve = addressesOf } = options;
  const { hostname, port } = new URL(`http://${name}`);
  const closing = new AbortController();
  async function run(listed: (members: readonly string[]) => void): Promise<void> {
    while (!closing.signal.aborted) {
      await resolve(hostname).then(
        (addresses) => listed(addresses.map((address) => named(address, port))),
        (error: unknown) => failed?.(error),
      );
      await sleep(everyMs, closing.signal, clock).catch(() => undefined);
    }
  }
  return { follow: (listed) => void run(listed), close: () => closing.abort() };
}

/** `host:port`, with brackets around an address of IPv6. */
function named(address: string, port: string | number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

async function addressesOf(host: string): Promise<readonly string[]> {
  return (await lookup(host.replace(/^\[|\]$/g, ''), { all: true })).map(({ address }) => address);
}
