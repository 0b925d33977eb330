// Room `config/schema`: the schema of the settings, a part in each file. In: nothing. Out: types,
// defaults and checks. Imports: base.

import Type from 'typebox';
import { clusterSchema, ruleSchema } from './clusters.ts';
import { fleetSchema } from './fleet.ts';
import { helpersSchema } from './helpers.ts';
import { hostSchema } from './hosts.ts';
import { leaf } from './leaf.ts';
import {
  address,
  bytes,
  closed,
  count,
  file,
  httpUrl,
  listenOrNone,
  ms,
  oneOf,
  parseNetwork,
  pattern,
  section,
  text,
  timerMs,
} from './leaves.ts';
import { mirrorSchema } from './mirror.ts';
import { storeSchema } from './store.ts';
import { tagsSchema, upstreamSchema } from './upstreams.ts';

const tls = closed({
  /** The certificate chain, PEM. */
  certFile: file(),
  /** Its private key, PEM. */
  keyFile: file(),
});

/** Metrics, health and what operators do, on a port of its own, which the world need not reach. */
const admin = section({
  /** Default `127.0.0.1:8401`; `false` for none. */
  listen: listenOrNone('127.0.0.1:8401'),
  /** Tokens of operators from elsewhere, one a line; read again when it changes. Default: none. */
  tokenFile: Type.Optional(file()),
  /** The cluster whose users may be operators, by its RBAC on `/quayside/*`. Default: none. */
  cluster: Type.Optional(text()),
  /** What a GB (10^9 bytes) from an upstream costs, to show what is saved. Default: none. */
  pricePerGB: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
});

/** What is logged, as JSON lines on standard output. */
const log = section({
  /** The least important that is written. Default `info`. */
  level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], { default: 'info' }),
  /** Also the log lines of `qci-appci`, for existing queries and alerts. Default false. */
  qciAppci: Type.Boolean({ default: false }),
});

/** Where conditions are shown besides `/statusz`, metrics and the log. */
const conditions = section({
  /**
   * How long a part of our own must fail until it counts; what others restart, 2.5 times as long.
   * Default 2 minutes, the time of a restart.
   */
  inertiaMs: ms({ default: '2m' }),
  /** One of `clusters`, which gets an Event for each change. Default: none. */
  cluster: Type.Optional(text()),
  /** The namespace of our pods there. Needed with `cluster`. */
  namespace: Type.Optional(text()),
  /** The ConfigMap in that namespace that holds the conditions of all replicas. Default: none. */
  configMap: Type.Optional(text()),
});

/** Where a download is written while it runs. */
const spool = section({
  /**
   * The directory. Default: `spool` in the filesystem store or in `store.disk`, else
   * `quayside-spool` in `TMPDIR`.
   */
  path: Type.Optional(text()),
  /** Bytes of all downloads; a blob above it passes through and is not stored. Default 20 GiB. */
  maxBytes: bytes({ default: '20GiB' }),
});

/** What is answered without touching the store: manifests, configs, small blobs. */
const memory = section({
  /** Bytes of all. Default 64 MiB: some ten thousand manifests. */
  maxBytes: bytes({ default: '64MiB' }),
  /** Larger content is not kept in memory. Default 128 KiB. */
  maxEntryBytes: bytes({ default: '128KiB' }),
});

/** Which content goes when the store is full: the least recently used. */
const eviction = section({
  /** The store's size. Default: none, and nothing is ever evicted. */
  maxBytes: Type.Optional(bytes()),
  /** Eviction begins above this part of `maxBytes`, in percent. Default 90. */
  highPercent: Type.Number({ minimum: 1, maximum: 100, default: 90 }),
  /** And ends below this part, in percent. Default 80. */
  lowPercent: Type.Number({ minimum: 0, maximum: 99, default: 80 }),
  /** How often the size is looked at, in milliseconds. Default 5 min. */
  everyMs: timerMs({ default: '5m' }),
  /** Never evicted: content of tags whose `<upstream>/<repository>:<tag>` matches. */
  pins: Type.Array(pattern(), { default: [] }),
});

/** A bound on requests under way; 0 for none. */
const limitOf = (maxRunning: number) =>
  section({
    /** Requests answered at once. Default 1000, of logins 200; 0 for no limit at all. */
    maxRunning: count({ default: maxRunning }),
    /** Requests that may wait for their turn; more are refused with 429. Default 1000. */
    maxInQueue: count({ default: 1000 }),
    /** How long one may wait, in milliseconds. Default 10 s; 0 for as long as the client does. */
    maxWaitInQueueMs: ms({ default: '10s' }),
  });

