import { createLru } from '../../base/state/lru.ts';
import type { ServedManifest } from '../../cache/manifests/tag-resolver.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { createHistory } from './history.ts';
import type { MissQuestions } from './questions.ts';
import { isAbsent, type MissSources, type OpenSource, sourceUnavailable } from './sources.ts';

interface MissSearchOptions {
  /** The name of the upstream that lacks the tags. */
  readonly upstream: string;
  readonly sources: Pick<MissSources, 'ofTag'>;
  readonly questions: MissQuestions;
  readonly history: ReturnType<typeof createHistory>;
  /** Tags whose last meaning is remembered after its record is gone. */
  readonly maxEntries: number;
}

/** What a search came to. `reason` says, in one line for clients, where the tag was looked for. */
type SearchResult =
  | { readonly kind: 'found'; readonly manifest: ServedManifest; readonly from: OpenSource }
  | { readonly kind: 'remembered'; readonly manifest: ServedManifest }
  | { readonly kind: 'none'; readonly outcome: 'absent' | 'limited'; readonly reason: string };

/**
 * Looks for a tag at its sources, in their order, and ends at the first that has it. Undefined if
 * no rule is for the tag. Throws `UNAVAILABLE` where a source cannot tell: an image of a later one
 * could be another than the tag means. One that refuses our login cannot tell.
 */
export type MissSearch = (repository: Repository, tag: Tag) => Promise<SearchResult | undefined>;

/** No tag is remembered yet. */
export function createMissSearch(options: MissSearchOptions): MissSearch {
  const { upstream, sources, questions, history, maxEntries } = options;
  const lastTexts = createLru<string, string>(maxEntries);

  /** When it was answered last, and as what; after its record is gone, as this process knows it. */
  async function lastText(key: string, repository: Repository, tag: Tag): Promise<string[]> {
    const pointer = await history.find(repository, tag);
    if (pointer !== undefined) {
      const day = new Date(pointer.checkedAt).toISOString().slice(0, 10);
      lastTexts.set(key, `last answered on ${day} as ${pointer.digest}`);
    }
    const text = lastTexts.get(key);
    return text === undefined ? [] : [text];
  }

  return async (repository, tag) => {
    const places = sources.ofTag(repository, tag);
    if (places.length === 0) return undefined;
    const own = `${upstream}/${repository}`;
    const key = `${own}:${tag}`;
    const known = questions.absence(key);
    if (known !== undefined) return { kind: 'none', outcome: 'absent', reason: known };
    const reasons = [`not in ${own}`];
    // A tag of our own records is no guess, and a 404 would end its record.
    const isOurs = places.includes('history') && (await history.find(repository, tag)) !== undefined;
    for (const from of places) {
      if (from === 'history') {
        const manifest = await history.remembered(repository, tag);
        if (manifest !== undefined) return { kind: 'remembered', manifest };
        continue;
      }
      const name = sourceName(from, own);
      if (!questions.mayAsk(key) && !isOurs) {
        const reason = `${reasons.join('; ')}; ${name} is not asked: too many unknown tags`;
        return { kind: 'none', outcome: 'limited', reason };
      }
      try {
        const manifest = await from.origin.manifests.resolve(from.repository, from.reference);
        questions.answeredYes(key);
        return { kind: 'found', manifest, from };
      } catch (error) {
        if (!isAbsent(error)) throw sourceUnavailable(error, [...reasons, name]);
        reasons.push(`not at ${name}`);
      }
    }
    const reason = [...new Set([...reasons, ...(await lastText(key, repository, tag))])].join('; ');
    questions.answeredNo(key, reason);
    return { kind: 'none', outcome: 'absent', reason };
  };
}

/** What a client may be told of a place: its host as users write it, never an address. */
function sourceName({ registry, repository, reference }: OpenSource, own: string): string {
  return `${registry}/${repository}` === own ? `${own}:${reference.tag ?? reference.digest}` : registry;
}
