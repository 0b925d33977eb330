import { defined } from '../../base/text/defined.ts';
import { nearest } from '../../base/text/nearest.ts';
import type { Config } from '../../config/load.ts';
import type { AskedImage } from '../../explain/input.ts';
import type { RoutedImage } from '../../explain/sources.ts';
import { qciProxy } from '../../mirror/references/names.ts';
import { RegistryError } from '../../oci/errors.ts';
import { createHosts } from '../../proxy/access/hosts.ts';
import { createRouter } from '../../proxy/access/route.ts';

type RouteConfig = Pick<Config, 'hosts' | 'upstreams' | 'defaultUpstream'>;

/** Under which upstream the flat repository lies, as users of the proxy of CI name it. */
const [proxyHost = ''] = qciProxy.split('/');
const proxied = 'quay.io';

/** Routes an image as the proxy does. Throws `NAME_UNKNOWN`, in words for people. */
export function createExplainRoute(config: RouteConfig) {
  const { hosts, upstreams, defaultUpstream } = config;
  const names = Object.keys(hosts);
  const find = createHosts(names.map((name) => ({ name })));
  const route = createRouter(new Map(Object.entries(upstreams)), defaultUpstream);
  const known = [...Object.keys(upstreams), ...names.filter((name) => name !== '*')];

  function hostOf({ registry }: AskedImage, wanted: string | undefined): string {
    if (wanted !== undefined) return foundHost(wanted);
    if (registry !== undefined && Object.hasOwn(hosts, registry)) return registry;
    const asking = names.filter((name) => hosts[name]?.auth === 'cluster');
    const [only] = asking;
    if (only !== undefined && asking.length === 1) return only;
    return names.includes('*') ? '*' : (names[0] ?? '*');
  }

  function foundHost(wanted: string): string {
    try {
      return find(wanted).name;
    } catch {
      throw unknown(`host ${wanted} is not configured here${meant(wanted, names)}`);
    }
  }

  return (image: AskedImage, wanted: string | undefined): RoutedImage => {
    const name = hostOf(image, wanted);
    const { auth = 'none', access, upstream } = hosts[name] ?? {};
    const { repository, reference } = image;
    const request = { kind: 'manifest', repository, reference } as const;
    const registry = registryOf(image);
    const base = { host: name, auth, ...defined({ access: auth === 'cluster' ? access : undefined }) };
    if (registry === undefined || Object.hasOwn(hosts, registry)) {
      const routed = route({ request }, upstream);
      return { ...base, upstream: routed.upstream, repository: routed.request.repository };
    }
    if (!Object.hasOwn(upstreams, registry))
      throw unknown(`${registry} is neither an upstream nor a host here${meant(registry, known)}`);
    if (upstream !== undefined && upstream !== registry)
      throw unknown(`host ${name} stands for ${upstream} alone, not for ${registry}: --host names another`);
    const routed = route({ request, namespace: registry }, undefined);
    return { ...base, upstream: routed.upstream, repository: routed.request.repository };
  };

  function registryOf({ registry }: AskedImage): string | undefined {
    const isAlias = registry === proxyHost && !Object.hasOwn(hosts, proxyHost);
    return isAlias && !Object.hasOwn(upstreams, proxyHost) ? proxied : registry;
  }
}

function meant(word: string, words: readonly string[]): string {
  const found = nearest(word, words);
  return found === undefined ? '' : ` (did you mean ${found}?)`;
}

function unknown(message: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', message);
}
