import { createHash } from 'node:crypto';
import { isTag } from '../oci/reference.ts';

/** Where all CI images lie, each as one tag. */
export const qci = 'quay.io/openshift/ci';
/** The same repository, as people pull from it. */
export const qciProxy = 'quay-proxy.ci.openshift.org/openshift/ci';
/** The registry of the app.ci cluster. */
export const appCi = 'registry.ci.openshift.org';

/** One tag of an ImageStream. Namespace and name hold no `_`, as Kubernetes has it; the tag may. */
export interface ImageStreamTag {
  readonly namespace: string;
  readonly name: string;
  readonly tag: string;
}

const label = '[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?';
const keyShape = new RegExp(`^(${label})/(${label}):([^/:@]+)$`);
const floatShape = new RegExp(`^(${label})_(${label})_(.+)$`);

/** Tags beside the images themselves: kept old digests, payloads, what ART pushes, and the steps of a promotion. */
const otherTags =
  /^\d{14}_prune_|^\d{8}_sha256_|^(?:preserved__|remove__)?rc_payload__|^art__|_incoming$|__pre$|__post1$/;

const longestTag = 128;

/** `<namespace>/<name>:<tag>`; undefined for other text. */
export function parseImageStreamTag(key: string): ImageStreamTag | undefined {
  return imageStreamTag(keyShape.exec(key));
}

/** As keys of the mirror's files and messages have it: `ocp/4.5:base`. */
export function imageStreamTagText({ namespace, name, tag }: ImageStreamTag): string {
  return `${namespace}/${name}:${tag}`;
}

/** The image's tag in QCI: `ocp_4.5_base`. */
export function quayTag({ namespace, name, tag }: ImageStreamTag): string {
  return `${namespace}_${name}_${tag}`;
}

/** The way back from a tag of QCI; undefined for one that is no image stream's, such as a kept or a staged one. */
export function imageStreamTagOf(tag: string): ImageStreamTag | undefined {
  return otherTags.test(tag) ? undefined : imageStreamTag(floatShape.exec(tag));
}

/** Where the image is kept: `quay.io/openshift/ci:ocp_4.5_base`. */
export function quayImage(imageStream: ImageStreamTag): string {
  return `${qci}:${quayTag(imageStream)}`;
}

/** Where people pull it from. */
export function quayProxyImage(imageStream: ImageStreamTag): string {
  return `${qciProxy}:${quayTag(imageStream)}`;
}

/** Where the cluster itself has it: by tag, or by the digest that the tag stood for. */
export function appCiImage({ namespace, name, tag }: ImageStreamTag, digest?: string): string {
  return `${appCi}/${namespace}/${name}${digest === undefined ? `:${tag}` : `@${digest}`}`;
}

/**
 * The tag that keeps what `image` holds before something else takes its place. The time, in UTC, tells the pruner when it may go
 * (`^\d{14}_prune_`). A name that is too long for a tag ends in a part of its digest.
 */
export function backupImage({ namespace, name, tag }: ImageStreamTag, at: number): string {
  return `${qci}:${fitting(`${timeText(at)}_prune___ci_images_mirror__${namespace}_${name}_${tag}`)}`;
}

/** The same backup, of another time. */
export function backupAt(backup: string, at: number): string {
  return backup.replace(/:\d{14}_/, `:${timeText(at)}_`);
}

/** What a pull spec by tag stands for just now, for good. */
export function pinned(pullSpec: string, digest: string): string {
  return `${pullSpec.replace(/(?::[^/:@]*)?(?:@.*)?$/, '')}@${digest}`;
}

/** The registry of a pull spec: what stands before the first `/`. */
export function registryOf(pullSpec: string): string {
  return pullSpec.slice(0, Math.max(0, pullSpec.indexOf('/')));
}

function imageStreamTag(match: RegExpExecArray | null): ImageStreamTag | undefined {
  const [, namespace, name, tag] = match ?? [];
  if (namespace === undefined || name === undefined || !isTag(tag)) return undefined;
  return { namespace, name, tag };
}

function timeText(at: number): string {
  return new Date(at).toISOString().replace(/\D/g, '').slice(0, 14);
}

function fitting(tag: string): string {
  if (tag.length <= longestTag) return tag;
  const short = createHash('sha256').update(tag).digest('hex').slice(0, 8);
  return `${tag.slice(0, longestTag - 9)}_${short}`;
}
