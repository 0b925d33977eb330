import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ImageDestination, ImageSource } from '../../mirror/endpoints/endpoints.ts';
import type { ImageDirectory } from '../../mirror/endpoints/image-directory.ts';
import { imageSource } from '../../mirror/endpoints/image-source.ts';
import { ocDirectory } from '../../mirror/endpoints/oc-directory.ts';
import { ociLayout } from '../../mirror/endpoints/oci-layout.ts';
import { taggedReferrers } from '../../mirror/endpoints/tagged-referrers.ts';
import type { Place } from '../../mirror/references/pull-spec.ts';
import type { Digest } from '../../oci/digest.ts';
import { registryUpstream } from '../../upstream/client/client.ts';
import { type UrlBlobs, urlBlobs } from '../../upstream/client/url-blobs.ts';
import type { UpstreamOptions } from '../../upstream/http/options.ts';
import { registryWriter, type WriterOptions } from '../../upstream/push/writer.ts';
import { adaptiveLimit } from '../../upstream/resilience/adaptive.ts';
import { UsageError } from '../flags/arguments.ts';
import type { MirrorWish } from './flags.ts';

/** Where images come from and go to, each registry and directory made once. */
export interface MirrorEnds {
  source(place: Place): Promise<ImageSource>;
  destination(place: Place): Promise<ImageDestination>;
  close(): Promise<void>;
}

export interface MirrorEndsOptions
  extends Pick<
    MirrorWish,
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
  /** The logins. Default: anonymous. */
  readonly authFile: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** From 0 to 1, for jitter. Default: Math.random. */
  readonly random?: () => number;
  /** Told when a registry would not take a blob over from that repository of its own. Default: nobody is. */
  readonly mountIgnored?: (from: string, digest: Digest) => void;
}

interface Registry {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  close(): Promise<void>;
}

/** A registry that asks us to wait is waited for so long; whoever asks for more fails the image. */
const longestWaitSeconds = 60;
/** Reading is as patient as writing. */
const retries = 6;
/** One image's tries are fewer, so that its failure says what is the matter, and not that we gave the registry up. */
const breakerFailures = 30;

/** Nothing is asked before the first call; with `insecure` that one finds out whether a registry speaks TLS. */
export function mirrorEnds(options: MirrorEndsOptions): MirrorEnds {
  const registries = new Map<string, Promise<Registry>>();
  const directories = new Map<string, ImageDirectory>();
  const urls = urlBlobsBeside(
    { name: 'urls', url: 'https://urls.invalid', ...wireOptions(options) },
    options,
  );

  function registry(host: string): Promise<Registry> {
    const made = registries.get(host) ?? madeRegistry(host, options);
    registries.set(host, made);
    return made;
  }

  function directory({ medium, location }: Place, base: string): ImageDirectory {
    const path = resolve(medium === 'file' ? base : location);
    const key = `${medium}:${path}`;
    const made = directories.get(key) ?? {
      ...(medium === 'file' ? ocDirectory(path) : ociLayout(path)),
      openByUrls: urls.open,
    };
    directories.set(key, made);
    return made;
  }

  return {
    async source(place) {
      if (place.medium !== 'registry') return directory(place, options.fromDir);
      return (await registry(place.location)).source;
    },
    async destination(place) {
      const { medium, location } = place;
      if (medium !== 'registry') return mounting(directory(place, options.dir), options);
      return mounting((await registry(location)).destination, options);
    },
    async close() {
      const made = await Promise.allSettled(registries.values());
      const ended = made.map((each) => (each.status === 'fulfilled' ? each.value.close() : undefined));
      await Promise.all([...ended, urls.close()]);
    },
  };
}

/** Without mounts, or with a word about each that was not taken. */
function mounting(end: ImageDestination, options: MirrorEndsOptions): ImageDestination {
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

async function madeRegistry(host: string, options: MirrorEndsOptions): Promise<Registry> {
  const settings = await registryOptions(host, options);
  const upstream = registryUpstream(settings);
  const writer = registryWriter(settings);
  const urls = urlBlobsBeside(settings, options);
  return {
    source: { ...imageSource(upstream), openByUrls: urls.open },
    destination: { ...writer, taggedReferrers: taggedReferrers(upstream) },
    async close() {
      await Promise.all([upstream.close(), writer.close(), urls.close()]);
    },
  };
}

/** What foreign layers are read with: they may lead to the registry of the settings, inside or not, and else to public hosts alone. */
function urlBlobsBeside(settings: UpstreamOptions, { insecure }: MirrorEndsOptions): UrlBlobs {
  return urlBlobs({ ...settings, allowsHttp: insecure });
}

/** How whatever host is reached. */
function wireOptions({ certificateAuthority, env, insecure, random }: MirrorEndsOptions) {
  return {
    env,
    retries,
    longestWaitSeconds,
    ...(random && { random }),
    ...(certificateAuthority === undefined ? {} : { caFile: certificateAuthority }),
    ...(insecure ? { verifyTls: false } : {}),
  };
}

/** Reading and writing share one limit. A registry and its storage may be inside: whoever runs us named it. */
async function registryOptions(host: string, options: MirrorEndsOptions): Promise<WriterOptions> {
  const { authFile, certificateAuthority, insecure, maxPerRegistry, requestsPerSecond } = options;
  if (certificateAuthority !== undefined) await needReadable(certificateAuthority);
  const settings: WriterOptions = {
    name: host,
    url: `https://${host === 'docker.io' ? 'registry-1.docker.io' : host}`,
    allowPrivateAddresses: true,
    uploadHosts: options.uploadHosts ?? [],
    ...wireOptions(options),
    breaker: { failures: breakerFailures },
    limit: adaptiveLimit({
      maxConcurrent: maxPerRegistry,
      longestWaitSeconds,
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    }),
    ...(authFile === undefined ? {} : { credentials: { authFile } }),
  };
  if (!insecure || (await speaksTls(settings))) return settings;
  return { ...settings, url: settings.url.replace('https:', 'http:') };
}

async function needReadable(authorities: string): Promise<void> {
  try {
    await access(authorities);
  } catch (cause) {
    throw new UsageError(`the authorities in ${authorities} cannot be read`, { cause });
  }
}

async function speaksTls(settings: WriterOptions): Promise<boolean> {
  const upstream = registryUpstream(settings);
  try {
    return await upstream.isReachable();
  } finally {
    await upstream.close();
  }
}
