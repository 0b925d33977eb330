import Type from 'typebox';
import { address, closed, file, text } from './leaves.ts';

/** Certificates between members; each must be issued by `caFile`, and is shown by either side. */
const fleetTls = closed({
  /** The certificate chain of this member, PEM. */
  certFile: file(),
  /** Its private key, PEM. */
  keyFile: file(),
  /** The authority that issues the certificates of members, and of nothing else, PEM. */
  caFile: file(),
});

/** The pods behind a Service of a cluster, by its EndpointSlices. */
const fleetSlices = closed({
  /** A name under `clusters`: the one that we run in. */
  cluster: text(),
  /** The namespace of the Service. */
  namespace: text(),
  /** The name of the Service. */
  service: text(),
  /** The name of its port between members. Default: its only port. */
  port: Type.Optional(text()),
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
  /** All members, `host:port`. One of `addresses`, `dns` and `endpointSlices` says who they are. */
  addresses: Type.Optional(Type.Array(address(), { maxItems: 256 })),
  /** A DNS name and a port, `host:port`: every address of it, as of a headless Service. */
  dns: Type.Optional(address()),
  /** Members by the API of a cluster, which tells of changes at once. */
  endpointSlices: Type.Optional(fleetSlices),
});
