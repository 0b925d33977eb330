import type { Lab } from '../lab.ts';
import { lookUp } from '../load/look-up.ts';
import type { Server, ServerName } from '../servers/server.ts';
import type { StartOptions } from '../servers/start.ts';

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
      const headers = options?.hasLogin === true ? await loginOf(lab, server) : {};
      for (const path of lab.offer.warmUpPaths)
        await lab.pull({ origin: server.origin, path, clients: 1, headers });
      return use(server);
    },
    options,
  );
}

/**
 * Pulls a path once, checked where a digest is given, then until the upstream is no longer asked
 * for it: now it is hot. Throws when it never is.
 */
export async function warmed(
  lab: Lab,
  server: Server,
  path: string,
  digest?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    await lab.forget();
    const [pulled] = await lab.pull({ origin: server.origin, path, clients: 1, isChecked: true, headers });
    // docker-registry answers 500 now and then while it takes a small blob in.
    if (pulled?.status === 500 && server.name !== 'quayside') continue;
    const isRight = pulled?.status === 200 && (digest === undefined || pulled.digest === digest);
    // A server that redirects has the blob; S3 sends its bytes.
    if (!isRight && pulled?.location === undefined) {
      throw new Error(`${server.name} answered ${path} with ${JSON.stringify(pulled)}`);
    }
    const { bytes } = await lab.traffic();
    if (bytes < 10_000) return;
  }
  throw new Error(`${server.name} cannot be filled: ten times it asked the upstream for ${path} or failed`);
}

/** The header lines of a client that is logged in: a token of ours, else Basic. */
export async function loginOf({ login }: Lab, { name, origin }: Server): Promise<LoginLines> {
  const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64');
  const authorization = `Basic ${basic}`;
  if (name !== 'quayside') return { authorization };
  const answer = await lookUp(`${origin}/v2/auth?scope=repository:bench/ordinary:pull`, { authorization });
  const { token } = JSON.parse(answer) as { readonly token: string };
  return { authorization: `Bearer ${token}` };
}

type LoginLines = Readonly<Record<'authorization', string>>;
