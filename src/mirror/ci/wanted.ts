import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import type { Tell } from '../log.ts';
import type { MirrorTask } from '../queue/task.ts';
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
export function isWanted(config: MirrorConfig, task: MirrorTask, tell: Tell): boolean {
  const { source, destination: target, owner } = task;
  if (isIgnored(config, source, sections.get(owner) ?? owner, tell)) return false;
  if (isListed(config, task)) return true;
  tell('unlisted', { owner, source, target });
  return false;
}

/** True for an ignored source; logs the reason. */
export function isIgnored(
  config: Pick<MirrorConfig, 'ignored'>,
  source: string,
  section: string,
  tell: Tell,
): boolean {
  const ignored = ignoredBy(config, source);
  if (ignored === undefined) return false;
  const key = source.startsWith(`${appCi}/`) ? source.slice(appCi.length + 1) : undefined;
  tell('ignoredSource', { section, image: source, ...(key && { ISTagName: key }), reason: ignored.reason });
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
      (entry) => entry.source === source && appCiImage(entry.target) === destination,
    );
  }
  if (owner !== listing.supplemental) return true;
  if (sourceTagRef !== undefined && appCiImage(sourceTagRef) === source) {
    if (isSelected(config.art, sourceTagRef)) return true;
  }
  return config.supplemental.some(
    (entry) => entry.source === source && quayImage(entry.target) === destination,
  );
}
