// Room `upstream/push`: writes to one registry: blobs, manifests, mounts. In: content and
// repository. Out: a confirmed write. Imports: base, oci, upstream, upstream/client, upstream/http,
// upstream/resilience.

import { type Clock, systemClock } from '../../base/time/wait.ts';
import type { Bytes, Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Reference, Repository, Tag } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import { probeBlob, statBlob } from '../client/blobs.ts';
import { type Connection, createConnection } from '../client/connection.ts';
import { askManifest } from '../client/manifests.ts';
import type { PushRight } from '../exchange.ts';
import { settingsOf, type UpstreamOptions, type UpstreamSettings } from '../http/options.ts';
import { deletedManifest, deletedTag, type TagDeleteOptions } from './delete-tag.ts';
import { pushBlob } from './push-blob.ts';
import { type PushedManifest, pushManifest } from './push-manifest.ts';
import { isSeen } from './seen.ts';
import { createSentBytes, type SentBytes } from './sent-bytes.ts';
import { createUploadManners, type UploadManners } from './upload-manners.ts';
import { mounted, type UploadWay } from './uploads.ts';

export interface WriterOptions extends UpstreamOptions {
  /** Tries after the first before an answer's first byte. Default: 6. */
  readonly retries?: number;
  /** A `Retry-After` of up to so long is waited for, seconds. Default: 60. */
  readonly longestWaitSeconds?: number;
  /** Tries to resume a broken upload without one new byte at the registry. Default: 8. */
  readonly resumes?: number;
  /** How many of these, with the first, may send bytes in vain; not counting 429. Default: 4. */
  readonly sends?: number;
  /**
   * Blobs up to this size, in bytes, are held in memory and need one request less: a fifth of the
   * time at 64 KiB with a registry on the same machine, nothing at 1 MiB. Default: 256 KiB.
   */
  readonly smallBytes?: number;
  /** The size of chunks for a registry that wants chunks, bytes. Default: 32 MiB. */
  readonly chunkBytes?: number;
  /** What a registry may take to answer once it has all bytes, milliseconds. Default: 300,000. */
  readonly commitTimeoutMs?: number;
  /** Tells how long a registry takes none of the bytes. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * A registry that we write to. Every method throws `RegistryError` as an Upstream does, and the
 * registry's errors for a push: `BLOB_UNKNOWN`, `BLOB_UPLOAD_INVALID`, `DIGEST_INVALID`,
 * `MANIFEST_BLOB_UNKNOWN`, `MANIFEST_INVALID`, `NAME_INVALID`, `NAME_UNKNOWN`, `SIZE_INVALID`,
 * `TAG_INVALID`, `UNSUPPORTED`. The detail names repository and digest. Errors of a blob's source
 * pass unchanged. A method resolves only after a HEAD confirmed the result.
 */
export interface RegistryWriter {
  /** The host as users write it. */
  readonly name: string;
  statManifest(
    repository: Repository,
    reference: Reference,
    options?: Cancellable,
  ): Promise<Descriptor | undefined>;
  statBlob(repository: Repository, digest: Digest, options?: Cancellable): Promise<Descriptor | undefined>;
  /** False when the registry will not, for whatever reason: the blob is to be uploaded. */
  mountBlob(
    repository: Repository,
    digest: Digest,
    from: Repository,
    options?: Cancellable,
  ): Promise<boolean>;
  /** `open` gives the bytes from an offset on, again after each break. `size` below 0: unknown. */
  putBlob(
    repository: Repository,
    descriptor: Descriptor,
    open: (start: number) => Promise<Bytes>,
    options?: Cancellable,
  ): Promise<void>;
  /** Byte for byte, with its own media type. */
  putManifest(
    repository: Repository,
    reference: Reference,
    manifest: PushedManifest,
    options?: Cancellable,
  ): Promise<void>;
  /**
   * Takes a tag away; its manifest stays where the registry tells them apart (end-9). Throws
   * `UNSUPPORTED` where the registry deletes no tags.
   */
  deleteTag(repository: Repository, tag: Tag, options?: TagDeleteOptions): Promise<void>;
  /**
   * Deletes a manifest, and every tag that names it (end-9). Throws `UNSUPPORTED` where the
   * registry deletes nothing.
   */
  deleteManifest(repository: Repository, digest: Digest, options?: Cancellable): Promise<void>;
  /** Ends every connection. Requests fail; the registry expires unfinished sessions. */
  close(): Promise<void>;
}

type WriterSettings = UpstreamSettings & Required<Pick<WriterOptions, keyof typeof defaults>>;

interface Writer {
  readonly link: Connection;
  readonly settings: WriterSettings;
  readonly manners: UploadManners;
}

const defaults = {
  retries: 6,
  longestWaitSeconds: 60,
  resumes: 8,
  sends: 4,
  smallBytes: 256 * 1024,
  chunkBytes: 32 * 1024 * 1024,
  commitTimeoutMs: 300_000,
  clock: systemClock,
} satisfies Partial<WriterOptions>;

/** Further checks for a blob that a registry accepted: some show it only after seconds. */
const looks = 3;

/** A registry over HTTP, for writing. Nothing is asked, and no file read, before the first call. */
export function createRegistryWriter(options: WriterOptions): RegistryWriter {
  const settings = { ...defaults, ...settingsOf({ ...defaults, ...options }) };
  const link = createConnection(settings);
  const writer: Writer = { link, settings, manners: createUploadManners() };
  return {
    name: settings.name,
    statManifest: (repository, reference, asked = {}) =>
      about({ repository, ...digestIn(reference) }, () =>
        statedManifest(writer, repository, reference, asked),
      ),
    statBlob: (repository, digest, asked) =>
      about({ repository, digest }, () =>
        statBlob(withRight(link, { repository }), repository, digest, asked),
      ),
    mountBlob: (repository, digest, from, asked = {}) =>
      about({ repository, digest, from }, () => mountedBlob(writer, repository, digest, from, asked)),
    putBlob(repository, descriptor, open, asked = {}) {
      const bytes = createSentBytes(descriptor, open);
      const work = () => pushedBlob(writer, repository, descriptor, bytes, asked);
      return about({ repository, digest: descriptor.digest }, work, bytes);
    },
    putManifest: (repository, reference, manifest, asked = {}) =>
      about({ repository, digest: manifest.descriptor.digest }, () =>
        pushedManifest(writer, repository, reference, manifest, asked),
      ),
    deleteTag: (repository, tag, asked = {}) =>
      about({ repository, tag }, () => deletedTag(link, repository, tag, { ...asked, ...settings })),
    deleteManifest: (repository, digest, asked = {}) =>
      about({ repository, digest }, () =>
        deletedManifest(link, repository, digest, { ...asked, ...settings }),
      ),
    close: () => link.close(),
  };
}

async function statedManifest(
  { link }: Writer,
  repository: Repository,
  reference: Reference,
  { signal }: Cancellable,
): Promise<Descriptor | undefined> {
  const asked = { method: 'HEAD', ...(signal === undefined ? {} : { signal }) } as const;
  const answer = await askManifest(withRight(link, { repository }), repository, reference, asked);
  return answer.kind === 'found' ? answer.descriptor : undefined;
}

async function mountedBlob(
  writer: Writer,
  repository: Repository,
  digest: Digest,
  from: Repository,
  asked: Cancellable,
): Promise<boolean> {
  if (!(await isMounted(wayTo(writer, repository, asked), digest, from))) return false;
  const found = await statBlob(withRight(writer.link, { repository, from }), repository, digest, asked);
  return found !== undefined;
}

/** A failed mount, such as a token server's refusal, says nothing about an upload. */
async function isMounted(way: UploadWay, digest: Digest, from: Repository): Promise<boolean> {
  try {
    return await mounted(way, digest, from);
  } catch (error) {
    way.signal?.throwIfAborted();
    if (error instanceof RegistryError && error.code !== 'TOOMANYREQUESTS') return false;
    throw error;
  }
}

async function pushedBlob(
  writer: Writer,
  repository: Repository,
  descriptor: Descriptor,
  bytes: SentBytes,
  asked: Cancellable,
): Promise<void> {
  const { link, settings, manners } = writer;
  const right = withRight(link, { repository });
  const isThere = async (look = 0): Promise<boolean> => {
    const ask = look === 0 ? statBlob : probeBlob;
    const found = await ask(right, repository, descriptor.digest, asked);
    return found !== undefined && (bytes.size === undefined || found.size === bytes.size);
  };
  const resumed = (): void => settings.events?.retried({ upstream: settings.name, reason: 'resume' });
  const isConfirmed = () => isSeen(isThere, looks, { ...settings, ...asked });
  const push = { ...settings, manners, resumed, isThere, isConfirmed };
  await pushBlob(wayTo(writer, repository, asked), descriptor, bytes, push);
}

function pushedManifest(
  { link, settings }: Writer,
  repository: Repository,
  reference: Reference,
  manifest: PushedManifest,
  asked: Cancellable,
): Promise<void> {
  const { commitTimeoutMs, random } = settings;
  const right = withRight(link, { repository });
  return pushManifest(manifest, {
    connection: right,
    repository,
    reference,
    commitTimeoutMs,
    random,
    ...asked,
  });
}

function wayTo({ link, settings }: Writer, repository: Repository, { signal }: Cancellable): UploadWay {
  const { commitTimeoutMs, progressTimeoutMs, uploadHosts = [], clock } = settings;
  const limits = { commitTimeoutMs, progressTimeoutMs, clock };
  return { connection: link, push: { repository }, ...limits, uploadHosts, signal };
}

/** The same connection with one scope: reading and writing a repository then need one token. */
function withRight(link: Connection, push: PushRight): Connection {
  return {
    ...link,
    once: (ask) => link.once({ push, ...ask }),
    tried: (ask, read) => link.tried({ push, ...ask }, read),
  };
}

/** Adds the subject to a refusal, except to those of the source. */
async function about<T>(
  facts: Readonly<Record<string, string>>,
  work: () => Promise<T>,
  source?: SentBytes,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistryError) || error === source?.failure) throw error;
    throw new RegistryError(error.code, error.message, {
      cause: error.cause,
      detail: { ...error.detail, ...facts },
      headers: error.headers,
      retry: error.retry,
      ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
    });
  }
}

function digestIn({ digest }: Reference): { readonly digest?: Digest } {
  return digest === undefined ? {} : { digest };
}
