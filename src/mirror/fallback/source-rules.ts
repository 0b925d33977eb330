import type { Expression } from '../../base/text/expression.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import { type ImageReference, imageReferenceOrNone } from '../references/image-reference.ts';
import { qci } from '../references/names.ts';
import type { MissRule, MissSource } from './rule.ts';

/** A rule of `mirror.misses.sources`: a place by `match` and `from`, or a preset. */
export interface SourceRule {
  /** The whole of `<upstream>/<repository>:<tag>` or `…@<digest>`. Default: all. */
  readonly match?: Pick<Expression, 'match' | 'source'>;
  /** The pull spec; `${group}` is the text of a named group. */
  readonly from?: string;
  readonly preset?: 'openshift-ci' | 'config-file' | 'history';
  /** Default: true for the presets that are a MissRule. */
  readonly copy?: boolean;
}

/** One place to look for a tag or digest: an image, or what our own records say of the tag. */
type MissPlace =
  | { readonly kind: 'image'; readonly source: MissSource; readonly isCopied: boolean }
  | { readonly kind: 'history' };

/** Where to look for what a registry lacks, in this order; a reference with both is a digest. */
export type MissPlaces = (place: RepositoryScope, reference: Reference) => readonly MissPlace[];

type CiRules = Readonly<Record<'openshift-ci' | 'config-file', MissRule>>;

/**
 * The rules as a function. A rule that names what was asked for itself, or no valid pull spec, has
 * no place for it. By digest a place is a repository: the digest stays the one that was asked for.
 */
export function createMissPlaces(rules: readonly SourceRule[], presets: CiRules): MissPlaces {
  return (place, reference) => rules.flatMap((rule) => placeOf(rule, { place, reference }, presets) ?? []);
}

/** Whether a rule may be for the upstream: it says its host literally at the start, or no host. */
export function mayFill(rules: readonly SourceRule[], upstream: string): boolean {
  return rules.some(({ match, preset }) => {
    if (preset === 'openshift-ci' || preset === 'config-file') return qci.startsWith(`${upstream}/`);
    const host = match && literalHost(match.source);
    return host === undefined || host === upstream;
  });
}

interface Asked {
  readonly place: RepositoryScope;
  readonly reference: Reference;
}

function placeOf(
  { match, from = '', preset, copy }: SourceRule,
  { place, reference }: Asked,
  presets: CiRules,
): MissPlace | undefined {
  const { tag, digest } = reference;
  const own = `${place.upstream}/${place.repository}`;
  const groups = match === undefined ? {} : match.match(digest ? `${own}@${digest}` : `${own}:${tag}`);
  if (groups === undefined) return undefined;
  if (preset === 'history') return digest === undefined ? { kind: 'history' } : undefined;
  if (preset !== undefined) {
    const source = digest === undefined ? presets[preset](place, tag) : undefined;
    return source && { kind: 'image', source, isCopied: copy ?? true };
  }
  const source = imageReferenceOrNone(filledIn(from, groups) ?? '');
  if (source === undefined || leadsBack(source, own, reference)) return undefined;
  return { kind: 'image', source, isCopied: copy === true && digest === undefined };
}

/** The same repository has the same digests. */
function leadsBack(source: ImageReference, own: string, { tag, digest }: Reference): boolean {
  if (`${source.registry}/${source.repository}` !== own) return false;
  return digest !== undefined || source.reference.tag === tag;
}

/** Undefined where a group is not part of the match. */
function filledIn(from: string, groups: Readonly<Record<string, string | undefined>>): string | undefined {
  let isWhole = true;
  const text = from.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = groups[name];
    if (value === undefined) isWhole = false;
    return value ?? '';
  });
  return isWhole ? text : undefined;
}

/** `quay\.io/…`: `quay.io`; undefined where the expression may fit several hosts. */
function literalHost(expression: string): string | undefined {
  const [, host] = /^((?:[\w:-]|\\?\.)+)\//.exec(expression) ?? [];
  return expression.includes('|') ? undefined : host?.replaceAll('\\', '');
}
