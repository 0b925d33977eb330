import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/load.ts';
import { confirmedByGet } from '../../mirror/endpoints/reading.ts';
import { isNotFound, RegistryError } from '../../oci/errors.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import type { PrunePlace } from '../../prune/place.ts';
import { createUpstream } from '../../upstream/client/client.ts';
import type { UpstreamOptions } from '../../upstream/http/options.ts';
import { createQuayTags, type QuayTags } from '../../upstream/push/quay-tags.ts';
import { createRegistryWriter, type RegistryWriter } from '../../upstream/push/writer.ts';
import { createAdaptiveLimit } from '../../upstream/resilience/adaptive.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import { authFile, commandHelpers } from '../mirror/auth-file.ts';
import type { PruneOptions, PruneTarget } from './options.ts';

/** A repository as it is pruned, and its end. */
export interface OpenPlace extends PrunePlace {
  readonly writer: Pick<RegistryWriter, 'deleteManifest' | 'putManifest'>;
  /** Whether an API of the registry's own deletes tags, as that of Quay. */
  readonly hasOwnTags: boolean;
  close(): Promise<void>;
}

/** Tries after the first. A failed object is tried again by the next run. */
const retries = 2;
/** A registry that asks for a pause is waited for up to this long, seconds. */
const longestWaitSeconds = 60;
/** Failures of single objects must not stop the others, however many they are. */
const breaker = { failures: Number.MAX_SAFE_INTEGER };

/**
 * The repository, reached as the settings say. Reading and deleting share one limit, which halves
 * at a 429 and grows again. With a token, tags are deleted by the API of Quay.
 */
export async function openPlace(
  target: PruneTarget,
  wish: PruneOptions & { readonly tokenFile?: string | undefined },
  config: Config,
  io: Io,
): Promise<OpenPlace> {
  const settings = await settingsFor(target.registry, wish, config, io);
  const token = await tokenOf(wish.tokenFile, io);
  const made = connected(settings, token);
  if (!wish.insecure || (await made.upstream.isReachable())) return placeOf(target, made);
  await closed(made);
  return placeOf(target, connected({ ...settings, url: settings.url.replace('https:', 'http:') }, token));
}

interface Connected {
  readonly upstream: Upstream;
  readonly writer: RegistryWriter;
  readonly quay: QuayTags | undefined;
}

type OauthToken = { readonly file: string } | { readonly text: string } | undefined;

async function settingsFor(
  registry: string,
  wish: PruneOptions,
  config: Config,
  io: Io,
): Promise<UpstreamOptions> {
  const { env } = io;
  const { registryConfig, certificateAuthority, insecure } = wish;
  const known = config.upstreams[registry];
  const { credentials, manifestTimeoutMs: _clients, questionTimeoutMs: _wait, ...rest } = known ?? {};
  const given = registryConfig ?? config.mirror?.authFile;
  const file = given === undefined && credentials !== undefined ? undefined : await authFile(given, env);
  return {
    url: `https://${registry === 'docker.io' ? 'registry-1.docker.io' : registry}`,
    ...rest,
    name: registry,
    allowPrivateAddresses: true,
    env,
    helpers: commandHelpers(io, config),
    ...(insecure ? { verifyTls: false } : {}),
    ...(certificateAuthority === undefined ? {} : { caFile: certificateAuthority }),
    ...(file === undefined ? credentials && { credentials } : { credentials: { authFile: file } }),
    retries,
    breaker,
    longestWaitSeconds,
    limit: createAdaptiveLimit({
      maxConcurrent: wish.maxPerRegistry,
      longestWaitSeconds,
      ...(wish.requestsPerSecond === undefined ? {} : { requestsPerSecond: wish.requestsPerSecond }),
    }),
  };
}

async function tokenOf(file: string | undefined, { env }: Io): Promise<OauthToken> {
  const text = env['QUAY_OAUTH_TOKEN'];
  if (file === undefined) return text === undefined || text === '' ? undefined : { text };
  try {
    if ((await readFile(file, 'utf8')).trim() !== '') return { file };
  } catch (cause) {
    throw new UsageError(`the OAuth token in ${file} cannot be read`, { cause });
  }
  throw new UsageError(`there is no OAuth token in ${file}`);
}

function connected(settings: UpstreamOptions, token: OauthToken): Connected {
  const { credentials: _login, ...anonymous } = settings;
  return {
    upstream: createUpstream(settings),
    writer: createRegistryWriter(settings),
    quay: token && createQuayTags({ ...anonymous, token }),
  };
}

async function closed({ upstream, writer, quay }: Connected): Promise<void> {
  await Promise.all([upstream.close(), writer.close(), quay?.close()]);
}

function placeOf({ registry, repository }: PruneTarget, made: Connected): OpenPlace {
  const reader = confirmedByGet(made.upstream);
  const { writer, quay } = made;
  return {
    name: `${registry}/${repository}`,
    reader,
    repository,
    writer,
    hasOwnTags: quay !== undefined,
    async deleteTag(tag, asked = {}) {
      // Each tag was read just before; one that stays all the same is listed again by the next run.
      if (quay === undefined) await writer.deleteTag(repository, tag, { ...asked, isBelieved: true });
      else await deletedByQuay(quay, { reader, repository, tag }, asked);
    },
    async putTag(tag, digest, asked = {}) {
      if (quay !== undefined) return quay.putTag(repository, tag, digest, asked);
      const found = await reader.manifest(repository, { digest }, asked);
      if (found.kind !== 'found' || found.bytes === undefined)
        throw new RegistryError('MANIFEST_UNKNOWN', `the repository lacks ${digest}`);
      const { descriptor, bytes } = found;
      await writer.putManifest(repository, { tag }, { descriptor, bytes }, asked);
    },
    close: () => closed(made),
  };
}

interface QuayTag {
  readonly reader: PrunePlace['reader'];
  readonly repository: Repository;
  readonly tag: Tag;
}

/** A 404 may also mean that the token does not see the repository: the tag is looked for then. */
async function deletedByQuay(quay: QuayTags, at: QuayTag, asked: Cancellable): Promise<void> {
  const { reader, repository, tag } = at;
  try {
    await quay.deleteTag(repository, tag, asked);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const found = await reader.manifest(repository, { tag }, { ...asked, method: 'HEAD' });
    if (found.kind !== 'absent') throw error;
  }
}
