import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { until } from '../support/bodies.ts';
import { type RegistryDouble, registryDouble } from '../support/registry-double.ts';
import { type ServiceRig, serviceRig } from '../support/service.ts';
import { type Action, randomAction, tagPull, wholePull } from './actions.ts';
import { performed } from './client.ts';
import { filesOf } from './damage.ts';
import { type Circumstances, fault, wantedPiece } from './judge.ts';
import { type Random, seeded } from './random.ts';
import { complaints, type HoldUps, heldBytes, holdUps, recovered, settled } from './vitals.ts';
import { changeWeather, clearWeather } from './weather.ts';
import { type MovingTag, madeWorld, type World } from './world.ts';

/** What is behind the service, and how it comes to harm. */
export interface Medium {
  /** Its settings over those of the rig. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Harms it once, or heals it once; while the service runs. */
  harm(random: Random): Promise<void>;
  /** It works again. What it lost stays lost. */
  heal(): void;
  /** Harms what it holds while the service is stopped. */
  harmAtRest(random: Random): Promise<void>;
  /** Unfinished files and uploads of dead processes. */
  leftovers(): Promise<readonly string[]>;
}

export interface ChaosOptions {
  readonly seed: number;
  /** No round begins after this, milliseconds. */
  readonly wallMs: number;
  /** The store, and the directory of the run. */
  readonly medium: (directory: string) => Medium | Promise<Medium>;
}

/** A run, and what it has found. */
interface Run {
  readonly t: Test;
  readonly random: Random;
  readonly double: RegistryDouble;
  readonly world: World;
  readonly medium: Medium;
  readonly directory: string;
  readonly agent: Agent;
  /** Of each tag, the latest meaning that any answer has shown. */
  readonly shown: Map<MovingTag, number>;
  readonly faults: string[];
  readonly holdUps: HoldUps;
  rig: ServiceRig;
  restarts: number;
  isRestarting: boolean;
  actions: number;
}

/** Beyond these, one broken rule tells nothing new. */
const mostFaults = 10;
/** From one round to any later one of the same service. */
const mostGrowthBytes = 32 * 1024 * 1024;
/** No action begins later in its storm or lull than this. */
const longestStormMs = 800;
/** Manifests of what failed in a storm are withheld for so long, in the lull too. */
const withholdMs = 60;
/** The upstream is silent for so long before it counts as failing. */
const progressTimeoutMs = 150;

/**
 * Storms and lulls until the time is up. In a storm the upstream, the store and the clients all
 * misbehave, and every answer must be right or a clear refusal. In a lull every answer must be
 * right, and afterwards nothing may be left running or lying about. Resolves to the number of
 * actions, once no rule was broken or too many were; each is a line of `faults`.
 */
export async function chaos(t: Test, { seed, wallMs, medium }: ChaosOptions) {
  const run = await begun(t, seed, medium);
  const deadline = performance.now() + wallMs;
  const stopListening = complaints(run.faults);
  const heldAtFirst = new Map<number, number>();
  for (let round = 0; performance.now() < deadline && run.faults.length < mostFaults; round += 1) {
    const isLying = round % 2 === 0;
    const hasRestart = round % 3 === 2;
    await storm(run, isLying, hasRestart ? restarted : undefined);
    if (round % 3 === 1) await spoiled(run);
    await lull(run);
    await rest(run);
    const held = heldBytes();
    const before = heldAtFirst.get(run.restarts) ?? held;
    heldAtFirst.set(run.restarts, before);
    if (held - before > mostGrowthBytes) run.faults.push(`memory grew from ${before} to ${held} bytes`);
  }
  await new Promise(setImmediate);
  stopListening();
  const { actions, faults } = run;
  return { actions, faults: faults.slice(0, mostFaults) };
}

