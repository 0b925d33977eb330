import { defined } from '../../base/text/defined.ts';
import { field } from '../../base/text/json.ts';
import type { Descriptor } from '../../oci/content.ts';
import { digestOf } from '../../oci/digest.ts';
import { mediaTypes, parseManifest } from '../../oci/manifest.ts';
import { referrersTag } from '../../oci/referrers-tag.ts';
import type { ManifestBytes, Referrer } from '../endpoints/endpoints.ts';
import { allReferrers } from '../endpoints/reading.ts';
import { askDestination, askSource, type Copying, once, placeOf, together } from './copying.ts';

/**
 * Copies the referrers of the manifest, by `copy`, and lists them under the fallback tag if the
 * destination does not itself (distribution-spec, "Referrers Tag Schema").
 */
export async function copyReferrers(
  subject: Descriptor,
  copying: Copying,
  copy: (referrer: Descriptor) => Promise<void>,
): Promise<void> {
  const referrers = await listed(subject, copying);
  if (referrers.length === 0) return;
  await together(referrers.map(copy), copying);
  await once(copying, placeOf(copying, 'referrers', subject.digest), false, async () => {
    await listUnderTag(subject, referrers, copying);
    return 'present';
  });
}

function listed({ digest }: Descriptor, copying: Copying): Promise<readonly Descriptor[]> {
  const { source, from } = copying.image;
  return askSource(copying, { kind: 'referrers', reference: digest }, (signal) =>
    allReferrers(source, from.repository, digest, { signal }),
  );
}

async function listUnderTag(
  { digest: subject }: Descriptor,
  referrers: readonly Descriptor[],
  copying: Copying,
): Promise<void> {
  const { destination, to } = copying.image;
  const topic = { kind: 'referrers', reference: subject } as const;
  const there = await askDestination(copying, topic, async (signal) =>
    destination.taggedReferrers?.(to.repository, subject, { signal }),
  );
  const missing = referrers.filter(
    ({ digest }) => !there?.some((other) => field(other, 'digest') === digest),
  );
  if (there === undefined || missing.length === 0) return;
  const added = await Promise.all(missing.map((referrer) => described(referrer, copying)));
  const list = listOf([...there, ...added]);
  await askDestination(copying, topic, (signal) =>
    destination.putManifest(to.repository, { tag: referrersTag(subject) }, list, { signal }),
  );
  copying.changed();
}

/** With what a list of referrers repeats of its manifest. */
async function described(referrer: Descriptor, copying: Copying): Promise<Referrer> {
  const { source, from } = copying.image;
  const { digest } = referrer;
  const answer = await askSource(copying, { kind: 'manifest', reference: digest }, (signal) =>
    source.manifest(from.repository, { digest }, { signal }),
  );
  if (answer.kind !== 'found' || answer.bytes === undefined) return referrer;
  const { artifactType, annotations } = parseManifest(answer.bytes, answer.descriptor.mediaType);
  return { ...answer.descriptor, ...defined({ artifactType, annotations }) };
}

function listOf(referrers: readonly unknown[]): ManifestBytes {
  const mediaType = mediaTypes.ociIndex;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: referrers }));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength }, bytes };
}
