import { dirname } from 'node:path';
import { abortable } from '../../base/flow/abortable.ts';
import { bytesOf, type Descriptor, verified } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Manifest } from '../../oci/manifest.ts';
import type { Repository } from '../../oci/reference.ts';
import { type DirectoryLayout, heldManifest, type LayoutManifest, namedParts } from './directory-layout.ts';
import type { ImageDestination } from './endpoints.ts';
import { createFileChecks, type FileChecks } from './file-checks.ts';
import { linkWhole, sweepDownloads, writeWhole } from './whole-file.ts';

/** A directory, and what this process found out about its files. */
interface Checked {
  readonly layout: DirectoryLayout;
  readonly checks: FileChecks;
  /** `repository@digest` of our manifests: with filtered children incomplete, yet confirmed. */
  readonly written: Set<string>;
}

/**
 * A directory as destination. A file counts only if its bytes match its name, which each process
 * reads once; a manifest counts only with all its content, so that an image that lost a layer is
 * copied again. A file is durable before it has its name.
 */
export function directoryDestination(layout: DirectoryLayout): ImageDestination {
  const checks = createFileChecks();
  const directory: Checked = { layout, checks, written: new Set() };
  const sweepOnce = once(sweepDownloads);
  return {
    name: layout.name,
    async statManifest(repository, reference, { signal } = {}) {
      const found = await heldManifest(layout, repository, reference);
      return found && (await isWhole(directory, repository, found, signal)) ? found.descriptor : undefined;
    },
    statBlob: (repository, digest, { signal } = {}) =>
      checks.check(layout.blobPath(repository, digest), digest, signal),
    async mountBlob(repository, digest, from, { signal } = {}) {
      const existing = layout.blobPath(from, digest);
      if ((await checks.check(existing, digest, signal)) === undefined) return false;
      const path = layout.blobPath(repository, digest);
      return path === existing || linkWhole(path, existing);
    },
    async putBlob(repository, descriptor, open, { signal } = {}) {
      const path = layout.blobPath(repository, descriptor.digest);
      await sweepOnce(dirname(path));
      await writeWhole(path, verified(abortable(await open(0), signal), descriptor));
      await checks.trust(path, descriptor.digest);
    },
    async putManifest(repository, reference, manifest, { signal } = {}) {
      const { descriptor, bytes } = manifest;
      const parsed = namedParts(bytes, descriptor.mediaType);
      const missing = await missingBlob(directory, repository, parsed, signal);
      if (missing !== undefined) throw missingIn(layout.name, repository, missing);
      await writeWhole(layout.blobPath(repository, descriptor.digest), bytesOf(bytes));
      await layout.publish(repository, manifest, parsed, reference.tag);
      directory.written.add(`${repository}@${descriptor.digest}`);
    },
  };
}

async function isWhole(
  directory: Checked,
  repository: Repository,
  { descriptor, parsed }: LayoutManifest,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (directory.written.has(`${repository}@${descriptor.digest}`)) return true;
  for (const { digest } of parsed.children) {
    const child = await heldManifest(directory.layout, repository, { digest });
    if (child === undefined || !(await isWhole(directory, repository, child, signal))) return false;
  }
  return (await missingBlob(directory, repository, parsed, signal)) === undefined;
}

async function missingBlob(
  { layout, checks }: Checked,
  repository: Repository,
  { blobs }: Manifest,
  signal: AbortSignal | undefined,
): Promise<Descriptor | undefined> {
  for (const blob of blobs) {
    signal?.throwIfAborted();
    const found = await checks.check(layout.blobPath(repository, blob.digest), blob.digest, signal);
    if (found === undefined || (blob.size >= 0 && found.size !== blob.size)) return blob;
  }
  return undefined;
}

/** Once for each text, however often it is asked for. */
function once(work: (text: string) => Promise<void>): (text: string) => Promise<void> {
  const begun = new Map<string, Promise<void>>();
  return (text) => {
    const known = begun.get(text) ?? work(text);
    begun.set(text, known);
    return known;
  };
}

function missingIn(name: string, repository: Repository, { digest }: Descriptor): RegistryError {
  return new RegistryError('MANIFEST_BLOB_UNKNOWN', `${name} does not hold ${digest} of ${repository}`, {
    detail: { digest, repository },
  });
}
