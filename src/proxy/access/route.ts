import { repositoryGlob } from '../../base/text/glob.ts';
import { nearest } from '../../base/text/nearest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isRegistryName, parseRepository, type Repository } from '../../oci/reference.ts';
import type { ParsedRequest, RegistryRequest } from '../../oci/request.ts';

interface UpstreamRoute {
  /** The only repositories to serve: globs, `*` within a component, `**` across. Default: all. */
  readonly repositories?: readonly string[];
  /** One-component names get `library/` before them, as Docker Hub's do. */
  readonly library?: boolean;
}

/** A request bound for one upstream, its repository named as that upstream names it. */
export interface RoutedRequest<Kind extends RegistryRequest = Exclude<RegistryRequest, { kind: 'ping' }>> {
  readonly upstream: string;
  readonly request: Kind;
  /** The path of the repository as the client wrote it: for listings, which repeat it. */
  readonly asked: string;
}

/** Chooses the upstream of a request; pure, and the only gate before an outbound call. */
export type Router = (
  parsed: ParsedRequest & { readonly request: Exclude<RegistryRequest, { kind: 'ping' }> },
  /** The upstream that the host name stands for, where it stands for one. */
  hostUpstream: string | undefined,
) => RoutedRequest;

/**
 * A router over the configured upstreams. In order: containerd's `ns`, the host name's own
 * upstream, a first path component that names an upstream, the default. Throws `NAME_UNKNOWN` for
 * other registries, and for repositories outside the upstream's list. A first component that can
 * only mean a registry is never asked of the default: a mistyped name must not lead elsewhere.
 */
export function createRouter(
  upstreams: ReadonlyMap<string, UpstreamRoute>,
  defaultUpstream: string | undefined,
): Router {
  const allowed = new Map(
    [...upstreams].map(([name, { repositories }]) => [name, repositories?.map(repositoryGlob)]),
  );

  function choose(parsed: ParsedRequest, repository: Repository, host?: string): [string, Repository] {
    const { registry } = parsed;
    if (registry !== undefined && upstreams.has(registry)) return [registry, repository];
    if (registry !== undefined) throw misspelt(registry, upstreams.keys());
    if (parsed.namespace !== undefined) return [parsed.namespace, repository];
    if (host !== undefined) return [host, repository];
    const slash = repository.indexOf('/');
    const first = slash < 0 ? repository : repository.slice(0, slash);
    if (slash > 0 && upstreams.has(first)) return [first, parseRepository(repository.slice(slash + 1))];
    if (slash > 0 && isRegistryName(first)) throw misspelt(first, upstreams.keys());
    if (defaultUpstream !== undefined) return [defaultUpstream, repository];
    throw unnamed(first);
  }

  return (parsed, host) => {
    const { registry } = parsed;
    const written = parsed.request.repository;
    const asked = registry === undefined ? written : `${registry}/${written}`;
    const [name, chosen] = choose(parsed, written, host);
    const upstream = upstreams.get(name);
    if (upstream === undefined) throw unknown(name);
    const repository =
      upstream.library === true && !chosen.includes('/') ? parseRepository(`library/${chosen}`) : chosen;
    const shapes = allowed.get(name);
    if (shapes !== undefined && !shapes.some((shape) => shape.test(repository)))
      throw notAllowed(name, repository);
    return { upstream: name, asked, request: { ...parsed.request, repository } };
  };
}

function unknown(registry: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', 'this registry is not configured here', {
    detail: { registry: registry.slice(0, 255) },
  });
}

function misspelt(registry: string, upstreams: Iterable<string>): RegistryError {
  const names = [...upstreams];
  const bare = registry.replace(/:\d+$/, '');
  const meant = names.find((name) => bare === name || bare.endsWith(`.${name}`)) ?? nearest(bare, names);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return new RegistryError('NAME_UNKNOWN', `${registry} is not an upstream of this service${hint}`, {
    detail: { registry: registry.slice(0, 255), ...(meant !== undefined && { meant }) },
  });
}

function unnamed(first: string): RegistryError {
  const message = `the path begins with no upstream, and there is no default upstream: ${first}`;
  return new RegistryError('NAME_UNKNOWN', message, { detail: { registry: first.slice(0, 255) } });
}

function notAllowed(upstream: string, repository: Repository): RegistryError {
  const message = `this repository is not among those that are configured for the upstream ${upstream}`;
  return new RegistryError('NAME_UNKNOWN', message, { detail: { upstream, repository } });
}
