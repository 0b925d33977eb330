import type { Lab, StartOptions } from '../lab.ts';
import type { Server, ServerName } from '../servers/server.ts';

/**
 * Starts those that this machine can start, lets `use` have them, and stops them whatever happens.
 */
export async function withServers<Result>(
  lab: Lab,
  names: readonly ServerName[],
  use: (servers: readonly Server[]) => Promise<Result>,
  options?: StartOptions,
): Promise<Result> {
  const servers: Server[] = [];
  try {
    for (const name of names) {
      const server = await lab.start(name, options);
      if (server !== undefined) servers.push(server);
    }
    return await use(servers);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/**
 * Starts one server with an empty cache, lets `use` have it, and stops it; undefined when it cannot
 * start. It has pulled two small images before, because how a program warms up is not what is
 * measured.
 */
export function withFresh<Result>(
  lab: Lab,
  name: ServerName,
  use: (server: Server) => Promise<Result>,
  options?: StartOptions,
): Promise<Result | undefined> {
  return withServers(
    lab,
    [name],
    async ([server]) => {
      if (server === undefined) return undefined;
      for (const path of lab.offer.warmUpPaths) await lab.pull({ origin: server.origin, path, clients: 1 });
      return use(server);
    },
    options,
  );
}

/**
 * Pulls a path once, checked where a digest is given, then until the upstream is no longer asked
 * for it: now it is hot. Throws when it never is.
 */
export async function warmed(lab: Lab, server: Server, path: string, digest?: string): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    await lab.link.reset();
    const [pulled] = await lab.pull({ origin: server.origin, path, clients: 1, isChecked: true });
    if (pulled?.status !== 200 || (digest !== undefined && pulled.digest !== digest)) {
      throw new Error(`${server.name} answered ${path} with ${JSON.stringify(pulled)}`);
    }
    const { bytes } = await lab.link.counts();
    if (bytes < 10_000) return;
  }
  throw new Error(`${server.name} asks the upstream for ${path} every time`);
}
