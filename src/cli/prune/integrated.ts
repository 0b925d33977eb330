import { defined } from '../../base/text/defined.ts';
import { createKubernetesClient } from '../../kubernetes/client.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import { type Kubeconfig, loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { createLogins } from '../../kubernetes/login.ts';
import { createPrunedCluster, type PrunedCluster } from '../../prune/integrated/cluster.ts';
import { clusterImage } from '../../prune/integrated/image-object.ts';
import { type IntegratedReport, pruneIntegrated } from '../../prune/integrated/integrated.ts';
import { parseObject } from '../../prune/integrated/objects.ts';
import { createPruneRecord } from '../../prune/record.ts';
import { createRegistryAdmin, type RegistryAdmin } from '../../upstream/push/registry-admin.ts';
import { createAdaptiveLimit } from '../../upstream/resilience/adaptive.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import { integratedWords, summaryText } from './integrated-words.ts';
import type { PruneIntegratedOptions } from './options.ts';
import { pruned, wantedNames } from './session.ts';

const apiConnections = 16;
const longestWaitSeconds = 60;

/**
 * What `oc adm prune images` does, with its lines. Ends with 0 when all is deleted, or would be, 1
 * when something failed or cannot be read, 130 or 143 at a signal.
 */
export async function pruningIntegrated(
  wish: PruneIntegratedOptions,
  io: Io,
  now: () => number,
): Promise<number> {
  const kubeconfig = await kubeconfigOf(wish, io);
  const only = wantedObjects(await wantedNames(wish));
  const job = `images of ${(await createLogins(kubeconfig)()).server.host}`;
  const notes = wish.json ? io.stderr : io.stdout;
  if (!wish.hasRegistry)
    notes.write('Only API objects will be removed.  No modifications to the image registry will be made.\n');
  if (!wish.confirm)
    io.stderr.write('Dry run enabled - no modifications will be made. Add --confirm to remove images\n');
  return pruned({ wish, job, words: integratedWords, io }, async (scene) => {
    const client = createKubernetesClient({ kubeconfig, timeoutMs: 30_000, connections: apiConnections });
    let registry: RegistryAdmin | undefined;
    try {
      const cluster = createPrunedCluster(client);
      if (wish.confirm && wish.hasRegistry) registry = await openRegistry(wish, { kubeconfig, cluster }, io);
      const report = await pruneIntegrated({
        ...{ ...wish, ...scene, cluster, only, now: now() },
        record: createPruneRecord(scene.records, job),
        registry: wish.hasRegistry ? (registry ?? dryRegistry) : undefined,
      });
      scene.adds(summaryText(report.counts), report.counts);
      return isReadable(report, wish, io);
    } catch (error) {
      if (scene.signal.aborted || !(error instanceof ApiFailure)) throw error;
      io.stderr.write(`error: ${error.message} - no changes made\n`);
      return false;
    } finally {
      await registry?.close();
      await client.close();
    }
  });
}

/** Ids of objects. Throws `UsageError`. */
function wantedObjects(names: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (names === undefined) return undefined;
  const strange = names.find((name) => parseObject(name) === undefined);
  if (strange !== undefined)
    throw new UsageError(
      `-f: ${strange} is no object that --failed-file has, such as "image sha256:…" or "imagestream NAMESPACE/NAME"`,
    );
  return new Set(names);
}

const nothing = async (): Promise<void> => undefined;
/** Without --confirm no method is called: lines are told alone. */
const dryRegistry = { deleteLayerLink: nothing, deleteManifestLink: nothing, deleteBlob: nothing };

async function kubeconfigOf(
  { kubeconfig, context }: PruneIntegratedOptions,
  { env }: Io,
): Promise<Kubeconfig> {
  const file = kubeconfig ?? (env['KUBECONFIG'] || undefined);
  try {
    return await loadKubeconfig(defined({ kubeconfigFile: file, context }));
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

interface Way {
  readonly kubeconfig: Kubeconfig;
  readonly cluster: PrunedCluster;
}

/** The registry, which answers. Throws `UsageError`. */
async function openRegistry(
  wish: PruneIntegratedOptions,
  { kubeconfig, cluster }: Way,
  io: Io,
): Promise<RegistryAdmin> {
  const url =
    wish.registryUrl === undefined ? await foundRegistry(cluster, io.signal) : registryUrl(wish.registryUrl);
  const logins = createLogins(kubeconfig);
  const authorization = async (): Promise<string> => {
    const [, token] = /^Bearer (.+)$/.exec((await logins()).headers['authorization'] ?? '') ?? [];
    if (token === undefined) throw new UsageError('you must use a client config with a token');
    return `Basic ${Buffer.from(`pruner:${token}`).toString('base64')}`;
  };
  await authorization();
  const admin = createRegistryAdmin({
    ...{ name: url.host, url: url.origin, authorization, allowPrivateAddresses: true, env: io.env },
    ...{ retries: 2, longestWaitSeconds, breaker: { failures: Number.MAX_SAFE_INTEGER } },
    ...(wish.forceInsecure ? { verifyTls: false } : {}),
    ...defined({ caFile: wish.certificateAuthority }),
    limit: createAdaptiveLimit({
      ...{ maxConcurrent: wish.workers, longestWaitSeconds },
      ...defined({ requestsPerSecond: wish.requestsPerSecond }),
    }),
  });
  if (await admin.isAlive()) return admin;
  await admin.close();
  throw new UsageError(
    `failed to ping registry ${url.origin}\n* Please provide a reachable route to the integrated registry using --registry-url.`,
  );
}

/** Throws `UsageError`. */
function registryUrl(text: string): URL {
  const written = text.includes('://') ? text : `https://${text}`;
  const refuse = (why: string) => new UsageError(`invalid --registry-url flag: ${why}`);
  if (!URL.canParse(written)) throw refuse('no host name specified');
  const { protocol, pathname, search, host } = new URL(written);
  if (protocol !== 'https:' && protocol !== 'http:')
    throw refuse(`unsupported scheme: ${protocol.slice(0, -1)}`);
  if (pathname !== '/') throw refuse('no path after <host>[:<port>] is allowed');
  if (search !== '') throw refuse('no query arguments are allowed after <host>[:<port>]');
  if (host === '') throw refuse('no host name specified');
  return new URL(written);
}

/** That of the youngest Image that was pushed there. Throws `UsageError`. */
async function foundRegistry(cluster: PrunedCluster, signal: AbortSignal): Promise<URL> {
  let [host, createdAt] = ['', 0];
  for await (const object of cluster.images(signal)) {
    const image = clusterImage(object);
    if (image === undefined || !image.isManaged || image.createdAt < createdAt) continue;
    host = image.reference.split('/', 1)[0] ?? '';
    ({ createdAt } = image);
  }
  if (host === '') throw new UsageError('unable to find the remote registry host: no managed image found');
  return new URL(`https://${host}`);
}

/** Tells what references cannot be read. False where they are not ignored: nothing is done then. */
function isReadable({ bad }: IntegratedReport, { ignoresBadReferences }: PruneIntegratedOptions, io: Io) {
  if (bad.length === 0) return true;
  const lines = bad
    .map(({ at, text }) => `  ${at}: invalid image reference ${JSON.stringify(text)}\n`)
    .join('');
  if (ignoresBadReferences) io.stderr.write(`warning: what these references may mean is kept:\n${lines}`);
  else
    io.stderr.write(
      `Failed to build graph!\n\nThe following objects have invalid references:\n\n${lines}\nEither fix the references or delete the objects to make the pruner proceed.\nerror: failed to build graph - no changes made\n`,
    );
  return ignoresBadReferences;
}
