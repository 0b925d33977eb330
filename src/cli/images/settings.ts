import type { UpstreamConfig } from '../../config/config.ts';
import type { Config } from '../../config/load.ts';
import type { Io } from '../flags/io.ts';
import { authFile, commandHelpers } from '../mirror/auth-file.ts';
import { createMirrorEndpoints, type MirrorEndpoints } from '../mirror/endpoints.ts';
import { configFile } from '../serve/config-file.ts';

/** What a command line says of registries. */
interface RegistryFlags {
  /** The settings of a server. Default: none. */
  readonly config: string | undefined;
  readonly registryConfig: string | undefined;
  readonly insecure: boolean;
  readonly certificateAuthority: string | undefined;
  readonly dir: string;
}

/** Requests at a time to a registry. */
const maxPerRegistry = 6;

/**
 * The registries as a server with those settings reaches them: address, proxy, authorities, login.
 * The login for `push` is that of the mirror, else the upstream's own; for `pull` it is the other
 * way round. `--registry-config` wins over both. Throws `UsageError` and `ConfigError`.
 */
export async function configuredEndpoints(
  flags: RegistryFlags,
  right: 'pull' | 'push',
  io: Io,
): Promise<MirrorEndpoints> {
  const { registryConfig, insecure, certificateAuthority, dir } = flags;
  const config = flags.config === undefined ? undefined : await configFile(flags.config, io);
  const pushed = right === 'push' ? config?.mirror?.authFile : undefined;
  const given = registryConfig ?? pushed;
  const upstreams = config?.upstreams ?? {};
  return createMirrorEndpoints({
    authFile: await authFile(given ?? config?.mirror?.authFile, io.env),
    upstreams: given === undefined ? upstreams : withoutLogins(upstreams),
    env: io.env,
    helpers: commandHelpers(io, config),
    insecure,
    certificateAuthority,
    maxPerRegistry,
    requestsPerSecond: undefined,
    skipMount: false,
    dir,
    fromDir: dir,
  });
}

function withoutLogins(upstreams: Config['upstreams']): Readonly<Record<string, UpstreamConfig>> {
  return Object.fromEntries(
    Object.entries(upstreams).map(([name, { credentials: _credentials, ...rest }]) => [name, rest]),
  );
}
