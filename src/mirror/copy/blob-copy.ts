import { ContentMismatch, type Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import { destinationFailure, sourceFailure } from '../images/classify.ts';
import type { Landing } from '../images/copy-events.ts';
import { type BlobReading, createBlobReading } from './blob-reading.ts';
import {
  askDestination,
  type Copying,
  destinationSubject,
  once,
  placeOf,
  sourceSubject,
  type Topic,
} from './copying.ts';
import type { ContentPlace } from './shared-content.ts';

interface NeededBlob {
  readonly descriptor: Descriptor;
  /** The manifest that names it. */
  readonly namedBy: Digest;
  /** The destination's word that it has it, or could take it from elsewhere, is not enough. */
  readonly mustSend: boolean;
}

/** A registry may refuse mounts from a repository closed to our login: try so many, then send. */
const mostMounts = 2;

/**
 * Resolves once the destination has confirmed the blob. Throws CopyError. Does not retry: the
 * destination sends a blob as often as is useful, and the caller decides on the rest.
 */
export async function copyBlob(needed: NeededBlob, copying: Copying): Promise<void> {
  const { image, run, signal } = copying;
  const { descriptor, mustSend } = needed;
  const place = placeOf(copying, 'blob', descriptor.digest);
  const ended = (outcome: Landing | 'failed'): void => {
    run.tally.blobDone(blobText(copying, descriptor.digest), outcome);
    run.events.blobEnded?.({ image, descriptor, outcome });
  };
  await once(copying, place, mustSend, async () => {
    try {
      const landing = await landed(needed, place, copying);
      if (landing !== 'present') copying.changed();
      ended(landing);
      return landing;
    } catch (error) {
      if (!signal.aborted) ended('failed');
      throw error;
    }
  });
}

/** What counts as one blob: the same one in another repository is another. */
export function blobText({ image: { destination, to } }: Copying, digest: Digest): string {
  return `${destination.name}/${to.repository} ${digest}`;
}

/** No wait between the check of other uploads and our own, or several would send the blob. */
async function landed(needed: NeededBlob, place: ContentPlace, copying: Copying): Promise<Landing> {
  const { run } = copying;
  if (needed.mustSend) return sent(needed, place, copying);
  if (await isPresent(needed, copying)) return 'present';
  const elsewhere = run.shared.sentElsewhere(place);
  if (elsewhere !== undefined) await elsewhere;
  const holders = mountCandidates(place, copying);
  if (holders.length > 0 && (await isMounted(needed, holders, copying))) return 'mounted';
  return sent(needed, place, copying);
}

/** A blob of another size than the manifest says is another blob. */
function isPresent({ descriptor }: NeededBlob, copying: Copying): Promise<boolean> {
  const { destination, to } = copying.image;
  return askDestination(copying, topicOf(descriptor), async (signal) => {
    const found = await destination.statBlob(to.repository, descriptor.digest, { signal });
    return found !== undefined && (descriptor.size < 0 || found.size === descriptor.size);
  });
}

/** Where the source is a repository of the destination's registry, it has the blob for sure. */
function mountCandidates(place: ContentPlace, { image, run }: Copying): Repository[] {
  const { source, destination, from, to } = image;
  const isBeside = source.name === destination.name && from.repository !== to.repository;
  const known = run.shared.holders(place);
  return [...new Set(isBeside ? [from.repository, ...known] : known)].slice(0, mostMounts);
}

async function isMounted(
  { descriptor }: NeededBlob,
  holders: readonly Repository[],
  copying: Copying,
): Promise<boolean> {
  const { destination, to } = copying.image;
  for (const holder of holders) {
    const mounted = await askDestination(copying, topicOf(descriptor), (signal) =>
      destination.mountBlob(to.repository, descriptor.digest, holder, { signal }),
    );
    if (mounted) return true;
  }
  return false;
}

async function sent(needed: NeededBlob, place: ContentPlace, copying: Copying): Promise<Landing> {
  const { run, image, signal } = copying;
  await run.shared.send(place, () => run.step(image, () => upload(needed, copying), signal));
  return 'copied';
}

async function upload({ descriptor, namedBy }: NeededBlob, copying: Copying): Promise<void> {
  const { run, image, signal } = copying;
  const { destination, to } = image;
  const reading = createBlobReading(descriptor, namedBy, copying);
  run.events.uploadStarted?.({ image, descriptor });
  try {
    const whole = { ...descriptor, size: await reading.size() };
    await destination.putBlob(to.repository, whole, (start) => reading.open(start), { signal });
    run.tally.sent(whole.size);
  } catch (error) {
    throw failureOf(error, reading, descriptor, copying);
  } finally {
    reading.close();
  }
}

/** After a failure of the source, the destination's answer only echoes it. */
function failureOf(error: unknown, reading: BlobReading, descriptor: Descriptor, copying: Copying): unknown {
  copying.signal.throwIfAborted();
  const topic = topicOf(descriptor);
  if (reading.failure !== undefined) return reading.failure;
  return error instanceof ContentMismatch
    ? sourceFailure(error, sourceSubject(copying, topic))
    : destinationFailure(error, destinationSubject(copying, topic));
}

function topicOf({ digest }: Descriptor): Topic {
  return { kind: 'blob', reference: digest };
}
