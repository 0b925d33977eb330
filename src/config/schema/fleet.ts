import Type from 'typebox';
import { address, closed, file } from './leaves.ts';

/** Certificates between members; each must be issued by `caFile`, and is shown by either side. */
const fleetTls = closed({
  certFile: file(),
  keyFile: file(),
  caFile: file(),
});

/** Replicas that share one upstream link: each piece of content is downloaded by one of them. */
export const fleetSchema = closed({
  /** Where members ask each other, `host:port`. A port of its own, for members only. */
  listen: address(),
  /** The name under which other members reach this one, `host:port`. Default: found by asking. */
  self: Type.Optional(address()),
  /**
   * The key that all members share: at least 32 characters a line. The first line proves, every
   * line is accepted; read again when it changes.
   */
  keyFile: file(),
  /** TLS between members. Default: plain HTTP; the key proves who asks, and nothing is hidden. */
  tls: Type.Optional(fleetTls),
  /** All members, `host:port`. One of `addresses` and `dns` says who the members are. */
  addresses: Type.Optional(Type.Array(address(), { maxItems: 256 })),
  /** A DNS name and a port, `host:port`: every address of it, as of a headless Service. */
  dns: Type.Optional(address()),
});
