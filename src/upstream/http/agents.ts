import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { freshFile } from '../../base/state/watched-file.ts';
import type { ConnectOptions } from '../download/pooled-socket.ts';
import { longestHead } from '../exchange.ts';
import { publicLookup } from './addresses.ts';
import type { UpstreamSettings } from './options.ts';
import { proxyFor } from './proxy-choice.ts';

type SharedSettings =
  | 'caFile'
  | 'verifyTls'
  | 'certFile'
  | 'keyFile'
  | 'proxy'
  | 'realmHosts'
  | 'uploadHosts';

interface AgentOptions
  extends Pick<UpstreamSettings, SharedSettings | 'env' | 'allowPrivateAddresses' | 'connectTimeoutMs'> {
  readonly upstream: URL;
}

interface HostRoute {
  /** Makes connections, direct or through the host's proxy. Shared with no other upstream. */
  readonly dispatcher: Dispatcher;
  /** For own connections: undefined where a proxy is needed. The same object while unchanged. */
  readonly line?: ConnectOptions;
}

/** The ways to the hosts of one upstream. */
export interface Agents {
  routeTo(url: URL): Promise<HostRoute>;
  /** Cuts every connection. */
  close(): Promise<void>;
}

interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

interface ProxyRoute {
  /** Through this; straight without. */
  readonly proxy: URL | undefined;
  /** Whether the client certificate is shown. */
  readonly isOwn: boolean;
  /** Refuse names with private addresses; behind a proxy the proxy resolves them. */
  readonly isGuarded: boolean;
}

/**
 * An idle connection is closed after this, milliseconds, whatever the server promises: load
 * balancers cut idle connections early, and a request on such a one fails.
 */
const keepAliveMaxTimeout = 25_000;

/** Connections with the certificates of the files, reloaded at a change. Verifies by default. */
export function createAgents(options: AgentOptions): Agents {
  const files = tlsFiles(options);
  const current = new Map<string, HostRoute & { readonly tls: TlsFiles }>();
  const all = new Set<Dispatcher>();
  let isClosed = false;
  return {
    async routeTo(url) {
      const route = routeTo(url, options);
      const tls = await files(route.isOwn);
      if (isClosed) throw new Error('the connections to the upstream are closed');
      const key = `${route.proxy?.href} ${route.isOwn} ${route.isGuarded}`;
      const held = current.get(key);
      if (held !== undefined && isSame(held.tls, tls)) return held;
      const way = { tls, ...wayOf(route, tls, options) };
      current.set(key, way);
      all.add(way.dispatcher);
      if (held !== undefined) retire(held.dispatcher, all);
      return way;
    },
    async close() {
      isClosed = true;
      await Promise.all([...all].map((dispatcher) => dispatcher.destroy()));
    },
  };
}

function routeTo(url: URL, options: AgentOptions): ProxyRoute {
  const isOwn = url.origin === options.upstream.origin;
  const { realmHosts = [], uploadHosts = [] } = options;
  const isTrusted = [options.upstream.host, ...realmHosts, ...uploadHosts].includes(url.host);
  return {
    proxy: proxyFor(url, options.proxy, options.env),
    isOwn,
    isGuarded: !isTrusted && !options.allowPrivateAddresses,
  };
}

function wayOf({ proxy, isGuarded }: ProxyRoute, tls: TlsFiles, options: AgentOptions): HostRoute {
  const { connectTimeoutMs } = options;
  const common = {
    keepAliveMaxTimeout,
    allowH2: false,
    connectTimeout: connectTimeoutMs,
    maxHeaderSize: longestHead,
  };
  const secure = { ...tls, rejectUnauthorized: options.verifyTls !== false };
  if (proxy !== undefined) {
    const proxyTls = { allowH2: false, ...(tls.ca === undefined ? {} : { ca: tls.ca }) };
    const requestTls = { ...secure, allowH2: false };
    return { dispatcher: new ProxyAgent({ ...common, uri: proxy.href, requestTls, proxyTls }) };
  }
  const guard = isGuarded ? { lookup: publicLookup } : {};
  const dispatcher = new Agent({ ...common, connect: { ...secure, allowH2: false, ...guard } });
  return { dispatcher, line: { tls: secure, connectTimeoutMs, ...guard } };
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
