import { defined } from '../../base/text/defined.ts';
import { createKubernetesClient } from '../../kubernetes/client.ts';
import { ApiFailure } from '../../kubernetes/failure.ts';
import { type Kubeconfig, loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { createLogins } from '../../kubernetes/login.ts';
import { createPrunedCluster, type PrunedCluster } from '../../prune/integrated/cluster.ts';
import { clusterImage } from '../../prune/integrated/image-object.ts';
import {
  type IntegratedCounts,
  type IntegratedReport,
  pruneIntegrated,
} from '../../prune/integrated/integrated.ts';
import { createRegistryAdmin, type RegistryAdmin } from '../../upstream/push/registry-admin.ts';
import { createAdaptiveLimit } from '../../upstream/resilience/adaptive.ts';
import { UsageError } from '../flags/arguments.ts';
import { type Io, stopCode } from '../flags/io.ts';
import type { PruneIntegratedOptions } from './options.ts';

const apiConnections = 16;
const longestWaitSeconds = 60;

/**
 * What `oc adm prune images` does, with its lines. Ends with 0 when all is deleted, or would be, 1
 * when something failed or cannot be read, 130 or 143 at a signal.
 */
export async function pruneIntegratedRegistry(
  wish: PruneIntegratedOptions,
  io: Io,
  now: number,
): Promise<number> {
  const kubeconfig = await kubeconfigOf(wish, io);
  const client = createKubernetesClient({ kubeconfig, timeoutMs: 30_000, connections: apiConnections });
  let registry: RegistryAdmin | undefined;
  try {
    const cluster = createPrunedCluster(client);
    if (!wish.hasRegistry)
      (wish.json ? io.stderr : io.stdout).write(
        'Only API objects will be removed.  No modifications to the image registry will be made.\n',
      );
    if (!wish.confirm)
      io.stderr.write('Dry run enabled - no modifications will be made. Add --confirm to remove images\n');
    if (wish.confirm && wish.hasRegistry) registry = await openRegistry(wish, { kubeconfig, cluster }, io);
    const report = await pruneIntegrated({
      ...wish,
      ...{ cluster, now, signal: io.signal },
      registry: wish.hasRegistry ? (registry ?? dryRegistry) : undefined,
      ...objectLines(wish, io),
    });
    return ended(report, wish, io);
  } catch (error) {
    if (io.signal.aborted) return stopCode(io.signal.reason);
    if (!(error instanceof ApiFailure)) throw error;
    io.stderr.write(`error: ${error.message} - no changes made\n`);
    return 1;
  } finally {
    await registry?.close();
    await client.close();
  }
}

/** JSON: one line when an object's end is known, or when it is planned. */
function objectLines({ json, confirm }: PruneIntegratedOptions, { stdout }: Io) {
  const line = (fields: object): void => void stdout.write(`${JSON.stringify(fields)}\n`);
  return {
    told(text: string, id: string): void {
      if (!json) stdout.write(`${text}\n`);
      else if (!confirm) line({ id, planned: true });
    },
    ended(id: string, why?: string): void {
      if (!json || !(confirm || why !== undefined)) return;
      line(why === undefined ? { id, outcome: 'deleted' } : { id, outcome: 'failed', why });
    },
  };
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

const summaryWords: Readonly<Record<keyof IntegratedCounts, readonly [verb: string, what: string]>> = {
  images: ['deleted', 'image object(s)'],
  items: ['deleted', 'image stream tag item(s)'],
  streams: ['updated', 'image stream(s)'],
  layerLinks: ['deleted', 'layer link(s)'],
  manifestLinks: ['deleted', 'manifest link(s)'],
  blobs: ['deleted', 'blob(s)'],
};

function ended(report: IntegratedReport, wish: PruneIntegratedOptions, io: Io): number {
  const { ignoresBadReferences, json } = wish;
  const { counts, failures, bad, objects } = report;
  const lines = bad
    .map(({ at, text }) => `  ${at}: invalid image reference ${JSON.stringify(text)}\n`)
    .join('');
  if (bad.length > 0 && !ignoresBadReferences) {
    io.stderr.write(
      `Failed to build graph!\n\nThe following objects have invalid references:\n\n${lines}\nEither fix the references or delete the objects to make the pruner proceed.\nerror: failed to build graph - no changes made\n`,
    );
    return 1;
  }
  if (bad.length > 0) io.stderr.write(`warning: what these references may mean is kept:\n${lines}`);
  if (json) io.stdout.write(`${JSON.stringify({ summary: { ...counts, ...objects } })}\n`);
  else io.stdout.write(summaryText(report));
  for (const failure of failures) io.stderr.write(`${failure}\n`);
  if (io.signal.aborted) return stopCode(io.signal.reason);
  return failures.length > 0 ? 1 : 0;
}

function summaryText({ counts, objects }: IntegratedReport): string {
  const parts = (Object.keys(summaryWords) as (keyof IntegratedCounts)[])
    .filter((name) => counts[name] > 0)
    .map((name) => `${summaryWords[name][0]} ${counts[name]} ${summaryWords[name][1]}`);
  const { planned, failed } = objects;
  return `Summary: ${parts.length === 0 ? 'deleted 0 objects' : parts.join(', ')}
Deleted ${planned - failed} objects out of ${planned}. Failed to delete ${failed} objects.
`;
}
