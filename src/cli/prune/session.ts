import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { createClusterClients } from '../../app/mirror/cluster-clients.ts';
import { configuredStore } from '../../app/store.ts';
import { hasSlept } from '../../base/time/wait.ts';
import type { Config } from '../../config/load.ts';
import { createLease, type Lease } from '../../lease/lease.ts';
import { createLeaseObject } from '../../lease/lease-object.ts';
import { createRecordLease } from '../../lease/record.ts';
import type { Pruning } from '../../prune/place.ts';
import { createBufferPool } from '../../store/buffers.ts';
import type { Records } from '../../store/records.ts';
import type { Store } from '../../store/store.ts';
import { createPruneMetrics, type PruneMetrics } from '../../telemetry/metrics/prune.ts';
import { UsageError } from '../flags/arguments.ts';
import { type Io, stopCode } from '../flags/io.ts';
import { writeRefusal } from '../mirror/report.ts';
import { configFile } from '../serve/config-file.ts';
import { metricsListener } from './metrics-listener.ts';
import type { PruneRunOptions } from './options.ts';
import { createPruneReport, isWell, type PruneReport } from './report.ts';
import type { PruneWords } from './words.ts';

/** What one run of pruning works with. */
export interface PruneScene extends Pick<Pruning, 'confirm' | 'events' | 'signal'> {
  readonly config: Config;
  readonly records: Records;
  readonly adds: PruneReport['adds'];
}

interface PruneCall {
  readonly wish: PruneRunOptions;
  /** Names the lease and the record. */
  readonly job: string;
  readonly words: PruneWords;
  readonly io: Io;
}

/** Between two looks at a lease that another process has, in front of a run of its own, ms. */
const leaseTtlMs = 15_000;

/**
 * Opens what the settings name, works once or periodically, and tells what came of it. With
 * --confirm one process at a time does the job, by a lease. `work` resolves to whether all beside
 * the reported objects is well. Resolves to the exit code.
 */
export async function pruned(
  call: PruneCall,
  work: (scene: PruneScene) => Promise<boolean>,
): Promise<number> {
  const { wish, io } = call;
  const config = await configFile(wish.config, io);
  if ('memory' in config.store)
    throw new UsageError('needs a filesystem or s3 store, for the holds and the record of this job');
  const store = await configuredStore(config, createBufferPool(), {});
  try {
    if (!wish.confirm) return await once({ ...call, config, store, signal: io.signal }, work);
    const lease = await jobLease(call, config, store);
    try {
      return await (wish.everyMs === undefined ? confirmed : repeated)(
        { ...call, config, store, signal: io.signal },
        { lease: lease.lease, work },
      );
    } finally {
      await lease.close();
    }
  } finally {
    await store.close();
  }
}

interface OpenCall extends PruneCall {
  readonly counted?: PruneMetrics['ended'];
  readonly config: Config;
  readonly store: Store;
  readonly signal: AbortSignal;
}

interface LeasedWork {
  readonly lease: Lease;
  readonly work: (scene: PruneScene) => Promise<boolean>;
}

async function confirmed(call: OpenCall, { lease, work }: LeasedWork): Promise<number> {
  const { io, job, signal } = call;
  const done = await lease.tried((own) => once({ ...call, signal: own }, work), { signal });
  if (done !== undefined) return done.result;
  io.stderr.write(`error: another process does this now: the lease of "${job}" is held\n`);
  return 1;
}

/** Until a signal; a run that failed is followed by the next one. */
async function repeated(call: OpenCall, { lease, work }: LeasedWork): Promise<number> {
  const metrics = createPruneMetrics();
  const { metrics: address } = call.wish;
  const listener = address === undefined ? undefined : await metricsListener(address, metrics);
  if (listener !== undefined) call.io.stderr.write(`info: metrics are at ${listener.url}/metrics\n`);
  try {
    return await everyPeriod({ ...call, counted: metrics.ended }, { lease, work }, (code) =>
      metrics.ran(code === 0 ? 'done' : 'failed', Date.now()),
    );
  } finally {
    await listener?.close();
  }
}

