import { isTag } from '../oci/reference.ts';
import type { ImageStreamTag } from './image-stream-tag.ts';

/**
 * The way back from a tag of the flat repository: every ImageStreamTag that it may stand for, the
 * likeliest first. None for a tag that only keeps, stages or marks something.
 */
export type Readings = (flat: string) => readonly ImageStreamTag[];

/** The tag of a flat repository that stands for an image stream's: `ocp_4.5_base`. */
export function flatTag({ namespace, name, tag }: ImageStreamTag): string {
  return `${namespace}_${name}_${tag}`;
}

/**
 * Readings by the configured targets, else by the pattern `<namespace>_<name>_<tag>`: a target's
 * namespace may hold `_`, which no pattern can tell.
 */
export function createReadings(targets: Iterable<ImageStreamTag> = []): Readings {
  const configured = Map.groupBy(distinct(targets), flatTag);
  return (flat) => configured.get(flat) ?? patternReadings(flat);
}

/** A Kubernetes namespace (RFC 1123), not only digits: a time stamp must grant no rights. */
const namespaceShape = /^(?!\d+$)[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const nameShape = /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/;
/** The steps of a promotion. */
const stages = ['_incoming', '__pre', '__post1'];

function patternReadings(flat: string): readonly ImageStreamTag[] {
  const [namespace = '', ...parts] = flat.split('_');
  if (!isTag(flat) || !namespaceShape.test(namespace) || isMark(flat)) return [];
  return parts
    .map((_, index) => ({
      namespace,
      name: parts.slice(0, index).join('_'),
      tag: parts.slice(index).join('_'),
    }))
    .filter(({ name, tag }) => nameShape.test(name) && isTag(tag));
}

/**
 * True for a tag of the flat repository that a promotion stages (`…__pre`, `…_incoming`,
 * `…__post1`), or that keeps what it overwrote until the pruner deletes it (`…_prune_…`).
 */
export function isStagingTag(flat: string): boolean {
  return flat.includes('_prune_') || stages.some((stage) => `${flat}_`.includes(`${stage}_`));
}

function isMark(flat: string): boolean {
  return stages.some((stage) => flat.endsWith(stage)) || `${flat}_`.startsWith('rc_payload_');
}

function* distinct(targets: Iterable<ImageStreamTag>): Generator<ImageStreamTag> {
  const seen = new Set<string>();
  for (const target of targets) {
    const key = JSON.stringify([target.namespace, target.name, target.tag]);
    if (!seen.has(key)) yield target;
    seen.add(key);
  }
}
