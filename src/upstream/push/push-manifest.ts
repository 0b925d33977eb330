import type { Descriptor } from '../../oci/content.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isManifestType, parseManifest } from '../../oci/manifest.ts';
import { type Reference, type Repository, referenceText } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import { isSchema1, namedBytes } from '../../oci/schema1.ts';
import type { Connection } from '../client/connection.ts';
import { askManifest } from '../client/manifests.ts';
import { discard, headerOf, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { type Confirming, isSeen, unconfirmed } from './seen.ts';
import { lastingRefusal, writeRefusal } from './write-refusal.ts';

/** A manifest on its way: byte for byte, under its own media type. */
export interface PushedManifest {
  readonly descriptor: Descriptor & { readonly mediaType: string };
  readonly bytes: Uint8Array;
}

interface ManifestPush extends Confirming, Cancellable {
  /** May read and write the repository. */
  readonly connection: Connection;
  readonly repository: Repository;
  readonly reference: Reference;
  /** What the registry may take to answer, milliseconds. */
  readonly commitTimeoutMs: number;
}

/** Looks after the first one for what was put: quay shows a manifest some seconds later. */
const looks = 8;

/** Puts the manifest (end-7a). Resolves once the registry shows it under the reference. */
export async function pushManifest(manifest: PushedManifest, push: ManifestPush): Promise<void> {
  const { connection, repository, reference, commitTimeoutMs, signal } = push;
  const { descriptor, bytes } = manifest;
  const oddity = oddityOf(manifest);
  const ask: UpstreamRequest = {
    kind: 'manifest',
    method: 'PUT',
    url: connection.urlOf(`/v2/${repository}/manifests/${referenceText(reference)}`),
    headers: { 'content-type': descriptor.mediaType },
    body: bytes,
    push: { repository },
    firstByteTimeoutMs: commitTimeoutMs,
    reads: (status) => status === 500 && oddity !== undefined,
    ...(signal === undefined ? {} : { signal }),
  };
  await connection.tried(ask, (answer) => takenManifest(answer, descriptor.digest, oddity));
  if (!(await isSeen((look) => isShown(manifest, push, look), looks, push))) throw unconfirmed();
}

/** After a HEAD that does not find it, by GET: to some registries a HEAD finds nothing. */
async function isShown(
  manifest: PushedManifest,
  { connection, repository, reference, signal }: ManifestPush,
  look: number,
): Promise<boolean> {
  const found = await askManifest(connection, repository, reference, {
    method: look === 0 ? 'HEAD' : 'GET',
    ...(signal === undefined ? {} : { signal }),
  });
  return found.kind === 'found' && isNameOf(found.descriptor.digest, manifest);
}

/** A registry may hold by one algorithm what was copied by another. */
function isNameOf(digest: Digest, { descriptor, bytes }: PushedManifest): boolean {
  const algorithm = algorithmOf(digest);
  if (algorithm === algorithmOf(descriptor.digest)) return digest === descriptor.digest;
  return digest === digestOf(namedBytes(bytes, descriptor.mediaType), algorithm);
}

/** A registry that stored something else, such as a converted manifest, says so by its digest. */
async function takenManifest(
  answer: UpstreamResponse,
  digest: Digest,
  oddity: string | undefined,
): Promise<void> {
  if (answer.status === 500) throw await lastingRefusal(answer, oddity);
  if (answer.status < 200 || answer.status >= 300) throw await writeRefusal(answer, 'MANIFEST_INVALID');
  discard(answer);
  const stated = headerOf(answer, 'docker-content-digest');
  if (!isDigest(stated) || algorithmOf(stated) !== algorithmOf(digest)) return;
  if (stated === digest) return;
  throw new RegistryError(
    'UPSTREAM_INVALID',
    `the registry stored the manifest under digest ${stated}, expected ${digest}`,
  );
}

/** What docker-registry refuses by a 500 that says no more. */
function oddityOf({ descriptor, bytes }: PushedManifest): string | undefined {
  if (isSchema1(descriptor)) return 'schema 1';
  const isKnown = isManifestType(descriptor.mediaType);
  const foreign = isKnown ? parseManifest(bytes, descriptor.mediaType).foreign : undefined;
  return foreign === undefined ? undefined : 'layers with urls of their own';
}
