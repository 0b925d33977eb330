import {
  appCiImage,
  type ImageStreamTag,
  parseImageStreamTag,
  qci,
  qciProxy,
  quayProxyImage,
} from '../names.ts';
import { dataOf, entriesOf, fieldsOf, itemsOf, MirrorConfigError, textsOf } from './strict-yaml.ts';

/** One image to be copied: the ImageStreamTag it is known by, and where it comes from. */
export interface MirroredImage {
  readonly target: ImageStreamTag;
  /** A pull spec. */
  readonly source: string;
}

/** A source that is never copied from. */
export interface IgnoredSource {
  /** A pull spec; an ImageStreamTag as its pull spec at app.ci. */
  readonly source: string;
  readonly reason: string;
}

/** Which tags of app.ci's image streams are copied. */
export interface ArtSelector {
  readonly namespace: string;
  readonly name: RegExp;
  /** Default: every tag. */
  readonly tag?: RegExp;
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

const imageKeys = ['namespace', 'name', 'tag', 'as', 'image'] as const;

/**
 * Reads the file, packed by gzip or not. As strict as its first reader: unknown and repeated keys are refused, the case of keys does
 * not matter. Throws `MirrorConfigError`.
 */
export function parseMirrorConfig(file: Uint8Array): MirrorConfig {
  const faults: string[] = [];
  const sections = ['supplementalCIImages', 'qciToAppCIImages', 'ignoredSources', 'artImages'] as const;
  const { supplementalCIImages, qciToAppCIImages, ignoredSources, artImages } = fieldsOf(
    dataOf(file),
    sections,
    '',
    faults,
  );
  const config: MirrorConfig = {
    supplemental: entriesOf(supplementalCIImages, 'supplementalCIImages', faults).flatMap(([key, entry]) =>
      supplementalImage(key, entry, faults),
    ),
    qciToAppCi: entriesOf(qciToAppCIImages, 'qciToAppCIImages', faults).flatMap(([key, entry]) =>
      qciImage(key, entry, faults),
    ),
    ignored: itemsOf(ignoredSources, 'ignoredSources', faults).flatMap((item) => ignoredSource(item, faults)),
    art: itemsOf(artImages, 'artImages', faults).flatMap((item, index) => artSelector(item, index, faults)),
  };
  if (faults.length > 0) throw new MirrorConfigError(faults);
  return config;
}

/** The entry that says that nothing is copied from there, by its pull spec or its ImageStreamTag; undefined for a source that is fine. */
export function ignoredBy(config: Pick<MirrorConfig, 'ignored'>, source: string): IgnoredSource | undefined {
  return config.ignored.find((entry) => entry.source === source);
}

function supplementalImage(key: string, value: unknown, faults: string[]): MirroredImage[] {
  const place = `supplementalCIImages[${key}]`;
  const { image, namespace, name, tag, as } = textsOf(value, imageKeys, place, faults);
  const missing = image === undefined ? missingParts({ namespace, name, tag }) : [];
  if (as !== undefined) faults.push(`${place}: as cannot be set`);
  faults.push(...missing.map((part) => `${place}: ${part} for the source must be set`));
  const source = image ?? sourceTag({ namespace, name, tag });
  return targeted(key, source, faults);
}

function qciImage(key: string, value: unknown, faults: string[]): MirroredImage[] {
  const place = `qciToAppCIImages[${key}]`;
  const { image, namespace, name, tag, as } = textsOf(value, imageKeys, place, faults);
  if (as !== undefined) faults.push(`${place}: as cannot be set`);
  if (namespace !== undefined || name !== undefined || tag !== undefined) {
    faults.push(`${place}: namespace/name/tag must not be set; use image or omit to derive from the key`);
  }
  if (image !== undefined && ![qci, qciProxy].some((place) => isOf(place, image))) {
    faults.push(`${place}: image ${JSON.stringify(image)} must be under ${qci} or ${qciProxy}`);
  }
  const target = parseImageStreamTag(key);
  return targeted(key, image ?? (target && quayProxyImage(target)), faults);
}

function targeted(key: string, source: string | undefined, faults: string[]): MirroredImage[] {
  const target = parseImageStreamTag(key);
  if (target === undefined) faults.push(`invalid target: ${key}`);
  return target === undefined || source === undefined ? [] : [{ target, source }];
}

function ignoredSource(item: unknown, faults: string[]): IgnoredSource[] {
  const fields = textsOf(item, [...imageKeys, 'reason'], 'ignoredSources', faults);
  const source = fields.image ?? sourceTag(fields);
  return source === undefined ? [] : [{ source, reason: fields.reason ?? '' }];
}

function artSelector(item: unknown, index: number, faults: string[]): ArtSelector[] {
  const place = `ArtImages[${index}]`;
  const { namespace, name, tag } = textsOf(item, ['namespace', 'name', 'tag'], place, faults);
  if (namespace === undefined) faults.push(`namespace for ${place} must be set`);
  if (name === undefined) faults.push(`name's regex for ${place} must be set`);
  const [nameShape, tagShape] = [
    expression(name, `name's regex for ${place}`, faults),
    expression(tag, `tag's regex for ${place}`, faults),
  ];
  if (namespace === undefined || nameShape === undefined) return [];
  return [{ namespace, name: nameShape, ...(tagShape === undefined ? {} : { tag: tagShape }) }];
}

/** Go's expressions are JavaScript's, but for a flag that stands before the whole. */
function expression(text: string | undefined, what: string, faults: string[]): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return text.startsWith('(?i)') ? new RegExp(text.slice(4), 'i') : new RegExp(text);
  } catch {
    faults.push(`${what} cannot be compiled: ${text}`);
    return undefined;
  }
}

type Parts = { readonly [Part in keyof ImageStreamTag]?: string | undefined };

function missingParts(parts: Parts): string[] {
  return (['namespace', 'name', 'tag'] as const).filter((part) => parts[part] === undefined);
}

function sourceTag({ namespace, name, tag }: Parts): string | undefined {
  if (namespace === undefined || name === undefined || tag === undefined) return undefined;
  return appCiImage({ namespace, name, tag });
}

function isOf(repository: string, image: string): boolean {
  return image.startsWith(`${repository}:`) || image.startsWith(`${repository}@`);
}