/** All settings. A comment names the unit, the default, and the reason to change it. */
export const settingsSchema = closed({
  /** The listen address. Default `127.0.0.1:8400`: local clients only. */
  listen: address({ default: '127.0.0.1:8400' }),
  /** Serve HTTPS. Default: plain HTTP. */
  tls: Type.Optional(tls),
  /** The URL for clients, behind a proxy that ends TLS or renames the host. Default: none. */
  publicUrl: Type.Optional(httpUrl()),
  /**
   * Networks (CIDR) of the proxies in front of this service whose statement of the client's address
   * counts, at most 256. Default: none, and the client is the peer of the connection. Other clients
   * must not be able to connect from there.
   */
  trustedProxies: Type.Array(leaf(parseProxies, { description: 'a network, such as 10.0.0.0/8' }), {
    maxItems: 256,
    default: [],
  }),
  admin,
  conditions,
  log,
  /** Traces of OpenTelemetry, which the variables of its standard turn on. */
  tracing: section({
    /**
     * Networks (CIDR) of clients whose `traceparent` makes a request part of their trace, at most
     * 256. Of others it is only linked, so that no client decides what is recorded here. Default:
     * every client.
     */
    trustedParents: Type.Optional(
      Type.Array(leaf(parseProxies, { description: 'a network, such as 10.0.0.0/8' }), { maxItems: 256 }),
    ),
    /**
     * Names of upstreams that get `traceparent`, so that their spans are part of the trace: those
     * whose traces go to the same collector. Default: none, as it tells others which requests of
     * theirs belong together.
     */
    upstreams: Type.Array(text(), { default: [] }),
  }),
  /**
   * Processes that serve: a number, or `auto` for one on each core. More than one helps where one
   * process keeps its core busy all the time. Default 1.
   */
  workers: leaf(parseWorkers, { default: 1, description: 'a number of processes, or auto' }),
  /** How long to serve after SIGTERM while `/readyz` is 503, in ms. Default 5 s. */
  shutdownDelayMs: ms({ default: '5s' }),
  /** How long requests under way may take at shutdown, in milliseconds. Default 30 s. */
  shutdownGraceMs: ms({ default: '30s' }),
  store: storeSchema,
  /**
   * Whether the kernel sends files to clients without TLS, by `sendfile` of Linux: stored blobs,
   * copies before a bucket, downloads under way. Default true: a quarter of the processor time.
   * `false` is for a file system that cannot.
   */
  sendfile: Type.Boolean({ default: true }),
  spool,
  memory,
  eviction,
  tags: tagsSchema,
  /** As in OpenShift's registry: GET, HEAD and OPTIONS are reads; blobs and logins are apart. */
  limits: section({
    /** Everything but bodies of blobs and logins: manifests, lists, pings. */
    read: limitOf(1000),
    /** Bodies of blobs: so that no number of slow downloads holds up the small answers. */
    blobs: limitOf(1000),
    /** Logins at the token end-point. */
    logins: limitOf(200),
    /** Writes, which are answered 405: a client that pushes takes no slot of a pull. */
    write: limitOf(1000),
    /**
     * Disconnects a client that reads nothing for up to twice as long, ms. Default 60 s; 0: never.
     */
    idleClientMs: ms({ default: '60s' }),
  }),
  /** The upstream of a path whose first segment names none. Default `quay.io`; `none`: 404. */
  defaultUpstream: text({ default: 'quay.io' }),
  /** By the host name that users write. Default: seven public registries. A list replaces them. */
  upstreams: Type.Record(text(), upstreamSchema, {
    default: {
      'quay.io': {},
      'docker.io': {},
      'ghcr.io': {},
      'registry.k8s.io': {},
      'public.ecr.aws': {},
      'gcr.io': {},
      'registry.access.redhat.com': {},
    },
  }),
  /** Programs that have logins for registries. Default: none is run. */
  credentialHelpers: helpersSchema,
  /** Replicas that share one upstream link. Default: this process alone. */
  fleet: Type.Optional(fleetSchema),
  /** Copying between registries. Default: none. */
  mirror: Type.Optional(mirrorSchema),
  /** Clusters whose logins `auth: cluster` accepts, by name, in order of asking. Default: none. */
  clusters: Type.Record(text(), clusterSchema, { default: {} }),
  /** Lists of rules by name, for a host's `access`. Default: none but the built-in ones. */
  rules: Type.Record(text(), Type.Array(ruleSchema), { default: {} }),
  /** By the `Host` of the request. Default: every name, without a login. */
  hosts: Type.Record(text(), hostSchema, { default: { '*': {} } }),
});

/** The settings as an operator wrote them, defaults filled in, units read. */
export type Settings = Type.StaticDecode<typeof settingsSchema>;

const mostWorkers = 64;

function parseWorkers(value: unknown): number | 'auto' {
  if (value === 'auto') return value;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= mostWorkers)
    return value;
  throw new Error(`must be auto, or a number of processes from 1 to ${mostWorkers}`);
}

function parseProxies(value: unknown): string {
  const network = parseNetwork(value);
  if (/\/0+$/.test(network))
    throw new Error(`covers every address, so that any client could forge its own: ${network}`);
  return network;
}
