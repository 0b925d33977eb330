import type { Repository } from '../oci/reference.ts';
import type { BytesOrigin } from '../oci/registry-reader.ts';
import { isWorker } from './members/worker-names.ts';

/** Who asks in place of clients: other replicas, or other workers of this process. */
export type Askers = 'replicas' | 'workers';

/**
 * Whether a download that follows this member is no answer for them, as they may follow it in turn.
 * Workers do not ask replicas on behalf of replicas: what follows a replica is an answer for them.
 */
export function leadsBack(askers: Askers, followed: string): boolean {
  return askers === 'replicas' || isWorker(followed);
}

/** The download of a blob follows another replica's: the caller is to follow that one. */
export class FollowsReplica extends Error {
  override readonly name = 'FollowsReplica';
  readonly replica: string;
  /** Whether a byte has come: then the download goes on here if that replica dies. */
  readonly hasBytes: boolean;
  /** Which one it was asked for. */
  readonly repository: Repository;

  constructor(replica: string, repository: Repository, hasBytes: boolean) {
    super(`the download follows that of ${replica}`);
    this.replica = replica;
    this.repository = repository;
    this.hasBytes = hasBytes;
  }
}

/** Replicas are being asked for the blob, so that it is not known yet which of them has it. */
export class SeeksReplica extends Error {
  override readonly name = 'SeeksReplica';
  /** For which one they are asked. */
  readonly repository: Repository;

  constructor(repository: Repository) {
    super('replicas are being asked for the blob');
    this.repository = repository;
  }
}

/** The blob is neither stored nor being downloaded. */
export class NotCached extends Error {
  override readonly name = 'NotCached';
}

interface SourcedDownload {
  readonly source: BytesOrigin;
  distanceTo(offset: number): { readonly bytes: number };
}

/**
 * Throws FollowsReplica or SeeksReplica where askers would wait for this process, and it for them
 * in turn. What is asked for only if cached is answered at once.
 */
export function refuseElsewhere(
  download: SourcedDownload,
  askers: Askers | undefined,
  { onlyIfCached = false }: { readonly onlyIfCached?: boolean | undefined },
): void {
  if (askers === undefined) return;
  const { source } = download;
  if (onlyIfCached && source.from === 'unknown') throw new SeeksReplica(source.repository);
  if (source.from === 'replica' && leadsBack(askers, source.replica))
    throw new FollowsReplica(source.replica, source.repository, download.distanceTo(1).bytes === 0);
}
