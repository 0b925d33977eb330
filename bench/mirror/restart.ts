import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/support/program.ts';
import type { Lab } from '../lab.ts';
import { peakMegabytes } from '../servers/process-cost.ts';
import { type Worker, worker } from '../servers/worker.ts';
import type { TagsAnswer, TagsQuestion } from './tags-process.ts';

interface Restart {
  /** From the start of the process until every tag was looked at. */
  readonly seconds: number;
  /** The most memory that the process had by then. */
  readonly megabytes: number;
  /** Questions to the registry for each tag that did not change. */
  readonly requests: number;
  /** Calls of the cluster, all together. */
  readonly calls: number;
}

interface RestartOptions {
  readonly tags: number;
  /** Tags whose image in QCI is another one. */
  readonly changed: number;
}

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));
const longestMs = 180_000;
const queueName = 'quay_io_ci_images_distributor';

/**
 * Starts the mirror before a cluster full of tags, nothing known yet, and waits until it has looked
 * at each.
 */
export async function restart(
  lab: Pick<Lab, 'programs' | 'directory'>,
  options: RestartOptions,
): Promise<Restart> {
  const directory = join(lab.directory, 'mirror-restart');
  await mkdir(directory);
  const world = worker<TagsQuestion, TagsAnswer>(new URL('./tags-process.ts', import.meta.url));
  try {
    return await measured(lab, world, { ...options, directory });
  } finally {
    world.close();
  }
}

async function measured(
  { programs }: Pick<Lab, 'programs'>,
  world: Worker<TagsQuestion, TagsAnswer>,
  { tags, changed, directory }: RestartOptions & { readonly directory: string },
): Promise<Restart> {
  const kubeconfigFile = join(directory, 'kubeconfig');
  const { registry } = await world.ask({ kind: 'start', tags, changed, kubeconfigFile });
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(directory, 'quayside.yaml');
  const settings = settingsOf({ port, adminPort, directory, registry, kubeconfigFile });
  await writeFile(file, JSON.stringify(settings, undefined, 2));
  const startedAt = performance.now();
  const program = await programs.start({
    name: 'quayside-mirror',
    command: process.execPath,
    args: ['--max-semi-space-size=8', entry, 'serve', '--config', file],
    port,
  });
  try {
    await lookedAt(`http://127.0.0.1:${adminPort}/metrics`, tags);
    const seconds = (performance.now() - startedAt) / 1000;
    const megabytes = (await peakMegabytes(program.pid)) ?? Number.NaN;
    const { unchangedAsked, calls } = await world.ask({ kind: 'counts' });
    return { seconds, megabytes, requests: unchangedAsked / (tags - changed), calls };
  } finally {
    await program.stop();
  }
}

interface Place {
  readonly port: number;
  readonly adminPort: number;
  readonly directory: string;
  readonly registry: string;
  readonly kubeconfigFile: string;
}

/** Looks, and copies nothing. */
function settingsOf({ port, adminPort, directory, registry, kubeconfigFile }: Place): unknown {
  const upstream = { url: registry, allowPrivateAddresses: true };
  return {
    listen: `127.0.0.1:${port}`,
    admin: { listen: `127.0.0.1:${adminPort}` },
    store: { filesystem: { path: join(directory, 'store') } },
    spool: { path: join(directory, 'spool') },
    defaultUpstream: 'quay.io',
    upstreams: { 'quay.io': upstream, 'registry.ci.openshift.org': upstream },
    clusters: { 'app.ci': { kubeconfigFile } },
    mirror: {
      dryRun: true,
      imageStreams: { cluster: 'app.ci', watch: true, additionalNamespaces: ['ocp'] },
      misses: { onMiss: 'off' },
    },
  };
}

/** Asks seldom, so that the answers cost nothing that would be measured. */
async function lookedAt(metrics: string, tags: number): Promise<void> {
  const deadline = performance.now() + longestMs;
  for (;;) {
    const text = await textOf(metrics);
    const value = (name: string) =>
      Number(new RegExp(`^${name}{name="${queueName}"} (\\S+)$`, 'm').exec(text)?.[1]);
    if (value('workqueue_work_duration_seconds_count') >= tags && value('workqueue_depth') === 0) return;
    if (performance.now() > deadline)
      throw new Error(`after ${longestMs} ms not all of ${tags} tags were looked at`);
    await after(100);
  }
}

/** Empty while no server listens there yet. */
async function textOf(url: string): Promise<string> {
  const answer = await fetch(url).catch(() => undefined);
  return answer === undefined ? '' : answer.text();
}
