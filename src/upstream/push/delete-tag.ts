import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Reference, type Repository, referenceText, type Tag } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import type { Connection } from '../client/connection.ts';
import { askManifest } from '../client/manifests.ts';
import { discard, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { type Confirming, isSeen, unconfirmed } from './seen.ts';
import { writeRefusal } from './write-refusal.ts';

/** Looks after the first one: a registry may show a tag for some seconds more. */
const looks = 5;

/** How a tag is deleted. */
export interface TagDeleteOptions extends Cancellable {
  /** Believes the registry's answer, without a look whether the tag is gone. Default false. */
  readonly isBelieved?: boolean;
}

/**
 * Deletes a tag by its name, never by its digest, which would take every other tag of the manifest
 * too (end-9). Resolves once the registry shows the tag no more, or at its answer where that is
 * believed; a tag that is not there is fine.
 */
export function deletedTag(
  connection: Connection,
  repository: Repository,
  tag: Tag,
  confirming: Confirming & TagDeleteOptions,
): Promise<void> {
  return deleted(connection, repository, { tag }, confirming).catch((error: unknown) => {
    throw isDigestWanted(error) ? new RegistryError('UNSUPPORTED', error.message, { cause: error }) : error;
  });
}

/** As docker-registry 2.8 says that it deletes no tags. */
function isDigestWanted(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.code === 'DIGEST_INVALID';
}

/**
 * Deletes a manifest, and with it every tag that names it (end-9). Resolves once the registry shows
 * it no more; one that is not there is fine.
 */
export function deletedManifest(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  confirming: Confirming,
): Promise<void> {
  return deleted(connection, repository, { digest }, confirming);
}

async function deleted(
  connection: Connection,
  repository: Repository,
  reference: Reference,
  { random, signal, isBelieved = false }: Confirming & TagDeleteOptions,
): Promise<void> {
  const asked = signal === undefined ? {} : { signal };
  const ask: UpstreamRequest = {
    kind: 'manifest',
    method: 'DELETE',
    url: connection.urlOf(`/v2/${repository}/manifests/${referenceText(reference)}`),
    push: { repository, deletes: true },
    ...asked,
  };
  await connection.tried(ask, takenDelete);
  if (isBelieved) return;
  const isGone = async (): Promise<boolean> => {
    const found = await askManifest(connection, repository, reference, { method: 'HEAD', ...asked });
    return found.kind === 'absent';
  };
  if (!(await isSeen(isGone, looks, { random, ...asked }))) throw unconfirmed();
}

async function takenDelete(answer: UpstreamResponse): Promise<void> {
  const { status } = answer;
  if (status !== 404 && (status < 200 || status >= 300)) throw await writeRefusal(answer, 'UNSUPPORTED');
  discard(answer);
}
