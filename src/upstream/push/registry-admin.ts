import { createConnection } from '../client/connection.ts';
import { discard, type UpstreamRequest, type UpstreamResponse } from '../exchange.ts';
import { settingsOf, type UpstreamOptions } from '../http/options.ts';
import { writeRefusal } from './write-refusal.ts';

/**
 * The integrated registry of OpenShift as its pruner sees it. What is not there is fine. Throws
 * `RegistryError`.
 */
export interface RegistryAdmin {
  /** True when it answers at all. */
  isAlive(): Promise<boolean>;
  deleteLayerLink(repository: string, digest: string, signal: AbortSignal): Promise<void>;
  deleteManifestLink(repository: string, digest: string, signal: AbortSignal): Promise<void>;
  /** For all repositories. */
  deleteBlob(digest: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface AdminOptions extends Omit<UpstreamOptions, 'credentials'> {
  /** The `Authorization` of each request. */
  readonly authorization: () => Promise<string>;
}

/** Asks nothing before the first call. */
export function createRegistryAdmin({ authorization, ...options }: AdminOptions): RegistryAdmin {
  const link = createConnection(settingsOf(options));
  const deleted = async (path: string, signal: AbortSignal): Promise<void> => {
    const ask: UpstreamRequest = {
      ...{ kind: 'manifest', method: 'DELETE', url: link.urlOf(path), signal },
      headers: { authorization: await authorization() },
    };
    await link.tried(ask, takenDelete);
  };
  return {
    isAlive: () => link.isReachable(),
    deleteLayerLink: (repository, digest, signal) => deleted(`/v2/${repository}/blobs/${digest}`, signal),
    deleteManifestLink: (repository, digest, signal) =>
      deleted(`/v2/${repository}/manifests/${digest}`, signal),
    deleteBlob: (digest, signal) => deleted(`/admin/blobs/${digest}`, signal),
    close: () => link.close(),
  };
}

async function takenDelete(answer: UpstreamResponse): Promise<void> {
  const { status } = answer;
  if (status !== 202 && status !== 204 && status !== 404) throw await writeRefusal(answer, 'UNSUPPORTED');
  discard(answer);
}
