import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type CopyEndpoint,
  type CopyEndpointOptions,
  copyBreaker,
  createCopyEndpoint,
  longestWaitSeconds,
} from '../../app/mirror/copy-endpoint.ts';
import type { UpstreamConfig } from '../../config/config.ts';
import type { ImageDestination, OpenByUrls } from '../../mirror/endpoints/endpoints.ts';
import type { HeldPlace, ImageDirectory } from '../../mirror/endpoints/image-directory.ts';
import { ocDirectory } from '../../mirror/endpoints/oc-directory.ts';
import { ociLayout } from '../../mirror/endpoints/oci-layout.ts';
import type { ImagePlace } from '../../mirror/references/pull-spec.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import { createUrlBlobs } from '../../upstream/client/url-blobs.ts';
import type { CredentialHelpers } from '../../upstream/helpers/helpers.ts';
import { UsageError } from '../flags/arguments.ts';
import type { MirrorOptions } from './options.ts';

/** Where images come from and go to, each registry and directory made once. */
export interface MirrorEndpoints {
  source(place: ImagePlace): Promise<RegistryReader>;
  openByUrls(place: ImagePlace): Promise<OpenByUrls>;
  destination(place: ImagePlace): Promise<ImageDestination>;
  /** Deletes tags of a registry. */
  deleteTag(place: ImagePlace): Promise<CopyEndpoint['deleteTag']>;
  /** A destination as it can be read. */
  held(place: ImagePlace): Promise<HeldPlace>;
  close(): Promise<void>;
}

export interface MirrorEndpointsOptions
  extends Pick<
    MirrorOptions,
    | 'insecure'
    | 'certificateAuthority'
    | 'maxPerRegistry'
    | 'requestsPerSecond'
    | 'skipMount'
    | 'dir'
    | 'fromDir'
  > {
  /** See MirrorWish. Default: none. */
  readonly uploadHosts?: readonly string[];
  /** The logins of registries without `credentials` of their own. Default: anonymous. */
  readonly authFile: string | undefined;
  /** How registries are reached, by the host that users write. Default: at `https://` and that. */
  readonly upstreams?: Readonly<Record<string, UpstreamConfig>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Programs that have logins; closed with the ends. */
  readonly helpers: CredentialHelpers;
  /** From 0 to 1, for jitter. Default: Math.random. */
  readonly random?: () => number;
  /** Called when a registry does not mount a blob from a repository of its own. Default: none. */
  readonly mountIgnored?: (from: string, digest: Digest) => void;
}

interface Registry extends Pick<CopyEndpoint, 'source' | 'destination' | 'deleteTag' | 'close'> {
  readonly openByUrls: OpenByUrls;
}

/** Reading is as patient as writing. */
const retries = 6;

/** Lazy; with `insecure`, the first call finds out whether a registry speaks TLS. */
export function createMirrorEndpoints(options: MirrorEndpointsOptions): MirrorEndpoints {
  const registries = new Map<string, Promise<Registry>>();
  const directories = new Map<string, ImageDirectory>();
  const nowhere = { name: 'urls', url: 'https://urls.invalid', longestWaitSeconds };
  const urls = createUrlBlobs({ ...nowhere, ...wireOptions(options), allowsHttp: options.insecure });

  function registry(host: string): Promise<Registry> {
    const made = registries.get(host) ?? madeRegistry(host, options);
    registries.set(host, made);
    return made;
  }

  function directory({ medium, location }: ImagePlace, base: string): ImageDirectory {
    const path = resolve(medium === 'file' ? base : location);
    const key = `${medium}:${path}`;
    const made = directories.get(key) ?? (medium === 'file' ? ocDirectory(path) : ociLayout(path));
    directories.set(key, made);
    return made;
  }

  return {
    async source(place) {
      if (place.medium !== 'registry') return directory(place, options.fromDir);
      return (await registry(place.location)).source;
    },
    async openByUrls({ medium, location }) {
      return medium === 'registry' ? (await registry(location)).openByUrls : urls.open;
    },
    async destination(place) {
      const { medium, location } = place;
      if (medium !== 'registry') return mounting(directory(place, options.dir), options);
      return mounting((await registry(location)).destination, options);
    },
    deleteTag: async ({ location }) => (await registry(location)).deleteTag,
    async held(place) {
      if (place.medium !== 'registry') return directory(place, options.dir);
      return (await registry(place.location)).source;
    },
    async close() {
      const made = await Promise.allSettled(registries.values());
      const ended = made.map((each) => (each.status === 'fulfilled' ? each.value.close() : undefined));
      await Promise.all([...ended, urls.close()]);
      options.helpers.close();
    },
  };
}

/** Without mounts, or with a word about each that was not taken. */
function mounting(end: ImageDestination, options: MirrorEndpointsOptions): ImageDestination {
  if (options.skipMount) return { ...end, mountBlob: async () => false };
  return {
    ...end,
    async mountBlob(repository, digest, from, asked) {
      const isMounted = await end.mountBlob(repository, digest, from, asked);
      if (!isMounted) options.mountIgnored?.(`${end.name}/${from}`, digest);
      return isMounted;
    },
  };
}

/** A registry and its storage may have private addresses: the user named it. */
async function madeRegistry(host: string, options: MirrorEndpointsOptions): Promise<Registry> {
  const { certificateAuthority, insecure } = options;
  if (certificateAuthority !== undefined) await needReadable(certificateAuthority);
  const made = createCopyEndpoint(endpointOptions(host, options));
  if (!insecure || (await made.upstream.isReachable())) return withUrls(made, options);
  await made.close();
  const url = made.settings.url.replace('https:', 'http:');
  return withUrls(createCopyEndpoint({ ...endpointOptions(host, options), url }), options);
}

/** Foreign layers are read from the registry, private or not, else from public hosts. */
function withUrls(
  { source, destination, deleteTag, settings, close }: CopyEndpoint,
  { insecure }: MirrorEndpointsOptions,
): Registry {
  const urls = createUrlBlobs({ ...settings, allowsHttp: insecure });
  return {
    source,
    openByUrls: urls.open,
    destination,
    deleteTag,
    async close() {
      await Promise.all([close(), urls.close()]);
    },
  };
}

/** How whatever host is reached. */
function wireOptions({ certificateAuthority, env, insecure, random }: MirrorEndpointsOptions) {
  return {
    env,
    retries,
    ...(random && { random }),
    ...(certificateAuthority === undefined ? {} : { caFile: certificateAuthority }),
    ...(insecure ? { verifyTls: false } : {}),
  };
}

function endpointOptions(name: string, options: MirrorEndpointsOptions): CopyEndpointOptions {
  const { authFile, maxPerRegistry, requestsPerSecond, uploadHosts = [] } = options;
  const upstream = options.upstreams?.[name];
  const { manifestTimeoutMs: _clients, questionTimeoutMs: _wait, ...known } = upstream ?? {};
  return {
    ...known,
    name,
    helpers: options.helpers,
    allowPrivateAddresses: true,
    uploadHosts: upstream?.uploadHosts ?? uploadHosts,
    ...wireOptions(options),
    breaker: copyBreaker,
    authFile: upstream?.credentials === undefined ? authFile : undefined,
    atMost: { maxConcurrent: maxPerRegistry, requestsPerSecond },
  };
}

async function needReadable(authorities: string): Promise<void> {
  try {
    await access(authorities);
  } catch (cause) {
    throw new UsageError(`the authorities in ${authorities} cannot be read`, { cause });
  }
}
