// Room `mirror/ci`: the configuration of the CI mirror, and what it selects. In: _config.yaml. Out:
// pairs to copy; whether a task is still wanted. Imports: base, image-streams, mirror/references;
// types of mirror, mirror/images, mirror/queue.

import { Expression } from '../../base/text/expression.ts';
import { type ImageStreamTag, parseImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import { type ImageReference, parseImageReference } from '../references/image-reference.ts';
import { appCiImage, qci, qciProxy, quayImage, quayProxyImage } from '../references/names.ts';
import { type Part, strictlyRead } from './strict-yaml.ts';

/** One image to be copied: the ImageStreamTag it is known by, and where it comes from. */
export interface MirroredImage {
  readonly target: ImageStreamTag;
  readonly source: ImageReference;
}

interface IgnoredSource {
  /** A pull spec; an ImageStreamTag as its pull spec at app.ci. */
  readonly source: string;
  readonly reason: string;
}

/** Which tags of app.ci's image streams are copied. */
export interface ArtSelector {
  readonly namespace: string;
  readonly name: Expression;
  /** Default: every tag. */
  readonly tag?: Expression;
}

/** What `_config.yaml` of the image mirroring says. */
export interface MirrorConfig {
  /** Images from anywhere, into QCI. */
  readonly supplemental: readonly MirroredImage[];
  /** Images of QCI, to app.ci. */
  readonly qciToAppCi: readonly MirroredImage[];
  readonly ignored: readonly IgnoredSource[];
  readonly art: readonly ArtSelector[];
}

const sections = ['supplementalCIImages', 'qciToAppCIImages', 'ignoredSources', 'artImages'] as const;
const imageKeys = ['namespace', 'name', 'tag', 'as', 'image'] as const;

/**
 * Reads the file, packed by gzip or not. As strict as its first reader: unknown and repeated keys
 * are refused, the case of keys does not matter; and a source or target that no copy could ever use
 * is refused as well. Throws `MirrorConfigError` with every fault and its line.
 */
export function parseMirrorConfig(file: Uint8Array): MirrorConfig {
  return strictlyRead(file, (whole) => {
    const { supplementalCIImages, qciToAppCIImages, ignoredSources, artImages } = whole.fields(sections);
    return {
      supplemental: supplementalCIImages?.entries().flatMap(supplementalImage) ?? [],
      qciToAppCi: qciToAppCIImages?.entries().flatMap(qciImage) ?? [],
      ignored: ignoredSources?.items().flatMap(ignoredSource) ?? [],
      art: artImages?.items().flatMap(artSelector) ?? [],
    };
  });
}

/** The entry that ignores the source, by pull spec or ImageStreamTag; undefined without one. */
export function ignoredBy(
  config: Pick<MirrorConfig, 'ignored'>,
  { text }: ImageReference,
): IgnoredSource | undefined {
  return config.ignored.find((entry) => entry.source === text);
}

function supplementalImage([key, entry]: [string, Part]): MirroredImage[] {
  const part = entry.named(`supplementalCIImages[${key}]`);
  const { image, namespace, name, tag, as } = part.texts(imageKeys);
  if (as !== undefined) part.refuse('as cannot be set');
  const missing = image === undefined ? missingParts({ namespace, name, tag }) : [];
  for (const each of missing) part.refuse(`${each} for the source must be set`);
  return targeted(key, part, { source: image ?? sourceTag({ namespace, name, tag }), placed: quayImage });
}

function qciImage([key, entry]: [string, Part]): MirroredImage[] {
  const part = entry.named(`qciToAppCIImages[${key}]`);
  const { image, namespace, name, tag, as } = part.texts(imageKeys);
  if (as !== undefined) part.refuse('as cannot be set');
  if (namespace !== undefined || name !== undefined || tag !== undefined) {
    part.refuse('namespace/name/tag must not be set; use image or omit to derive from the key');
  }
  if (image !== undefined && ![qci, qciProxy].some((place) => isOf(place, image))) {
    part.refuse(`image ${JSON.stringify(image)} must be under ${qci} or ${qciProxy}`);
  }
  const target = parseImageStreamTag(key);
  return targeted(key, part, { source: image ?? (target && quayProxyImage(target)), placed: appCiImage });
}

interface Ends {
  readonly source: string | undefined;
  /** The pull spec of a target. */
  readonly placed: (target: ImageStreamTag) => string;
}

function targeted(key: string, part: Part, { source, placed }: Ends): MirroredImage[] {
  const target = parseImageStreamTag(key);
  if (target === undefined) part.refuseAs(`invalid target: ${key}: write namespace/name:tag`);
  const placedAt = target && image(placed(target));
  const targetFault = typeof placedAt === 'string' ? placedAt : undefined;
  if (targetFault !== undefined) part.refuseAs(`invalid target: ${key}: ${targetFault}`);
  const from = source === undefined ? undefined : image(source);
  if (typeof from === 'string' && from !== targetFault) part.refuse(`the source ${from}`);
  return target === undefined || from === undefined || typeof from === 'string'
    ? []
    : [{ target, source: from }];
}

/** The image, or what is wrong with the pull spec. */
function image(pullSpec: string): ImageReference | string {
  try {
    return parseImageReference(pullSpec);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function ignoredSource(item: Part): IgnoredSource[] {
  const fields = item.texts([...imageKeys, 'reason']);
  const source = fields.image ?? sourceTag(fields);
  return source === undefined ? [] : [{ source, reason: fields.reason ?? '' }];
}

function artSelector(item: Part, index: number): ArtSelector[] {
  const place = `ArtImages[${index}]`;
  const { namespace, name, tag } = item.named(place).texts(['namespace', 'name', 'tag']);
  if (namespace === undefined) item.refuseAs(`namespace for ${place} must be set`);
  if (name === undefined) item.refuseAs(`name's regex for ${place} must be set`);
  const nameShape = name === undefined ? undefined : expression(name, `name's regex for ${place}`, item);
  const tagShape = tag === undefined ? undefined : expression(tag, `tag's regex for ${place}`, item);
  if (namespace === undefined || nameShape === undefined) return [];
  return [{ namespace, name: nameShape, ...(tagShape === undefined ? {} : { tag: tagShape }) }];
}

/** Go's expressions are those of RE2. */
function expression(text: string, what: string, item: Part): Expression | undefined {
  try {
    return Expression.anywhere(text);
  } catch (error) {
    item.refuseAs(`${what} cannot be compiled: it ${error instanceof Error ? error.message : text}`);
    return undefined;
  }
}

type ConfigParts = { readonly [Part in keyof ImageStreamTag]?: string | undefined };

function missingParts(parts: ConfigParts): string[] {
  return (['namespace', 'name', 'tag'] as const).filter((part) => parts[part] === undefined);
}

function sourceTag({ namespace, name, tag }: ConfigParts): string | undefined {
  if (namespace === undefined || name === undefined || tag === undefined) return undefined;
  return appCiImage({ namespace, name, tag });
}

function isOf(repository: string, image: string): boolean {
  return image.startsWith(`${repository}:`) || image.startsWith(`${repository}@`);
}
