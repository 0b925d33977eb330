import { isPrivateHost } from '../../upstream/http/addresses.ts';

/** The registry or cache that is put under load. Plain JSON. */
export interface LoadTarget {
  /** Where it answers, such as `http://127.0.0.1:8400`. */
  readonly url: string;
  /** The registry whose mirror it is, such as `quay.io`. Default: it is asked for itself. */
  readonly mirrorOf?: string;
  /** How requests name that registry: `?ns=`, the `Host` header, or before the repository. */
  readonly mirrorBy?: 'ns' | 'host' | 'path';
  /** The `Host` header, for a target that answers by name. Default: that of the URL. */
  readonly hostName?: string;
  /** PEM of the authorities to trust. */
  readonly caFile?: string;
  /** A docker or podman auth file. */
  readonly authFile?: string;
  readonly usernameFile?: string;
  readonly passwordFile?: string;
  /** A file with a token that goes with each request to the target as it is. */
  readonly tokenFile?: string;
}

/** What follows `/v2/` for a repository of it: `team/app`, or `quay.io/team/app`. */
export function repositoryPath({ mirrorOf, mirrorBy }: LoadTarget, repository: string): string {
  return mirrorBy === 'path' && mirrorOf !== undefined ? `${mirrorOf}/${repository}` : repository;
}

/** The URL of a path from `/v2/` on. */
export function urlOf({ url, mirrorOf, mirrorBy }: LoadTarget, path: string): URL {
  const base = new URL(url);
  const found = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base);
  if (mirrorBy === 'ns' && mirrorOf !== undefined && path !== '/v2/') found.searchParams.set('ns', mirrorOf);
  return found;
}

/** The `Host` header where it is not that of the URL. */
export function hostHeader({ mirrorOf, mirrorBy, hostName }: LoadTarget): string | undefined {
  return hostName ?? (mirrorBy === 'host' ? mirrorOf : undefined);
}

/** True for a target on this machine or in this network, whose load is not other people's. */
export function isPrivateTarget({ url }: LoadTarget): boolean {
  return isPrivateHost(new URL(url).hostname);
}
