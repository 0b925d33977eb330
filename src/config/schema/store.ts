import Type from 'typebox';
import { leaf } from './leaf.ts';
import {
  aTime,
  bytes,
  closed,
  count,
  file,
  httpUrl,
  oneOf,
  parseNetwork,
  parseTimerMs,
  seconds,
  text,
  timerMs,
} from './leaves.ts';

/** When a blob is answered with a 307 to S3: never, always, or to clients of these networks. */
export type RedirectMode = 'always' | 'never' | { readonly networks: readonly string[] };

const filesystem = closed({
  /** The directory. Default `./.quayside`, below the working directory. */
  path: text({ default: './.quayside' }),
  /**
   * Which whole reads of stored blobs are hashed while they stream. Default `first`: the first by
   * each process, of what it did not store itself. `always` is for a disk that is not trusted, and
   * costs 0.6 s of a core for each GiB served.
   */
  verifyReads: oneOf(['first', 'always'], { default: 'first' }),
});

const memory = closed({
  /** Bytes; above it the least recently used go. Default 1 GiB. For trials: lost at a restart. */
  maxBytes: bytes({ default: '1GiB' }),
});

const s3 = closed({
  /** The name of the bucket, which must exist: see `quayside bucket ensure`. */
  bucket: text(),
  /** Default `us-east-1`, which most S3-compatible servers accept. */
  region: text({ default: 'us-east-1' }),
  /** The server's URL. Default: AWS, by region. */
  endpoint: Type.Optional(httpUrl()),
  /** The bucket in the path, not the host name; most servers but AWS need it. Default false. */
  pathStyle: Type.Boolean({ default: false }),
  /** Put before every key, without a `/` at either end. Default: none. */
  prefix: Type.Optional(text()),
  /** The id of the key. Default: the AWS chain (environment, web identity, instance role). */
  accessKeyIdFile: Type.Optional(file()),
  /** The secret of that key. Required with `accessKeyIdFile`. */
  secretAccessKeyFile: Type.Optional(file()),
  /** The session token of a temporary key. Default: none, the key is a lasting one. */
  sessionTokenFile: Type.Optional(file()),
  /** Connections to S3. Default 256: one for each slow reader, and a bound on file handles. */
  maxSockets: count({ minimum: 1, default: 256 }),
  /**
   * How long a call may take until S3's answer begins, tries included, in milliseconds; a read of a
   * blob a quarter where S3 answers nothing else meanwhile. Default 3 s; more for an S3 that is far
   * away. Past it a pull goes on at the upstream, and after three in a row S3 is left alone until a
   * probe succeeds.
   */
  firstByteTimeoutMs: timerMs({ default: '3s' }),
  /** Below this many bytes a second the upstream delivers the rest. Default 32 KiB; 0: no limit. */
  leastBytesPerSecond: bytes({ default: '32KiB' }),
  /** The size of a part, 5 MiB at least. Default: by the blob's size, at most 10,000 parts. */
  partBytes: Type.Optional(bytes()),
  /** Default `never`: clients need no route to S3, nor its certificate and clock. */
  redirect: leaf(parseRedirect, {
    default: 'never',
    description: 'always, never, or networks: with a list of networks',
  }),
  /**
   * Looks whether the bucket exists, every 5 s, and at its settings, every 10 minutes, for the
   * conditions; changes nothing. Default true; false where each call to S3 counts.
   */
  check: Type.Boolean({ default: true }),
  /** Whose bucket it is: its tag `quayside/<identity>` is `owned`. Default `quayside`. */
  identity: leaf(parseIdentity, { default: 'quayside', description: '1 to 63 letters, digits, ., _ or -' }),
  /** How long a redirect's URL works, in seconds. Default 20 minutes: a download begins within. */
  redirectExpiresSeconds: seconds({ default: '20m' }),
});

const disk = closed({
  /** The directory, on a local disk. The spool is below it, unless `spool.path` is set. */
  path: text(),
  /** What the copies may hold, bytes; above it the least recently used go. Default 20 GiB. */
  maxBytes: bytes({ default: '20GiB' }),
});

/** Where content is kept: exactly one of filesystem, memory and s3. */
export const storeSchema = Type.Object(
  {
    /** A directory of this machine. */
    filesystem: Type.Optional(filesystem),
    /** The process's own memory. */
    memory: Type.Optional(memory),
    /** A bucket, which several replicas may share. */
    s3: Type.Optional(s3),
    /** A local disk before the bucket: copies of what is served, read without S3. Default: none. */
    disk: Type.Optional(disk),
    /**
     * How often every stored blob is read and verified in the background, in milliseconds; `false`
     * or 0 for never. Default: one day for a directory; never for a bucket, whose whole reads are
     * all verified, and where each byte read costs money.
     */
    scrubEveryMs: Type.Optional(leaf(parseScrubEvery, { description: `${aTime}, or false` })),
    /** Its rate, in bytes a second; slower while clients read. Default 16 MiB: 1.4 TB a day. */
    scrubBytesPerSecond: bytes({ default: '16MiB' }),
  },
  { additionalProperties: false, default: { filesystem: {} } },
);

/** As part of the key of a tag. */
function parseIdentity(value: unknown): string {
  if (typeof value === 'string' && /^[a-zA-Z0-9._-]{1,63}$/.test(value)) return value;
  throw new Error('must have 1 to 63 letters, digits, ., _ or -');
}

function parseScrubEvery(value: unknown): number | false {
  return value === false || value === 0 ? false : parseTimerMs(value);
}

function parseRedirect(value: unknown): RedirectMode {
  if (value === 'always' || value === 'never') return value;
  const networks = isNetworks(value) ? value.networks : undefined;
  if (networks === undefined) throw new Error('must be always, never, or networks: with a list of networks');
  return { networks: networks.map(parseNetwork) };
}

function isNetworks(value: unknown): value is { networks: unknown[] } {
  if (typeof value !== 'object' || value === null || !('networks' in value)) return false;
  return Object.keys(value).length === 1 && Array.isArray(value.networks) && value.networks.length > 0;
}
