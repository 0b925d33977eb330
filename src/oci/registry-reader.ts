import { listOf, parseJson } from '../base/text/json.ts';
import { namesInList, type PackedNames, unpacked } from '../base/text/packed-names.ts';
import type { Bytes, Descriptor } from './content.ts';
import type { Digest } from './digest.ts';
import type { UpstreamReply } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { isTag, type Reference, type Repository, type Tag } from './reference.ts';

export interface Cancellable {
  readonly signal?: AbortSignal;
}

export interface ManifestOptions extends Cancellable {
  /** `HEAD`: learn the descriptor only. Default `GET`. */
  readonly method?: 'GET' | 'HEAD';
  /** The entity tag of what the caller holds; sent as `If-None-Match`. */
  readonly etag?: string;
  /** Whether a 429 is the answer at once, and not waited out. Default: false. */
  readonly isUrgent?: boolean;
  /** Whether only the registry itself is asked, and no source of what it lacks. Default: false. */
  readonly isOwn?: boolean;
}

/** What a registry says about a manifest. */
export type ManifestAnswer =
  /** 404: there is no such tag or digest in that repository, nor where `reason` says. */
  | {
      readonly kind: 'absent';
      readonly reason?: string;
      /** How long ago it said so, milliseconds, where a replica says it. Default: just now. */
      readonly ageMs?: number;
      /** The answer in the registry's own words, for the log. */
      readonly reply?: UpstreamReply | undefined;
    }
  /** 304: what `etag` names is still true. */
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'found';
      /** For a GET computed from the bytes; for a HEAD as the registry states it. */
      readonly descriptor: Descriptor & { readonly mediaType: string };
      /** The body, at most maxManifestBytes, its digest checked; absent for a HEAD. */
      readonly bytes?: Uint8Array;
      /** What the body lists, for callers that need not read it again. */
      readonly manifest?: Manifest;
      readonly etag?: string;
      /** `Warning` header values of the registry, to be passed on. */
      readonly warnings: readonly string[];
      /** How long ago it said so, milliseconds, where a replica says it. Default: just now. */
      readonly ageMs?: number;
    };

export interface BlobOptions extends Cancellable {
  /** First byte wanted; 0 without. */
  readonly start?: number;
  /** Last byte wanted, inclusive; the end without. */
  readonly end?: number;
  /** For a reader of the whole blob: called before bytes come from another source. */
  readonly sourced?: (source: BytesOrigin) => void;
}

/**
 * Where bytes of a blob come from: the registry itself, a replica that downloads or stores it, or
 * one of them, once the replicas have said which; and for which repository the replicas were asked.
 */
export type BytesOrigin =
  | { readonly from: 'registry'; readonly replica?: undefined }
  | { readonly from: 'unknown'; readonly repository: Repository; readonly replica?: undefined }
  | { readonly from: 'replica'; readonly repository: Repository; readonly replica: string };

/** One opened blob of a registry. Iterate `body` once, or call `close`. */
export interface OpenBlob {
  /** The whole blob's size in bytes, or undefined where the registry does not say. */
  readonly size: number | undefined;
  /**
   * The bytes from `start` to `end`, never others. An upstream resumes a broken connection while it
   * makes progress, then throws. Unverified, unless the reader says so.
   */
  readonly body: Bytes;
  close(): void;
  /** The bytes proved wrong: where another source may have right ones, it is asked next time. */
  distrust?(): void;
}

interface ListPage {
  /** The query of the registry's `Link: …; rel="next"`, without the `?`. */
  readonly nextQuery?: string;
  readonly warnings: readonly string[];
  /** How long ago the registry said so, milliseconds. Default: just now. */
  readonly ageMs?: number;
}

/** One page of tags, in the registry's order; names that are no tags are left out. */
export interface TagPage extends ListPage {
  readonly tags: readonly Tag[];
  /** The same, each once, of a long page: then `tags` takes time and memory. */
  readonly packed?: PackedNames;
}

/** One page of referrers: an OCI index, as the registry wrote it. */
export interface ReferrersPage extends ListPage {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** `OCI-Filters-Applied`, when the registry filtered. */
  readonly filtersApplied?: string;
}

/**
 * A registry that can be read: an upstream, the cache before one, an upstream with its misses
 * filled, a directory. Every method throws `RegistryError`: `UNAVAILABLE` (network, 5xx, breaker
 * open), `TOOMANYREQUESTS` (its 429, or our own limit), `DENIED` (401 or 403 after our own login),
 * `UPSTREAM_INVALID` (it lies). A client's credential never gets here.
 */
export interface RegistryReader {
  /** The host as users write it, such as `quay.io`; of a directory `file://` or `oci:`. */
  readonly name: string;
  manifest(repository: Repository, reference: Reference, options?: ManifestOptions): Promise<ManifestAnswer>;
  /** The blob's descriptor; undefined when the repository has no such blob. */
  statBlob(repository: Repository, digest: Digest, options?: Cancellable): Promise<Descriptor | undefined>;
  /** The blob's bytes; undefined when the repository has no such blob. */
  openBlob(repository: Repository, digest: Digest, options?: BlobOptions): Promise<OpenBlob | undefined>;
  /** One page of tags; undefined when there is no such repository. */
  tags(repository: Repository, query: string, options?: Cancellable): Promise<TagPage | undefined>;
  /** One page of referrers; undefined if the registry answers with anything but an index. */
  referrers(
    repository: Repository,
    digest: Digest,
    query: string,
    options?: Cancellable,
  ): Promise<ReferrersPage | undefined>;
}

const longBytes = 128 * 1024;

/**
 * Whether a page of tags is read in slices, and not parsed in one turn: 300,000 tags would hold up
 * all others for seconds.
 */
export function isLong(page: Uint8Array): boolean {
  return page.byteLength >= longBytes;
}

/** A page whose tags are made one by one for those who ask for them. */
export function longPage(packed: PackedNames, page: Omit<TagPage, 'tags'>): TagPage {
  return {
    ...page,
    packed,
    get tags() {
      return unpacked(packed).filter(isTag);
    },
  };
}

/** A page whose tags come as a JSON list, as between replicas. */
export async function listedPage(list: Uint8Array, page: Omit<TagPage, 'tags'>): Promise<TagPage> {
  const packed = isLong(list) ? await namesInList(list) : undefined;
  if (packed !== undefined) return longPage(packed, page);
  return { ...page, tags: listOf(parseJson(list)).filter(isTag) };
}
