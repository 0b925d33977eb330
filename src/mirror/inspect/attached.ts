import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import { presentTags } from '../copy/attachments.ts';
import { cosignTags } from '../copy/cosign-tags.ts';
import type { Referrer } from '../endpoints/endpoints.ts';
import { allReferrers } from '../endpoints/reading.ts';
import type { ImagePlaceRead } from './description.ts';

/** What a manifest says of another, by what it claims to be: nothing of it is verified. */
type AttachmentKind = 'signature' | 'attestation' | 'sbom' | 'other';

/** What refers to a manifest: by its own word, or under a tag of cosign. */
export interface Attachment extends Referrer {
  /** What it refers to. */
  readonly subject: Digest;
  readonly kind: AttachmentKind;
  /** The tag of cosign under which it was found. */
  readonly tag?: Tag;
}

/**
 * All that refers to those manifests: the list of referrers, or its fallback tag, and what cosign
 * keeps under tags. Throws `RegistryError` when the registry does not say.
 */
export async function attachmentsOf(
  subjects: readonly Digest[],
  place: ImagePlaceRead,
): Promise<readonly Attachment[]> {
  const { reader, repository, signal } = place;
  const [listed, tags] = await Promise.all([
    Promise.all(
      subjects.map(async (subject) =>
        (await allReferrers(reader, repository, subject, { signal })).map((referrer) => ({
          ...referrer,
          subject,
          kind: kindOf(referrer),
        })),
      ),
    ),
    presentTags(subjects, (query) => reader.tags(repository, query, { signal })),
  ]);
  signal.throwIfAborted();
  const tagged = await Promise.all(tags.map((tag) => taggedAt(tag, subjects, place)));
  return [...listed.flat(), ...tagged.flat()];
}

async function taggedAt(
  tag: Tag,
  subjects: readonly Digest[],
  { reader, repository, signal }: ImagePlaceRead,
): Promise<readonly Attachment[]> {
  const subject = subjects.find((digest) => cosignTags(digest).includes(tag));
  const answer = await reader.manifest(repository, { tag }, { method: 'HEAD', signal });
  if (answer.kind !== 'found' || subject === undefined) return [];
  return [{ ...answer.descriptor, subject, tag, kind: kindOfTag(tag) }];
}

function kindOfTag(tag: Tag): AttachmentKind {
  if (tag.endsWith('.sig')) return 'signature';
  return tag.endsWith('.att') ? 'attestation' : 'sbom';
}

/** Of a bundle of sigstore an annotation tells which it is. */
function kindOf({ artifactType, mediaType, annotations }: Referrer & Descriptor): AttachmentKind {
  const type = artifactType ?? mediaType ?? '';
  if (type.startsWith('application/vnd.dev.sigstore.bundle')) return bundleKind(annotations);
  return kinds.find(([start]) => type.startsWith(start))?.[1] ?? 'other';
}

function bundleKind(annotations: Referrer['annotations']): AttachmentKind {
  const predicate = annotations?.['dev.sigstore.bundle.predicateType'];
  const isSigned = predicate === undefined || predicate.startsWith('https://sigstore.dev/cosign/sign/');
  return isSigned ? 'signature' : 'attestation';
}

/** By how their types begin. */
const kinds: readonly (readonly [string, AttachmentKind])[] = [
  ['application/vnd.dev.cosign.artifact.sig.', 'signature'],
  ['application/vnd.dev.cosign.artifact.sbom.', 'sbom'],
  ['application/vnd.dev.cosign.artifact.att.', 'attestation'],
  ['application/vnd.cncf.notary.signature', 'signature'],
  ['application/vnd.in-toto', 'attestation'],
  ['application/spdx', 'sbom'],
  ['application/vnd.cyclonedx', 'sbom'],
  ['application/vnd.syft', 'sbom'],
  ['text/spdx', 'sbom'],
];