async function everyPeriod(
  call: OpenCall,
  { lease, work }: LeasedWork,
  ran: (code: number) => void,
): Promise<number> {
  const { io, signal, wish } = call;
  do {
    try {
      ran(await lease.held((own) => once({ ...call, signal: own }, work), { signal }));
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof UsageError) throw error;
      ran(1);
      io.stderr.write(`error: this run failed: ${error instanceof Error ? error.message : error}\n`);
    }
  } while (await hasSlept(wish.everyMs ?? 0, signal));
  return stopCode(signal.reason);
}

async function once(call: OpenCall, work: LeasedWork['work']): Promise<number> {
  const { wish, config, store, io, signal } = call;
  const report = createPruneReport(io, { ...wish, ...call });
  const { events, adds } = report;
  let [isFine, isBegun] = [true, true];
  try {
    isFine = await work({ config, records: store.records, confirm: wish.confirm, events, adds, signal });
  } catch (error) {
    isBegun = !(error instanceof UsageError);
    if (!signal.aborted) throw error;
  } finally {
    report.close({ isBegun });
  }
  const isKept = await failuresKept(report.failedLines(), wish, io);
  if (signal.aborted) {
    io.stderr.write('error: stopped before all was done; the next run goes on from here\n');
    return io.signal.aborted ? stopCode(io.signal.reason) : 1;
  }
  return isFine && isKept && isWell(report.counts()) ? 0 : 1;
}

/** Written also when nothing failed, or the names of an earlier run would be taken again. */
async function failuresKept(
  lines: string,
  { failedFile }: PruneRunOptions,
  { stderr }: Io,
): Promise<boolean> {
  if (failedFile === undefined) return true;
  const refusal = await writeRefusal(failedFile, lines);
  if (refusal !== undefined) stderr.write(`error: ${failedFile} cannot be written (${refusal})\n`);
  else if (lines !== '') stderr.write(`info: what failed is in ${failedFile}, to be tried again with -f\n`);
  return refusal === undefined;
}

interface OpenLease {
  readonly lease: Lease;
  close(): Promise<void>;
}

/** A Lease of the cluster that has the mirror's, else a record in the store. */
async function jobLease({ job, io }: PruneCall, config: Config, { records }: Store): Promise<OpenLease> {
  const events = {
    lost: () => void io.stderr.write(`error: the lease of "${job}" was lost; this run stops\n`),
    failed: ({ error }: { readonly error: unknown }) =>
      void io.stderr.write(`warning: the lease of "${job}" cannot be read or renewed: ${error}\n`),
  };
  const options = { name: job, holder: hostname(), ttlMs: leaseTtlMs, events };
  const where = config.mirror?.lease;
  if (where === undefined) {
    const medium = createRecordLease(records, { name: `prune ${job}` });
    return { lease: createLease({ ...options, medium, trustsClocks: true }), close: async () => undefined };
  }
  const clients = createClusterClients(config.clusters);
  const client = await clients.of(where.cluster);
  const medium = createLeaseObject({ client, namespace: where.namespace, name: `${where.name}-prune` });
  return { lease: createLease({ ...options, medium }), close: () => clients.close() };
}

/** The names in files, without comments. Undefined without files. Throws `UsageError`. */
export async function wantedNames({ files }: PruneRunOptions): Promise<readonly string[] | undefined> {
  if (files.length === 0) return undefined;
  const texts = await Promise.all(
    files.map((file) =>
      readFile(file, 'utf8').catch((cause: unknown) => {
        throw new UsageError(`${file} cannot be read`, { cause });
      }),
    ),
  );
  const lines = texts.flatMap((text) => text.split('\n')).map((line) => line.trim());
  return [...new Set(lines.filter((line) => line !== '' && !line.startsWith('#')))];
}
