import type { Expression } from '../../base/text/expression.ts';
import { createReadings, type Readings } from '../../image-streams/flat-tags.ts';
import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import { ignoredBy, type MirrorConfig } from '../ci/config-file.ts';
import { type ImageReference, imageReferenceOrNone } from '../references/image-reference.ts';
import { appCiImage, qci } from '../references/names.ts';

/** Where an image comes from that a registry lacks. */
export interface MissSource extends ImageReference {
  /** The image stream's tag, where it comes from one. */
  readonly sourceTagRef?: ImageStreamTag;
}

/** The source of a missing tag; undefined for a tag that is copied from nowhere. */
export type MissRule = (place: RepositoryScope, tag: Tag) => MissSource | undefined;

interface MissRuleOptions {
  /** The repository that is filled, with its upstream's name. Default: QCI. */
  readonly destination?: string;
  /**
   * The whole of `<namespace>/<name>:<tag>` that may come from app.ci without an entry. Every
   * reader of the destination can read a copied image, so exclude what some of them may not read.
   * Default: all that our login may read.
   */
  readonly imageStreams?: Pick<Expression, 'test'>;
  /** What a tag stands for. Default: the configuration's own targets, and what the pattern says. */
  readonly readings?: Readings;
}

/**
 * The rule of CI: the mirror's configuration for the tag, else the image stream tag of app.ci with
 * its name, unless that source is ignored. Tags that keep, stage or mark images have no source.
 */
export function createMissRule(
  config: Pick<MirrorConfig, 'supplemental' | 'ignored'>,
  {
    destination = qci,
    imageStreams,
    readings = createReadings(config.supplemental.map(({ target }) => target)),
  }: MissRuleOptions = {},
): MissRule {
  const supplemental = new Map(
    config.supplemental.map(({ target, source }) => [imageStreamTagText(target), source]),
  );
  return ({ upstream, repository }, tag) => {
    if (`${upstream}/${repository}` !== destination) return undefined;
    const [target] = readings(tag);
    if (target === undefined) return undefined;
    const key = imageStreamTagText(target);
    const named = supplemental.get(key);
    if (named === undefined && imageStreams?.test(key) === false) return undefined;
    const source = named ?? imageReferenceOrNone(appCiImage(target));
    if (source === undefined || ignoredBy(config, source) !== undefined) return undefined;
    // A tag of the same repository is as missing as this one, or would send us round in circles.
    if (`${source.registry}/${source.repository}` === destination) return undefined;
    return { ...source, ...(named === undefined ? { sourceTagRef: target } : {}) };
  };
}
