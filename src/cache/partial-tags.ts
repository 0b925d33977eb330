import { LRUCache } from 'lru-cache';
import { type Digest, hexOf } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import { upTo } from './entries.ts';
import type { RepositoryScope } from './store/keys.ts';

/**
 * Tags of one repository that are remembered because records of what is below them could not be
 * written.
 */
const mostTags = 1_000;
const mostRepositories = 10_000;
/** Of all manifests that list too much, together; one of 4 MB takes 160 KB. */
const maxPrefixBytes = 16 * 1024 * 1024;
const entryBytes = 500;

/** A manifest whose content has no records, or not all of it. */
interface WideManifest {
  readonly repository: string;
  readonly tags: Set<Tag>;
  /** The first four bytes of each digest that it lists, in their order. */
  readonly prefixes: Uint32Array;
}

/**
 * Tags below which there is content without a record that says so: because a manifest lists too
 * much, or because the records could not be written. What has no record may be below one of them,
 * which the manifests then tell.
 */
export class PartialTags {
  readonly #wide = new LRUCache<string, WideManifest>({
    maxSize: maxPrefixBytes,
    sizeCalculation: ({ prefixes }) => entryBytes + prefixes.byteLength,
    dispose: ({ repository }, _key, reason) => {
      if (reason === 'evict') this.#lost.set(repository, true);
    },
  });
  readonly #unwritten = new LRUCache<string, Set<Tag>>(upTo(mostRepositories));
  /** Repositories that had more such tags than are remembered. */
  readonly #lost = new LRUCache<string, true>(upTo(mostRepositories));

  /** The manifest lists these, and not all of them have records with these tags. */
  addManifest(
    scope: RepositoryScope,
    manifest: Digest,
    lists: ReadonlySet<Digest>,
    tags: readonly Tag[],
  ): void {
    const repository = nameOf(scope);
    const key = `${repository}@${manifest}`;
    const known = this.#wide.get(key);
    if (known === undefined) {
      const prefixes = Uint32Array.from(lists, prefixOf).sort();
      this.#wide.set(key, { repository, tags: new Set(tags), prefixes });
    } else for (const tag of tags) known.tags.add(tag);
  }

  /**
   * Something below these tags has a record that was never written and is not remembered any more.
   */
  addUnwritten(scope: RepositoryScope, tags: readonly Tag[]): void {
    const repository = nameOf(scope);
    const known = this.#unwritten.get(repository) ?? new Set();
    for (const tag of tags)
      if (known.size < mostTags) known.add(tag);
      else if (!known.has(tag)) this.#lost.set(repository, true);
    this.#unwritten.set(repository, known);
  }

  /** Tags that may lead to the digest. */
  towards(scope: RepositoryScope, digest: Digest): readonly Tag[] {
    const repository = nameOf(scope);
    const tags = new Set(this.#unwritten.get(repository));
    for (const wide of this.#wide.values())
      if (wide.repository === repository && has(wide.prefixes, prefixOf(digest)))
        for (const tag of wide.tags) tags.add(tag);
    return [...tags];
  }

  /**
   * Whether there were more such tags than are remembered: what is found below none may be below
   * one of those.
   */
  isLost(scope: RepositoryScope): boolean {
    return this.#lost.has(nameOf(scope));
  }
}

function nameOf({ upstream, repository }: RepositoryScope): string {
  return `${upstream}/${repository}`;
}

function prefixOf(digest: Digest): number {
  return Number.parseInt(hexOf(digest).slice(0, 8), 16);
}

function has(sorted: Uint32Array, wanted: number): boolean {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? 0) < wanted) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === wanted;
}
