import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ManyStreams } from '../../test/support/many-streams.ts';
import { freePort } from '../../test/support/program.ts';
import { peakMegabytes } from '../servers/process-cost.ts';
import type { Program, Programs } from '../servers/programs.ts';
import { type Worker, worker } from '../servers/worker.ts';
import type { ClusterAnswer, ClusterQuestion } from './cluster-process.ts';

/** What an index of image streams costs. */
export interface IndexCost {
  readonly digests: number;
  /** The most memory beyond that of a service before an empty cluster. */
  readonly coldMegabytes: number;
  /** From the start of the process until it is ready, nothing kept. */
  readonly coldSeconds: number;
  /** The same with records and a cluster that does not answer, until all digests are known. */
  readonly keptSeconds: number;
  readonly keptMegabytes: number;
  /** With records and a cluster that answers, until it is ready. */
  readonly warmSeconds: number;
  /** Requests beside the watch, while nothing changes and for a stream that changes. */
  readonly quietRequests: number;
  readonly changeRequests: number;
}

interface IndexGround {
  readonly programs: Programs;
  readonly directory: string;
  readonly size: ManyStreams;
}

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));
const longestMs = 180_000;
/** How long nothing changes. */
const quietMs = 5_000;

/** Starts the service before a cluster full of streams: cold, without the cluster, and warm. */
export async function indexCost({ programs, directory, size }: IndexGround): Promise<IndexCost> {
  const cluster = worker<ClusterQuestion, ClusterAnswer>(new URL('./cluster-process.ts', import.meta.url));
  const stage = { programs, directory: join(directory, 'streams'), cluster };
  try {
    await mkdir(stage.directory);
    await cluster.ask({ kind: 'start', kubeconfigFile: join(stage.directory, 'kubeconfig') });
    const empty = await run(stage, 'empty', ({ isReady }) => isReady);
    await cluster.ask({ kind: 'fill', ...size });
    const digests = size.streams * size.tags * size.items;
    const cold = await run(
      stage,
      'full',
      ({ isReady }) => isReady,
      async ({ look }) => {
        await seen(look, ({ written }) => written > 0);
      },
    );
    await cluster.ask({ kind: 'refuse', isRefusing: true });
    const kept = await run(stage, 'full', (found) => found.digests >= digests);
    await cluster.ask({ kind: 'refuse', isRefusing: false });
    let quiet = { quietRequests: Number.NaN, changeRequests: Number.NaN };
    const warm = await run(
      stage,
      'full',
      ({ isReady }) => isReady,
      async ({ look }) => {
        quiet = await requestsOf(cluster, look, digests);
      },
    );
    return {
      digests: cold.digests,
      coldSeconds: cold.seconds,
      coldMegabytes: cold.megabytes - empty.megabytes,
      keptSeconds: kept.seconds,
      keptMegabytes: kept.megabytes - empty.megabytes,
      warmSeconds: warm.seconds,
      ...quiet,
    };
  } finally {
    cluster.close();
  }
}

interface Stage {
  readonly programs: Programs;
  readonly directory: string;
  readonly cluster: Worker<ClusterQuestion, ClusterAnswer>;
}

interface Sight {
  readonly isReady: boolean;
  readonly digests: number;
  /** Records that were written. */
  readonly written: number;
}

interface Running {
  readonly look: () => Promise<Sight>;
}

interface Run {
  readonly seconds: number;
  /** VmHWM once it is there. */
  readonly megabytes: number;
  readonly digests: number;
}

/** Starts the service on that store, waits, does the rest, and ends it. */
async function run(
  { programs, directory }: Stage,
  store: string,
  isThere: (sight: Sight) => boolean,
  rest: (running: Running) => Promise<void> = async () => {},
): Promise<Run> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(directory, 'quayside.yaml');
  await writeFile(file, JSON.stringify(settingsOf(directory, store, port, adminPort), undefined, 2));
  const startedAt = performance.now();
  const program: Program = await programs.start({
    name: 'quayside-streams',
    command: process.execPath,
    args: ['--max-semi-space-size=8', entry, 'serve', '--config', file],
    port,
  });
  try {
    const look = () => sight(`http://127.0.0.1:${adminPort}`);
    const { digests } = await seen(look, isThere);
    const seconds = (performance.now() - startedAt) / 1000;
    const megabytes = (await peakMegabytes(program.pid)) ?? Number.NaN;
    await rest({ look });
    return { seconds, megabytes, digests };
  } finally {
    await program.stop();
  }
}

/** The lists of a service that has been ready: none, however its streams change. */
async function requestsOf(cluster: Stage['cluster'], look: Running['look'], digests: number) {
  const requests = async (): Promise<number> => {
    const { lists, others } = await cluster.ask({ kind: 'counts' });
    return lists + others;
  };
  const before = await requests();
  await after(quietMs);
  const quiet = await requests();
  await cluster.ask({ kind: 'change' });
  await seen(look, (found) => found.digests > digests);
  return { quietRequests: quiet - before, changeRequests: (await requests()) - quiet };
}

function settingsOf(directory: string, store: string, port: number, adminPort: number): unknown {
  const path = join(directory, store);
  return {
    listen: `127.0.0.1:${port}`,
    admin: { listen: `127.0.0.1:${adminPort}` },
    store: { filesystem: { path } },
    spool: { path: join(path, 'spool') },
    upstreams: { 'quay.io': { url: 'http://127.0.0.1:1', allowPrivateAddresses: true } },
    shutdownDelayMs: 0,
    clusters: {
      'app.ci': { kubeconfigFile: join(directory, 'kubeconfig'), streams: { trusted: ['ocp'] } },
    },
    hosts: { 'quay-proxy.ci.openshift.org': { auth: 'cluster', access: 'imagestream' }, '*': {} },
  };
}

/** Asks seldom, so that the answers cost nothing that would be measured. */
async function seen(look: Running['look'], isThere: (sight: Sight) => boolean): Promise<Sight> {
  const deadline = performance.now() + longestMs;
  for (;;) {
    const found = await look();
    if (isThere(found)) return found;
    if (performance.now() > deadline)
      throw new Error(`after ${longestMs} ms the index has ${found.digests} digests`);
    await after(50);
  }
}

async function sight(admin: string): Promise<Sight> {
  const [readyz, metrics] = await Promise.all([textOf(`${admin}/readyz`), textOf(`${admin}/metrics`)]);
  const value = (line: RegExp): number => Number(line.exec(metrics)?.[1] ?? 0);
  return {
    isReady: readyz === 'OK\nstreams of app.ci: synced\n',
    digests: value(/^quayside_stream_index_digests\{.*\} (\S+)$/m),
    written: value(/^quayside_stream_records_total\{.*operation="write",outcome="done"\} (\S+)$/m),
  };
}

/** Empty while no server listens there yet. */
async function textOf(url: string): Promise<string> {
  const answer = await fetch(url).catch(() => undefined);
  return answer === undefined ? '' : answer.text();
}
