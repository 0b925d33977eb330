import { defined } from '../../base/text/defined.ts';
import { field, fieldsOf } from '../../base/text/json.ts';
import type { Attachment } from '../../mirror/inspect/attached.ts';
import type { DescribedPlatform, ImageDescription } from '../../mirror/inspect/description.ts';

/**
 * The document of one image: first the fields of `oc image info`, then ours. What cannot be told is
 * null, and has its reason among `gaps`.
 */
export function infoDocument(name: string, image: ImageDescription): object {
  const { digest, listDigest, mediaType, layers, config, size, isIndex, attached } = image;
  return {
    name,
    digest,
    contentDigest: digest,
    listDigest: listDigest ?? (isIndex ? digest : ''),
    mediaType,
    layers,
    config: config === undefined ? null : { ...config, ...defined({ size }) },
    created: image.created ?? null,
    size: size ?? null,
    manifestSize: image.manifestSize,
    schema1: image.isSchema1,
    ...defined({ artifactType: image.artifactType }),
    platforms: image.platforms.map(platformItem),
    referrers: attached?.map(attachmentItem) ?? null,
    signatures: attached?.filter(({ kind }) => kind === 'signature').map(attachmentItem) ?? null,
    gaps: image.gaps.map(({ what, reason }) => ({ what, reason })),
  };
}

/** The platform's fields, then the descriptor's, as the index has them. */
function platformItem({ entry }: DescribedPlatform): object {
  const { platform: _platform, ...descriptor } = fieldsOf(entry);
  return { ...fieldsOf(field(entry, 'platform')), ...descriptor };
}

function attachmentItem({
  digest,
  mediaType,
  size,
  artifactType,
  subject,
  kind,
  tag,
  annotations,
}: Attachment) {
  const known = defined({ mediaType, artifactType, tag, annotations });
  return { kind, digest, ...known, ...(size < 0 ? {} : { size }), subject };
}
