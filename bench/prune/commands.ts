import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quayToken } from '../../test/support/quay-double.ts';
import { finished } from '../../test/support/run-command.ts';

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));
const longestMs = 30 * 60_000;

/** How a run of a command ended. */
export interface CommandRun {
  readonly code: number;
  readonly seconds: number;
}

/**
 * `quayside prune tags --confirm` of a repository, with a store in the directory; for the double of
 * Quay by its API.
 */
export async function quaysidePrune(directory: string, place: string, isQuay = false): Promise<CommandRun> {
  const config = join(directory, 'prune.yaml');
  const store = { filesystem: { path: join(directory, 'prune-store') } };
  await writeFile(config, JSON.stringify({ store }));
  const words = ['prune', 'tags', '--confirm', '--no-streams', '--insecure', '--config', config];
  const args = isQuay ? [...words, '--max-per-registry', '50'] : words;
  const env = isQuay ? { QUAY_OAUTH_TOKEN: quayToken } : {};
  return timed(process.execPath, [entry, ...args, place], { directory, env });
}

/** `skopeo delete` of one tag: by the digest that it names. */
export function skopeoDelete(skopeo: string, directory: string, image: string): Promise<CommandRun> {
  return timed(skopeo, ['delete', '--tls-verify=false', `docker://${image}`], { directory, env: {} });
}

interface Surroundings {
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
}

async function timed(
  command: string,
  args: readonly string[],
  { directory, env }: Surroundings,
): Promise<CommandRun> {
  const auth = join(directory, 'no-credentials.json');
  await writeFile(auth, '{}');
  const startedAt = performance.now();
  const options = { env: { ...env, REGISTRY_AUTH_FILE: auth }, timeoutMs: longestMs, mayFail: true };
  const { code } = await finished(command, args, options);
  return { code, seconds: (performance.now() - startedAt) / 1_000 };
}
