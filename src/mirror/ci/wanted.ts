import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import type { LogMirror } from '../log.ts';
import type { MirrorTask } from '../queue/task.ts';
import type { ImageReference } from '../references/image-reference.ts';
import { appCi, appCiImage, quayImage } from '../references/names.ts';
import { type ArtSelector, ignoredBy, type MirrorConfig } from './config-file.ts';

/** The parts that find what the configuration lists: whose tasks end with their entry. */
export const listing = {
  supplemental: 'supplementalCIImagesService',
  qciToAppCi: 'qciToAppCIImages',
} as const;

const sections: ReadonlyMap<string, string> = new Map([
  [listing.supplemental, 'SupplementalCIImages'],
  [listing.qciToAppCi, 'QCIToAppCIImages'],
]);

/**
 * Re-checks a queued task against the current configuration; logs the reason if it is dropped. An
 * ordered task, a miss or a change of an image stream has no entry to check.
 */
export function isWanted(config: MirrorConfig, task: MirrorTask, tell: LogMirror): boolean {
  const { source, owner } = task;
  if (isIgnored(config, source, sections.get(owner) ?? owner, tell)) return false;
  if (isListed(config, task)) return true;
  tell('unlisted', { owner, source: source.text, target: task.destination.text });
  return false;
}

/** True for an ignored source; logs the reason. */
export function isIgnored(
  config: Pick<MirrorConfig, 'ignored'>,
  source: ImageReference,
  section: string,
  tell: LogMirror,
): boolean {
  const ignored = ignoredBy(config, source);
  if (ignored === undefined) return false;
  const { text } = source;
  const key = text.startsWith(`${appCi}/`) ? text.slice(appCi.length + 1) : undefined;
  tell('ignoredSource', { section, image: text, ...(key && { ISTagName: key }), reason: ignored.reason });
  return true;
}

export function isSelected(
  selectors: readonly ArtSelector[],
  { namespace, name, tag }: ImageStreamTag,
): boolean {
  return selectors.some(
    (each) => each.namespace === namespace && each.name.test(name) && each.tag?.test(tag) !== false,
  );
}

function isListed(config: MirrorConfig, { owner, source, destination, sourceTagRef }: MirrorTask): boolean {
  if (owner === listing.qciToAppCi) {
    return config.qciToAppCi.some(
      (entry) => entry.source.text === source.text && appCiImage(entry.target) === destination.text,
    );
  }
  if (owner !== listing.supplemental) return true;
  if (sourceTagRef !== undefined && appCiImage(sourceTagRef) === source.text) {
    if (isSelected(config.art, sourceTagRef)) return true;
  }
  return config.supplemental.some(
    (entry) => entry.source.text === source.text && quayImage(entry.target) === destination.text,
  );
}
