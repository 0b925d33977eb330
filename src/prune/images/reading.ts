import { concurrently } from '../../base/flow/each.ts';
import { field, jsonOrNone } from '../../base/text/json.ts';
import { allTags } from '../../mirror/endpoints/reading.ts';
import { createdAt } from '../../mirror/images/built-at.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isManifestType, parseManifest } from '../../oci/manifest.ts';
import type { Reference, Tag } from '../../oci/reference.ts';
import { type PrunePlace, tagReading } from '../place.ts';
import { persistently } from '../run.ts';
import type { ListedManifest, RepositoryFacts } from './images-plan.ts';

interface RepositoryRead {
  readonly place: PrunePlace;
  readonly atOnce: number;
  readonly signal: AbortSignal;
}

/** An index in an index is the deepest that occurs. */
const deepest = 3;

/** Reads all of a repository, and later what came since. */
export class RepositoryReading implements RepositoryFacts {
  readonly tags = new Map<Tag, Digest>();
  readonly manifests = new Map<Digest, ListedManifest>();
  readonly unread: string[] = [];
  readonly #options: RepositoryRead;
  readonly #begun = new Map<Digest, Promise<ListedManifest | undefined>>();
  readonly #seen = new Set<Tag>();

  constructor(options: RepositoryRead) {
    this.#options = options;
  }

  /**
   * Lists all tags, and reads those that were not read before, with what they list. With
   * `asksAgain` each other tag is asked what it names by now: one HEAD each. What cannot be read is
   * told by `unread`. Throws `RegistryError` where the tags cannot be listed.
   */
  async read({ asksAgain = false }: { readonly asksAgain?: boolean } = {}): Promise<void> {
    const { place, atOnce, signal } = this.#options;
    const tags: Tag[] = [];
    for await (const tag of allTags(place.reader, place.repository, { signal }))
      if (asksAgain || !this.#seen.has(tag)) tags.push(tag);
    await concurrently(tags, atOnce, (tag) => this.#tag(tag), { signal });
  }

  /** Reads these too, with what they list, where the repository has them. */
  async readAlso(digests: Iterable<Digest>): Promise<void> {
    const { atOnce, signal } = this.#options;
    const unknown = [...digests].filter((digest) => !this.manifests.has(digest));
    const read = (digest: Digest) => this.#tried(digest, () => this.#manifest({ digest }));
    await concurrently(unknown, atOnce, async (digest) => void (await read(digest)), { signal });
  }

  async #tag(tag: Tag): Promise<void> {
    const { place, signal } = this.#options;
    this.#seen.add(tag);
    const known = this.tags.get(tag);
    if (known !== undefined && (await tagReading(place, tag, signal)) === known) return;
    const found = await this.#tried(tag, () => this.#manifest({ tag }));
    if (found !== undefined) this.tags.set(tag, found.digest);
  }

  /** Undefined where there is none, and after telling what could not be read. */
  async #tried<Result>(what: string, work: () => Promise<Result | undefined>): Promise<Result | undefined> {
    const { signal } = this.#options;
    try {
      return await persistently(work, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
      this.unread.push(`${what} cannot be read, and may need anything here: ${error.message}`);
      return undefined;
    }
  }

  async #manifest(reference: Reference, depth = 0): Promise<ListedManifest | undefined> {
    const { place, signal } = this.#options;
    const found = await place.reader.manifest(place.repository, reference, { signal });
    if (found.kind !== 'found' || found.bytes === undefined) return undefined;
    const { digest, mediaType } = found.descriptor;
    const begun = this.#begun.get(digest) ?? this.#parts(digest, mediaType, found.bytes, depth);
    this.#begun.set(digest, begun);
    return begun;
  }

  async #parts(digest: Digest, mediaType: string, bytes: Uint8Array, depth: number): Promise<ListedManifest> {
    const { children, blobs } = isManifestType(mediaType)
      ? parseManifest(bytes, mediaType)
      : { children: [], blobs: [] };
    const times: (number | undefined)[] = [];
    if (children.length > 0 && depth >= deepest)
      throw new RegistryError('UPSTREAM_INVALID', 'indexes are nested too deep');
    for (const child of children) {
      const read = () => this.#manifest({ digest: child.digest }, depth + 1);
      times.push((await this.#tried(child.digest, read))?.builtAt);
    }
    const config = field(field(jsonOrNone(bytes), 'config'), 'digest');
    if (isDigest(config)) times.push(await this.#builtAt(config));
    const known = times.filter((time) => time !== undefined);
    const builtAt = known.length === 0 ? undefined : Math.max(...known);
    const listed = {
      digest,
      size: bytes.length,
      children: children.map((child) => child.digest),
      blobs,
      builtAt,
    };
    this.manifests.set(digest, listed);
    return listed;
  }

  /** Undefined where it cannot be read: then the image stays. */
  async #builtAt(config: Digest): Promise<number | undefined> {
    const { place, signal } = this.#options;
    try {
      const open = () => place.reader.openBlob(place.repository, config, { signal });
      return await createdAt(await persistently(open, { signal }));
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }
}
