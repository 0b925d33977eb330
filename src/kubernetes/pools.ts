import { type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { ClusterLogin } from './login.ts';

interface PoolOptions {
  /** Connections at a time. */
  readonly connections: number;
  /** How long one may take to be made, in milliseconds. */
  readonly connectTimeoutMs: number;
}

interface Pools {
  /** Those for this login: the same ones until its server, proxy or TLS changes. */
  of(login: ClusterLogin): Dispatcher;
  /** Makes new ones with the next call; what runs on these ends in peace. */
  retire(pool: Dispatcher): void;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** An idle connection is closed after this time, before a load balancer cuts it, in ms. */
const keepAliveTimeout = 25_000;

export function createPools(options: PoolOptions): Pools {
  let current: { readonly key: string; readonly pool: Dispatcher } | undefined;
  const all = new Set<Dispatcher>();

  function retire(pool: Dispatcher): void {
    if (current?.pool === pool) current = undefined;
    const forget = () => all.delete(pool);
    pool.close().then(forget, forget);
  }

  return {
    of(login) {
      const key = JSON.stringify([login.server.origin, login.proxy, login.tls]);
      if (current?.key === key) return current.pool;
      if (current !== undefined) retire(current.pool);
      const pool = poolOf(login, options);
      all.add(pool);
      current = { key, pool };
      return pool;
    },
    retire,
    async close() {
      await Promise.all([...all].map((pool) => pool.destroy()));
    },
  };
}

function poolOf(
  { server, proxy, tls }: ClusterLogin,
  { connections, connectTimeoutMs }: PoolOptions,
): Dispatcher {
  const keepAlive = { keepAliveTimeout, keepAliveMaxTimeout: keepAliveTimeout };
  const common = { connections, ...keepAlive, allowH2: false };
  const secure = { ...tls, allowH2: false, timeout: connectTimeoutMs };
  if (proxy === undefined) return new Pool(server.origin, { ...common, connect: secure });
  return new ProxyAgent({ ...common, uri: proxy, requestTls: secure, connectTimeout: connectTimeoutMs });
}
