import { tagGlob } from '../../base/text/glob.ts';
import { isStagingTag } from '../../image-streams/flat-tags.ts';
import { isMany, type Mapping, prefixOf } from '../../mirror/batch/mapping.ts';
import { placeText, pullSpecText } from '../../mirror/references/pull-spec.ts';
import { isTag } from '../../oci/reference.ts';
import { isBelow } from './login-names.ts';
import type { MovedImage, NamedImage, ReferenceRule } from './rules.ts';

/**
 * The rules of mappings of `quayside mirror`, in their order. A mapping from or to a disk is none:
 * no object names a disk.
 */
export function mappingRules(mappings: readonly Mapping[]): readonly ReferenceRule[] {
  return mappings
    .filter(({ source, destination }) => source.medium === 'registry' && destination.medium === 'registry')
    .map(mappingRule);
}

function mappingRule(mapping: Mapping): ReferenceRule {
  const { source, destination } = mapping;
  const isAll = isMany(source) && source.glob === undefined;
  const isAt = ({ registry, name }: MovedImage) => registry === source.location && name === source.repository;
  const moved = <Image extends MovedImage>(image: Image): Image => ({
    ...image,
    registry: destination.location,
    name: destination.repository,
  });
  const tagOf = tagRule(mapping);
  return {
    at: placeText(source),
    sample: pullSpecText(source).replaceAll('*', 'any'),
    place: (image) => (isAll && isAt(image) ? moved(image) : undefined),
    below(place) {
      const { location: registry, repository: name } = source;
      return isBelow({ registry, name }, place) ? moved({ registry, name }) : undefined;
    },
    image(image) {
      if (!isAt(image)) return undefined;
      if (isAll) return moved(image);
      if (image.digest !== undefined) return image.digest === source.digest ? moved(image) : undefined;
      const tag = tagOf(image.tag ?? 'latest');
      if (tag === undefined) return undefined;
      return { ...moved(image), ...(image.tag === undefined && tag === 'latest' ? {} : { tag }) };
    },
    narrows: (image: NamedImage) => isAt(image) && !isAll && image.digest !== undefined,
  };
}

/**
 * The tag at the destination of a tag at the source; undefined for one that the mirror does not
 * copy: `DST:*` leaves out what promotion stages and keeps.
 */
function tagRule({ source, destination }: Mapping): (tag: string) => string | undefined {
  const { tag, glob } = source;
  if (tag !== undefined) return (asked) => (asked === tag ? (destination.tag ?? tag) : undefined);
  if (glob === undefined) return () => undefined;
  const expression = tagGlob(glob);
  if (destination.glob === undefined) return (asked) => (expression.test(asked) ? asked : undefined);
  const stripped = prefixOf(source)?.length ?? 0;
  return (asked) => {
    const rest = asked.slice(stripped);
    return expression.test(asked) && !isStagingTag(asked) && isTag(rest) ? rest : undefined;
  };
}