async function begun(t: Test, seed: number, medium: ChaosOptions['medium']): Promise<Run> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-chaos-'));
  const double = await registryDouble();
  const behind = await medium(directory);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const world = madeWorld(double);
  const rig = await startedRig(t, double, directory, behind);
  const run: Run = {
    t,
    double,
    world,
    directory,
    agent,
    rig,
    medium: behind,
    random: seeded(seed),
    shown: new Map(),
    faults: [],
    holdUps: holdUps(),
    restarts: 0,
    isRestarting: false,
    actions: 0,
  };
  t.teardown(async () => {
    agent.destroy();
    run.holdUps.close();
    await run.rig.stop();
    await double.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  return run;
}

/** Short times everywhere, and little room, so that seconds hold what else takes days. */
function startedRig(t: Test, double: RegistryDouble, directory: string, medium: Medium): Promise<ServiceRig> {
  return serviceRig(t, {
    double,
    directory,
    upstream: {
      firstByteTimeoutMs: '300ms',
      progressTimeoutMs: `${progressTimeoutMs}ms`,
      breaker: { failures: 4, openMs: '60ms' },
      maxConcurrent: 16,
      withholdMs: `${withholdMs}ms`,
    },
    settings: {
      shutdownGraceMs: '2500ms',
      spool: { path: join(directory, 'spool'), maxBytes: '1MiB' },
      memory: { maxBytes: '256KiB', maxEntryBytes: '32KiB' },
      tags: { freshMs: '20ms', refreshBehindMs: '20ms', staleMs: '1h', negativeMs: '50ms' },
      ...medium.settings,
    },
  });
}

async function storm(run: Run, isLying: boolean, interruption?: (run: Run) => Promise<void>): Promise<void> {
  const { random, double, medium, world } = run;
  const [sky, ground] = [random.fork(), random.fork()];
  const over = new AbortController();
  const weather = repeated(sky, 80, over.signal, async () => {
    changeWeather(sky, double, isLying);
    if (sky.isLucky(0.3)) world.move(sky);
  });
  const harm = repeated(ground, 60, over.signal, () => medium.harm(ground));
  const interrupted = interruption?.(run);
  await acted(run, 150 + random.below(350), { isStormy: true, isLying });
  await interrupted;
  over.abort();
  await Promise.all([weather, harm]);
  clearWeather(double.switches);
  medium.heal();
}

/**
 * Harms the store at rest. The first whole read of each copy finds that out, and may be cut off for
 * it; a range that is read before that would not.
 */
async function spoiled(run: Run): Promise<void> {
  await restarted(run, (random) => run.medium.harmAtRest(random));
  await recovered(run);
  for (const piece of run.world.pieces)
    await judged(run, wholePull(piece), { isStormy: true, isLying: true });
}

/** The whole pulls come first: a false size that a lying upstream told is found out by them. */
async function lull(run: Run): Promise<void> {
  await settled(run);
  await recovered(run);
  await sleep(2 * withholdMs);
  run.holdUps.reset();
  const { random, world } = run;
  for (const piece of world.pieces) await judged(run, wholePull(piece), { isStormy: false, isLying: false });
  if (random.isLucky(0.5)) world.move(random);
  await acted(run, 100, { isStormy: false, isLying: false });
  for (const wants of world.tags) {
    const latest = wants.meanings.at(-1)?.digest;
    const isShown = async () => {
      const observed = await performed(run.rig.url, tagPull(wants), run.agent);
      return observed.headers['docker-content-digest'] === latest;
    };
    await until(isShown, 'the latest meaning').catch(() =>
      run.faults.push(`the tag ${wants.tag} stays behind`),
    );
  }
}

/** Nothing is left over once all clients have left. */
async function rest(run: Run): Promise<void> {
  await settled(run);
  const left = async () => [
    ...(await filesOf(join(run.directory, 'spool'))),
    ...(await run.medium.leftovers()),
  ];
  await until(async () => (await left()).length === 0).catch(async () => {
    run.faults.push(`left over: ${(await left()).join(', ')}`);
  });
  for (const line of run.rig.log) if (line['level'] === 'error') run.faults.push(JSON.stringify(line));
  run.double.requests.length = 0;
}

/** Many clients at once do what chance has for them. */
async function acted(run: Run, count: number, weather: Omit<Circumstances, 'isRestarting'>): Promise<void> {
  const { random, world } = run;
  const plan = Array.from({ length: count }, () => randomAction(random, world));
  const deadline = performance.now() + longestStormMs;
  const client = async () => {
    for (let action = plan.pop(); action !== undefined; action = plan.pop()) {
      if (run.faults.length >= mostFaults || performance.now() > deadline) return;
      await judged(run, action, weather);
    }
  };
  await Promise.all(Array.from({ length: 16 + random.below(48) }, client));
}

async function judged(run: Run, action: Action, weather: Omit<Circumstances, 'isRestarting'>): Promise<void> {
  const { restarts, shown } = run;
  const { wants } = action;
  const atLeast = wants !== undefined && 'meanings' in wants ? (shown.get(wants) ?? 0) : 0;
  const wasRestarting = run.isRestarting;
  const observed = await performed(run.rig.url, action, run.agent);
  const isRestarting = wasRestarting || run.isRestarting || run.restarts !== restarts;
  run.actions += 1;
  // The upstream shares our process: where that stood still, it was silent too.
  const isStormy = weather.isStormy || run.holdUps.longestMs() > progressTimeoutMs / 3;
  let found = fault(action, observed, { ...weather, isStormy, isRestarting });
  if (wants !== undefined && 'meanings' in wants && observed.status === 200 && found === undefined) {
    const piece = wantedPiece(action, observed);
    const meaning = typeof piece === 'object' ? wants.meanings.indexOf(piece) : -1;
    if (meaning < atLeast && !isRestarting) found = `the tag went back from meaning ${atLeast} to ${meaning}`;
    if (run.restarts === restarts) shown.set(wants, Math.max(meaning, shown.get(wants) ?? 0));
  }
  if (found === undefined) return;
  const { method, path, headers, leavesAfter, pauseMs } = action;
  const manner = JSON.stringify({ ...headers, leavesAfter, pauseMs });
  const how = weather.isStormy ? `in a storm${weather.isLying ? ' of lies' : ''}` : 'in a lull';
  const via = observed.headers['quayside-cache'] ?? 'no cache header';
  run.faults.push(
    `action ${run.actions}, ${how}: ${method} ${path} ${manner}: ${found.replaceAll('\n', ' ')} (${observed.status}, ${via}, ${observed.ended})`,
  );
}

/** Stops the service while clients are at it, harms the store, and starts it again. */
async function restarted(run: Run, harm?: (random: Random) => Promise<void>): Promise<void> {
  run.isRestarting = true;
  await run.rig.stop();
  await harm?.(run.random);
  run.rig = await startedRig(run.t, run.double, run.directory, run.medium);
  run.shown.clear();
  run.restarts += 1;
  run.isRestarting = false;
}

async function repeated(random: Random, longestMs: number, over: AbortSignal, act: () => Promise<void>) {
  while (!over.aborted) {
    await act();
    await new Promise((resolve) => setTimeout(resolve, 5 + random.below(longestMs)));
  }
}
