import { acceptManifests, type Manifest, maxManifestBytes, parseManifest } from '../../oci/manifest.ts';
import { type Reference, referenceText } from '../../oci/reference.ts';
import { headerOf, wholeBody } from '../../upstream/exchange.ts';
import { StatusFailure, toLoadFailure } from '../client/failure.ts';
import { type LoadTarget, repositoryPath, urlOf } from '../client/target.ts';
import { createWire, type Wire } from '../client/wire.ts';
import type { LoadImage } from '../model/images.ts';
import type { StandIn } from '../traces/ranks.ts';

const times = { firstByteTimeoutMs: 30_000, progressTimeoutMs: 30_000 };

/**
 * The images with the blobs of their first platform, in place of what a trace names. Throws
 * LoadFailure where the registry lacks one.
 */
export async function standInsOf(
  registry: LoadTarget,
  images: readonly LoadImage[],
  signal: AbortSignal,
): Promise<readonly StandIn[]> {
  const wire = createWire({ target: registry, ...times, sent: () => {} });
  try {
    const found: StandIn[] = [];
    for (const image of images) {
      const root = await manifestAt(wire, registry, image, signal);
      const [child] = root.children;
      const { blobs } =
        child === undefined
          ? root
          : await manifestAt(wire, registry, { ...image, reference: { digest: child.digest } }, signal);
      if (blobs.length > 0) found.push({ ...image, blobs });
    }
    return found;
  } finally {
    await wire.close();
  }
}

async function manifestAt(
  { send }: Wire,
  registry: LoadTarget,
  { repository, reference }: { readonly repository: string; readonly reference: Reference },
  signal: AbortSignal,
): Promise<Manifest> {
  const path = `/v2/${repositoryPath(registry, repository)}/manifests/${referenceText(reference)}`;
  const headers = { accept: acceptManifests };
  try {
    const url = urlOf(registry, path);
    const answer = await send({ kind: 'manifest', method: 'GET', url, headers, signal });
    const bytes = await wholeBody(answer, maxManifestBytes);
    if (answer.status !== 200) throw new StatusFailure(answer.status, `GET ${path}`, undefined);
    return parseManifest(bytes, headerOf(answer, 'content-type'));
  } catch (error) {
    throw toLoadFailure(error, `GET ${path}`);
  }
}
