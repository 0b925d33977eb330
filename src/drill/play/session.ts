// Room `drill/play`: plays drills one after the other, and judges what was seen. In: a table, what
// the machine has. Out: a result, and its page. Imports: base, drill, drill/fronts, drill/stand,
// drill/table, drill/watch, load/verify.

import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { closeInTurn } from '../../base/flow/close-all.ts';
import { hasSlept } from '../../base/time/wait.ts';
import { createDigestThreads } from '../../load/verify/threads.ts';
import type { DrillOutcome, DrillResult } from '../drill.ts';
import { createDrillStand, type DrillStand } from '../stand/stand.ts';
import type { Drill } from '../table/table.ts';
import { type AlertWatch, createAlertWatch } from '../watch/alerts.ts';
import { conditionsOf, createFaultWatch } from '../watch/conditions.ts';
import { createDrillImages, type DrillImages } from '../watch/images.ts';
import { createDrillClients } from '../watch/pulls.ts';
import { createStoredCheck } from '../watch/stored.ts';
import { type DrillForm, playedDrill } from './play.ts';

/** What is played, and with what. */
export interface DrillPlan {
  readonly drills: readonly Drill[];
  readonly form: DrillForm;
  readonly replicas: number;
  /** Paths of programs; undefined: what needs them is left out. */
  readonly versitygw: string | undefined;
  readonly prometheus: string | undefined;
  /** Distribution, to be beside us. */
  readonly distribution: string | undefined;
  /** Sections of the settings of all replicas. */
  readonly own: Readonly<Record<string, unknown>>;
}

interface DrillRunOptions {
  readonly signal: AbortSignal;
  /** A drill begins, and ended. */
  readonly began: (drill: Drill) => void;
  readonly ended: (outcome: DrillOutcome) => void;
}

const inertiaMs = 2_000;

/** Starts the fleet, plays all drills, and ends everything that it started. */
export async function runDrills(plan: DrillPlan, options: DrillRunOptions): Promise<DrillResult> {
  const startedAt = new Date();
  const { signal } = options;
  const stand = await createDrillStand({ ...plan, inertiaMs, signal });
  const checks = createDigestThreads(1);
  let alerts: AlertWatch | undefined;
  try {
    if (plan.prometheus !== undefined)
      alerts = await createAlertWatch(stand.folder, plan.prometheus, stand.replicas, signal);
    const images = await createDrillImages(stand, startedAt.toISOString());
    await warmed(stand, images, checks);
    const stored = createStoredCheck(stand.storeFolders);
    await stored();
    const usual = await usualOf(stand, alerts, signal);
    const fleet = { stand, images, alerts, stored, checks, usual, form: plan.form, signal };
    const outcomes: DrillOutcome[] = [];
    for (const drill of plan.drills) {
      if (signal.aborted) break;
      options.began(drill);
      const outcome = await playedDrill(drill, fleet).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      // Those before it count; of this one nothing can be said.
      if (signal.aborted || outcome === undefined) break;
      outcomes.push(outcome);
      options.ended(outcome);
    }
    return {
      format: 'quayside drill 1',
      startedAt: startedAt.toISOString(),
      tookMs: Date.now() - startedAt.getTime(),
      form: plan.form.name,
      machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
      fleet: `${plan.replicas} replicas over ${stand.bucket === undefined ? 'a directory each' : 'one bucket (versitygw)'}`,
      limits: limitsOf(plan),
      ...(alerts === undefined ? {} : { alerts: alerts.names }),
      ...(signal.aborted ? { isInterrupted: true } : {}),
      outcomes,
    };
  } finally {
    await closeInTurn([() => alerts?.close(), () => stand.close(), () => checks.close()]);
  }
}

/** Two seconds more than what is wrong with the bucket of a drill needs to count. */
async function usualOf(
  { replicas }: DrillStand,
  alerts: AlertWatch | undefined,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const looks = [...replicas.map(conditionsOf), ...(alerts === undefined ? [] : [alerts.firing])];
  const watch = createFaultWatch(looks, () => performance.now());
  await hasSlept(inertiaMs + 3_000, signal);
  await watch.close();
  return new Set(watch.seen.keys());
}

function limitsOf({ prometheus, versitygw }: DrillPlan): readonly string[] {
  return [
    ...(prometheus === undefined ? ['no Prometheus was found: alerts are not judged'] : []),
    ...(versitygw === undefined ? ['no versitygw was found: drills of S3 are not played'] : []),
  ];
}

/** Each replica has pulled each warm image, and knows the login. */
async function warmed(
  { replicas, other, tokenFile }: DrillStand,
  { warm }: DrillImages,
  checks: ReturnType<typeof createDigestThreads>,
): Promise<void> {
  const startedAt = performance.now();
  const beside = other === undefined ? [] : [{ url: other.url, name: 'the other cache' }];
  for (const { url, name } of [...replicas, ...beside]) {
    const clients = createDrillClients({ url, tokenFile, checks, now: () => performance.now() - startedAt });
    for (const image of warm) await clients.pull(image);
    await clients.finish(10_000);
    const failed = clients.pulls.find(({ error }) => error !== undefined);
    if (clients.wrong().length > 0) throw new Error(`${name} sent wrong bytes before any fault`);
    if (failed !== undefined) throw new Error(`${name} cannot pull before any fault: ${failed.error}`);
  }
}
