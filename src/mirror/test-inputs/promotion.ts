import { type Fields, fieldsOf, isText, listOf } from '../../base/text/json.ts';
import { imageStreamTagText } from '../../image-streams/image-stream-tag.ts';

/** Among `excluded_images`: no image that the configuration builds is promoted. */
const everyImage = '*';

/**
 * The tags that a ci-operator configuration promotes to, as `namespace/name:tag`: those of each
 * enabled target, and the build cache. Tags of commits (`tag_by_commit`) have no name before the
 * commit.
 */
export function promotedTags(config: Fields): readonly string[] {
  if (config['promotion'] === undefined || config['promotion'] === null) return [];
  const promotion = fieldsOf(config['promotion']);
  const built = builtImages(config['images']);
  // Before there were several targets, the one was written where the list is now.
  const targets = [promotion, ...listOf(promotion['to']).map(fieldsOf)];
  const isCached = isText(config['binary_build_commands']) && promotion['disable_build_cache'] !== true;
  return [
    ...targets.flatMap((target) => tagsOf(target, built)),
    ...(isCached ? tagText(buildCache(config['zz_generated_metadata'])) : []),
  ];
}

/** The image of the build cache, of a configuration that names its origin. */
export function buildCache(metadata: unknown): Fields {
  const { org, repo, branch, variant } = fieldsOf(metadata);
  return {
    namespace: 'build-cache',
    name: `${org}-${repo}`,
    tag: isText(variant) ? `${branch}-${variant}` : branch,
  };
}

function tagsOf(target: Fields, built: readonly string[]): readonly string[] {
  const { namespace, name, tag, disabled } = target;
  if (disabled === true) return [];
  const excluded = listOf(target['excluded_images']);
  const kept = excluded.includes(everyImage) ? [] : built.filter((image) => !excluded.includes(image));
  const promoted = new Set([...kept, ...Object.keys(fieldsOf(target['additional_images']))]);
  return [...promoted].flatMap((image) =>
    tagText(isText(name) ? { namespace, name, tag: image } : { namespace, name: image, tag }),
  );
}

/** What is built each time: a list, or one below `items`. */
function builtImages(images: unknown): readonly string[] {
  const list = Array.isArray(images) ? images : listOf(fieldsOf(images)['items']);
  return list.map(fieldsOf).flatMap(({ to, optional }) => (isText(to) && optional !== true ? [to] : []));
}

function tagText({ namespace, name, tag }: Fields): readonly string[] {
  return isText(namespace) && isText(name) && isText(tag)
    ? [imageStreamTagText({ namespace, name, tag })]
    : [];
}
