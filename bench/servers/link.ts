import type { LinkOptions } from './link-process.ts';
import { type Relay, relay } from './relay.ts';

/** One Gbit/s: the link of the cold scenarios, in bytes a second. */
export const gigabit = 125_000_000;

/** Starts a relay of stated speed to a port of 127.0.0.1. */
export function link(options: LinkOptions): Promise<Relay> {
  return relay(new URL('./link-process.ts', import.meta.url), options);
}
