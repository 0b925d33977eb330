import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { publicLookup } from './addresses.ts';
import { freshFile } from './fresh-file.ts';
import type { UpstreamSettings } from './options.ts';
import { proxyFor } from './proxy-choice.ts';

type Shared = 'caFile' | 'verifyTls' | 'certFile' | 'keyFile' | 'proxy' | 'realmHosts';

export interface AgentOptions
  extends Pick<UpstreamSettings, Shared | 'env' | 'allowPrivateAddresses' | 'connectTimeoutMs'> {
  readonly upstream: URL;
}

/** The connections of one upstream, shared with nobody. */
export interface Agents {
  /** Who makes the connections to that URL's host: straight, or through the proxy that is set for it. */
  dispatcherFor(url: URL): Promise<Dispatcher>;
  /** Cuts every connection. */
  close(): Promise<void>;
}

interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

interface Route {
  /** Through this; straight without. */
  readonly proxy: URL | undefined;
  /** Whether the client certificate is shown. */
  readonly isOwn: boolean;
  /** Whether names that resolve to private addresses are refused; behind a proxy it is the proxy that resolves. */
  readonly isGuarded: boolean;
}

/**
 * An idle connection is given up after this, whatever the server promises: load balancers cut idle connections
 * early, and a request on one that is just being cut fails, milliseconds.
 */
const keepAliveMaxTimeout = 25_000;

/** Connections with the certificates of the files, which are read again when they change. TLS is verified unless the options say otherwise. */
export function agents(options: AgentOptions): Agents {
  const files = tlsFiles(options);
  const current = new Map<string, { readonly tls: TlsFiles; readonly dispatcher: Dispatcher }>();
  const all = new Set<Dispatcher>();
  return {
    async dispatcherFor(url) {
      const route = routeTo(url, options);
      const tls = await files(route.isOwn);
      const key = `${route.proxy?.href} ${route.isOwn} ${route.isGuarded}`;
      const held = current.get(key);
      if (held !== undefined && isSame(held.tls, tls)) return held.dispatcher;
      const dispatcher = dispatcherOf(route, tls, options);
      current.set(key, { tls, dispatcher });
      all.add(dispatcher);
      if (held !== undefined) retire(held.dispatcher, all);
      return dispatcher;
    },
    async close() {
      await Promise.all([...all].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function routeTo(url: URL, options: AgentOptions): Route {
  const isOwn = url.origin === options.upstream.origin;
  const isTrusted = url.host === options.upstream.host || options.realmHosts?.includes(url.host) === true;
  return {
    proxy: proxyFor(url, options.proxy, options.env),
    isOwn,
    isGuarded: !isTrusted && !options.allowPrivateAddresses,
  };
}

function dispatcherOf({ proxy, isGuarded }: Route, tls: TlsFiles, options: AgentOptions): Dispatcher {
  const common = { keepAliveMaxTimeout, allowH2: false, connectTimeout: options.connectTimeoutMs };
  const secure = { ...tls, allowH2: false, rejectUnauthorized: options.verifyTls !== false };
  if (proxy !== undefined) {
    const proxyTls = { allowH2: false, ...(tls.ca === undefined ? {} : { ca: tls.ca }) };
    return new ProxyAgent({ ...common, uri: proxy.href, requestTls: secure, proxyTls });
  }
  return new Agent({ ...common, connect: isGuarded ? { ...secure, lookup: publicLookup } : secure });
}

/** Requests that are under way on the old certificates end in peace. */
function retire(dispatcher: Dispatcher, all: Set<Dispatcher>): void {
  const forget = () => all.delete(dispatcher);
  dispatcher.close().then(forget, forget);
}

function tlsFiles({ caFile, certFile, keyFile }: AgentOptions): (isOwn: boolean) => Promise<TlsFiles> {
  const ca = textOf(caFile);
  const cert = textOf(certFile);
  const key = textOf(keyFile);
  return async (isOwn) => ({
    ...(ca === undefined ? {} : { ca: await ca() }),
    ...(cert === undefined || !isOwn ? {} : { cert: await cert() }),
    ...(key === undefined || !isOwn ? {} : { key: await key() }),
  });
}

function textOf(path: string | undefined) {
  return path === undefined ? undefined : freshFile(path, (text) => text);
}

function isSame(left: TlsFiles, right: TlsFiles): boolean {
  return left.ca === right.ca && left.cert === right.cert && left.key === right.key;
}
