import { monitorEventLoopDelay } from 'node:perf_hooks';
import { hasSlept, sleep } from '../../base/time/wait.ts';
import type { DigestChecks } from '../../load/verify/digest-check.ts';
import type { DrillOutcome, DrillPull } from '../drill.ts';
import type { DrillStand } from '../stand/stand.ts';
import type { Drill, FaultInForce } from '../table/table.ts';
import type { AlertWatch } from '../watch/alerts.ts';
import { conditionsOf, createFaultWatch, type FaultWatch } from '../watch/conditions.ts';
import type { DrillImages } from '../watch/images.ts';
import { createMirrorTasks } from '../watch/mirror-tasks.ts';
import { createDrillClients, type DrillClients } from '../watch/pulls.ts';
import { besidePlay } from './beside.ts';
import { failuresOf, type JudgedForm, objectionsTo, warmTimes } from './judge.ts';
import { wellAfter } from './recovery.ts';

/** What all drills of a run share. */
export interface PlayedFleet {
  readonly stand: DrillStand;
  readonly images: DrillImages;
  readonly alerts: AlertWatch | undefined;
  readonly stored: () => Promise<readonly string[]>;
  readonly checks: DigestChecks;
  readonly form: DrillForm;
  /** What conditions and alerts say of a fleet that is well. */
  readonly usual: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

/** How long the parts of a drill last. */
export interface DrillForm {
  readonly name: 'short' | 'long';
  /** Before the fault, and the fault itself, milliseconds. */
  readonly calmMs: number;
  readonly holdMs: number;
  /** The fault lasts until it was noticed, but no longer than this, milliseconds. */
  readonly mostHoldMs: number;
  /** How long copies of the mirror are waited for; then those in the queue count, milliseconds. */
  readonly mirrorMs: number;
  readonly pullsPerSecond: number;
}

const coldShare = 0.3;
/** What is under way after the drill. */
const drainMs = 30_000;
const mirrorEveryMs = 3_000;
const mostQuietMs = 90_000;

/** Plays one drill on a fleet that is well. */
export async function playedDrill(drill: Drill, fleet: PlayedFleet): Promise<DrillOutcome> {
  const { name, layer, fault } = drill;
  const { stand, form, alerts } = fleet;
  const skipped = drill.lacks?.(stand);
  if (skipped !== undefined) return { ...nothing, name, layer, fault, skipped };
  const startedAt = performance.now();
  const now = (): number => performance.now() - startedAt;
  const clients = createDrillClients({
    url: stand.door,
    tokenFile: stand.tokenFile,
    checks: fleet.checks,
    now,
  });
  const mirror = createMirrorTasks(stand, name);
  const { other } = stand;
  const beside =
    other === undefined || drill.takesOther !== true ? undefined : besidePlay({ ...fleet, other, now });
  const watch = createFaultWatch(
    [...stand.replicas.map(conditionsOf), ...(alerts === undefined ? [] : [alerts.firing])],
    now,
  );
  const stopping = new AbortController();
  const all = [clients, ...(beside === undefined ? [] : [beside.clients])];
  const loaded = load(fleet, all, mirror.order, AbortSignal.any([fleet.signal, stopping.signal]));
  const restartsBefore = restartsOf(stand);
  const stalls = monitorEventLoopDelay({ resolution: 20 });
  stalls.enable();
  try {
    await sleep(form.calmMs, fleet.signal);
    await quiet(drill, fleet, watch);
    watch.restart(watch.seen.keys());
    const beganMs = now();
    const force = await begun(drill, stand);
    if (typeof force === 'string')
      return { ...nothing, name, layer, fault, objections: [`the fault could not begin: ${force}`] };
    let met: number | undefined;
    try {
      await held(drill, form, watch, fleet);
      met = await force.met?.();
    } finally {
      await force.end();
    }
    const endedMs = now();
    mirror.close();
    const noticed = Object.fromEntries([...watch.seen].filter(([seen]) => !fleet.usual.has(seen)));
    const [{ wrong, ...recovery }, otherWellMs] = await Promise.all([wellAfter(fleet), beside?.well()]);
    stopping.abort();
    await loaded;
    await Promise.all([clients.finish(drainMs), beside?.clients.finish(drainMs)]);
    const lost = await mirror.lost(form.mirrorMs, fleet.signal);
    await mirror.drop();
    fleet.images.forget();
    const times = { beganMs, endedMs };
    const { own, excused } = failuresOf(drill, clients.pulls, times);
    const outcome = {
      ...{ name, layer, fault, noticed },
      ...(met === undefined ? {} : { met }),
      pulls: clients.pulls.length,
      failedOwn: own.length,
      failedExcused: excused.length,
      errors: errorsOf([...own, ...excused]),
      warmMs: warmTimes(clients.pulls, times),
      wrongDelivered: [...clients.wrong(), ...wrong],
      refusedByClients: clients.refused(),
      wrongStored: (await fleet.stored()).length,
      ...recovery,
      mirror: { ordered: mirror.ordered(), lost },
      restarts: restartsOf(stand) - restartsBefore,
      stalledMs: Math.round(stalls.max / 1e6),
      ...(beside === undefined ? {} : { beside: beside.outcome(drill, times, otherWellMs) }),
    };
    return { ...outcome, objections: objectionsTo(drill, outcome, judgedForm(fleet)) };
  } finally {
    stopping.abort();
    stalls.disable();
    await watch.close();
    await loaded;
    await Promise.all([clients.finish(0), beside?.clients.finish(0)]);
  }
}

/** The fault in force, or why it could not begin: the drills after it are played all the same. */
export async function begun(drill: Pick<Drill, 'start'>, stand: DrillStand): Promise<FaultInForce | string> {
  try {
    return await drill.start(stand);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const nothing = {
  pulls: 0,
  failedOwn: 0,
  failedExcused: 0,
  errors: [],
  warmMs: { before: 0, during: 0 },
  wrongDelivered: [],
  wrongStored: 0,
  refusedByClients: 0,
  noticed: {},
  mirror: { ordered: 0, lost: 0 },
  restarts: 0,
  stalledMs: 0,
  objections: [],
} as const;

function judgedForm({ form, alerts }: PlayedFleet): JudgedForm {
  const isLong = form.mostHoldMs > form.holdMs;
  return { awaitsConditions: isLong, awaitsAlerts: isLong && alerts !== undefined };
}

/** Pulls at their rate, whatever becomes of those before; sometimes a copy is ordered. */
async function load(
  { images, form: { pullsPerSecond } }: PlayedFleet,
  clients: readonly DrillClients[],
  order: (repository: string, tag: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let turn = 0;
  let orderedAt = Number.NEGATIVE_INFINITY;
  while (await hasSlept(1_000 / pullsPerSecond, signal)) {
    turn += 1;
    const isCold = (turn * coldShare) % 1 < coldShare;
    const image = isCold ? await images.cold() : images.warm[turn % images.warm.length];
    if (image !== undefined) for (const each of clients) void each.pull(image);
    if (!isCold || performance.now() - orderedAt < mirrorEveryMs) continue;
    orderedAt = performance.now();
    const { repository, tag } = await images.cold();
    void order(repository, tag);
  }
}

/** Until what is to notice the fault no longer tells of the one before. */
async function quiet(drill: Drill, fleet: PlayedFleet, watch: FaultWatch): Promise<void> {
  const wanted = wantedOf(drill, fleet);
  for (let looks = 0; looks < mostQuietMs / 2_000; looks += 1) {
    if (!wanted.some((name) => watch.seen.has(name))) return;
    watch.restart();
    await sleep(2_000, fleet.signal);
  }
}

function wantedOf({ conditions, alerts }: Drill, fleet: PlayedFleet): readonly string[] {
  const { awaitsConditions, awaitsAlerts } = judgedForm(fleet);
  return [...(awaitsConditions ? conditions : []), ...(awaitsAlerts ? alerts : [])];
}

/** As long as the form says, then until all that is to notice it has. */
async function held(drill: Drill, form: DrillForm, watch: FaultWatch, fleet: PlayedFleet): Promise<void> {
  const wanted = wantedOf(drill, fleet);
  const leastMs = Math.max(form.holdMs, drill.holdMs ?? 0);
  await sleep(leastMs, fleet.signal);
  for (let heldMs = leastMs; heldMs < form.mostHoldMs; heldMs += 500) {
    if (wanted.every((name) => watch.seen.has(name))) return;
    await sleep(500, fleet.signal);
  }
}

function restartsOf({ replicas }: DrillStand): number {
  return replicas.reduce((sum, { child }) => sum + child.restarts, 0);
}

/** One of each, without digests and names of images. */
function errorsOf(pulls: readonly DrillPull[]): readonly string[] {
  const texts = pulls.map(({ error = '' }) =>
    error.replace(/sha256:[0-9a-f]{64}/g, 'sha256:…').replace(/image-\d+/g, 'image-N'),
  );
  return [...new Set(texts)].slice(0, 5);
}
