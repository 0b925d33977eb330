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
export function backupImage({ namespace, name, tag }: ImageStreamTag, at: number): string {
  return `${qci}:${fitting(`${timeText(at)}_prune___ci_images_mirror__${namespace}_${name}_${tag}`)}`;
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
