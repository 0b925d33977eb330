import { createHash } from 'node:crypto';
import { flatTag } from '../../image-streams/flat-tags.ts';
import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';

/** Where all CI images lie, each as one tag. */
export const qci = 'quay.io/openshift/ci';
/** The same repository, as people pull from it. */
export const qciProxy = 'quay-proxy.ci.openshift.org/openshift/ci';
/** The registry of the app.ci cluster. */
export const appCi = 'registry.ci.openshift.org';

const longestTag = 128;
const brokenEnd = '_broken';

/** Where the image is kept: `quay.io/openshift/ci:ocp_4.5_base`. */
export function quayImage(imageStream: ImageStreamTag): string {
  return `${qci}:${flatTag(imageStream)}`;
}

/** Where people pull it from. */
export function quayProxyImage(imageStream: ImageStreamTag): string {
  return `${qciProxy}:${flatTag(imageStream)}`;
}

/** Where the cluster itself has it: by tag, or by the digest that the tag stood for. */
export function appCiImage({ namespace, name, tag }: ImageStreamTag, digest?: string): string {
  return `${appCi}/${namespace}/${name}${digest === undefined ? `:${tag}` : `@${digest}`}`;
}

/**
 * The tag that keeps the content of `image` before it is overwritten. Its UTC time tells the pruner
 * when to delete it (`^\d{14}_prune_`). A name that is too long for a tag ends in a part of its
 * digest.
 */
export function backupImage(imageStream: ImageStreamTag, at: number): string {
  return `${qci}:${mirrorBackup(flatTag(imageStream), timeText(at))}`;
}

/**
 * When `kept` was made to keep what the tag named, as 14 digits of UTC; undefined for another tag.
 * Promotion keeps under `<time>_prune_<tag>`, the mirror as `backupImage` says.
 */
export function keptSince(kept: string, tag: string): string | undefined {
  const time = /^\d{14}(?=_prune_)/.exec(kept)?.[0];
  if (time === undefined) return undefined;
  return kept === `${time}_prune_${tag}` || kept === mirrorBackup(tag, time) ? time : undefined;
}

/** The tag that keeps what a revert takes away. The pruner deletes it like the others. */
export function brokenTag(tag: string, at: number): string {
  return fitting(`${timeText(at)}_prune_${tag}${brokenEnd}`);
}

/** Whether `kept` keeps what `tag` named, or what a revert took from it. */
export function isKeptOf(kept: string, tag: string): boolean {
  const time = kept.slice(0, 14);
  return keptSince(kept, tag) !== undefined || kept === fitting(`${time}_prune_${tag}${brokenEnd}`);
}

function mirrorBackup(flat: string, time: string): string {
  return fitting(`${time}_prune___ci_images_mirror__${flat}`);
}

/** The same backup, of another time. */
export function backupAt(backup: string, at: number): string {
  return backup.replace(/:\d{14}_/, `:${timeText(at)}_`);
}

function timeText(at: number): string {
  return new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
}

function fitting(tag: string): string {
  if (tag.length <= longestTag) return tag;
  const short = createHash('sha256').update(tag).digest('hex').slice(0, 8);
  return `${tag.slice(0, longestTag - 9)}_${short}`;
}
