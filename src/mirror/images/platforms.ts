import type { Expression } from '../../base/text/expression.ts';
import { field, fieldsOf, listOf, parseJson } from '../../base/text/json.ts';
import type { Descriptor } from '../../oci/content.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../../oci/digest.ts';
import { mediaTypes } from '../../oci/manifest.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';
import { isIndex, mayBeBlob, type Node } from './graph.ts';

export interface PlatformChoice {
  readonly filterByOs?: Pick<Expression, 'test'>;
  readonly keepManifestList?: boolean;
}

/** The rest: nothing; the manifest over its wanted children; or one of its children instead. */
type Chosen =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'node'; readonly node: Node }
  | { readonly kind: 'child'; readonly child: Descriptor };

interface PlatformEntry {
  readonly json: unknown;
  readonly descriptor: Descriptor;
}

/**
 * Chooses as `oc image mirror` does. The platform of a plain manifest is not read; an index within
 * an index is kept or dropped whole. Without `keepManifestList` an index that loses children is
 * rewritten, and one with a single child is replaced by it, unless that may be a layer.
 */
export function chosenPlatforms(node: Node, { filterByOs, keepManifestList = true }: PlatformChoice): Chosen {
  if (!isIndex(node.manifest.descriptor)) return { kind: 'node', node };
  const body = fieldsOf(parseJson(node.manifest.bytes));
  const all = entriesOf(body['manifests'], node.children);
  const wanted = all.filter(({ json }) => filterByOs === undefined || filterByOs.test(platformText(json)));
  const children = node.children.filter((child) => wanted.some(({ descriptor }) => descriptor === child));
  const [only] = children;
  if (only === undefined) return all.length === 0 ? { kind: 'node', node } : { kind: 'nothing' };
  if (keepManifestList) return { kind: 'node', node: { ...node, children } };
  if (children.length === 1 && !mayBeBlob(only)) return { kind: 'child', child: only };
  if (wanted.length === all.length) return { kind: 'node', node };
  const shorter = { ...body, manifests: wanted.map(({ json }) => json) };
  return { kind: 'node', node: { ...node, manifest: rewritten(node.manifest, shorter), children } };
}

/** Whether another digest than the source's may be what the destination is to have. */
export function mayChange(manifest: Descriptor, { keepManifestList = true }: PlatformChoice): boolean {
  return !keepManifestList && isIndex(manifest);
}

/** In order; the parser left out entries without a digest. */
function entriesOf(list: unknown, children: readonly Descriptor[]): PlatformEntry[] {
  const byDigest = new Map<Digest, Descriptor>(children.map((child) => [child.digest, child]));
  return listOf(list).flatMap((json) => {
    const digest = field(json, 'digest');
    const descriptor = isDigest(digest) ? byDigest.get(digest) : undefined;
    return descriptor === undefined ? [] : [{ json, descriptor }];
  });
}

/** `os/arch`, or `os/arch/variant`, of an entry of an index. */
export function platformText(entry: unknown): string {
  const { os, architecture, variant } = fieldsOf(field(entry, 'platform'));
  const text = `${os ?? ''}/${architecture ?? ''}`;
  return variant ? `${text}/${variant}` : text;
}

/** Indented as `oc` does it, so that from most lists it makes the same digest. */
function rewritten({ descriptor }: ManifestBytes, body: unknown): ManifestBytes {
  const bytes = Buffer.from(JSON.stringify(body, undefined, 3));
  const digest = digestOf(bytes, algorithmOf(descriptor.digest));
  const mediaType = descriptor.mediaType || mediaTypes.ociIndex;
  return { descriptor: { ...descriptor, mediaType, digest, size: bytes.byteLength }, bytes };
}
