import { type Clock, systemClock } from '../../base/time/wait.ts';
import { createNodes, type NodeSettings } from '../client/node.ts';
import type { LoadTarget } from '../client/target.ts';
import { createHistogram } from '../histogram.ts';
import { createTagMover } from '../images/seeding.ts';
import { type LoadPart, LoadRecorder } from '../recorder.ts';
import { uncheckedDigests } from '../verify/digest-check.ts';
import { createDigestThreads } from '../verify/threads.ts';
import { type LoadBounds, type LoadEnd, reachedBound } from './bounds.ts';
import { closedLoop } from './closed-loop.ts';
import { type LoadLoopOptions, openLoop } from './open-loop.ts';
import { arrivalsOf, type ProcessShare, type WorkSource } from './source.ts';
import { createUsageMeter, type GeneratorUsage } from './usage.ts';

/** What one generator is to do. Plain JSON: it may be in another process. */
export interface GeneratorPlan {
  readonly target: LoadTarget;
  readonly nodes: NodeSettings;
  readonly source: WorkSource;
  readonly bounds: LoadBounds;
  /** So many workers that wait for their answers. Default: an open loop. */
  readonly workers?: number;
  /** Threads that check digests; 0: they are not checked. */
  readonly verifyThreads: number;
  readonly share: ProcessShare;
}

/** What one generator found. Plain JSON. */
export interface GeneratorReport {
  readonly part: LoadPart;
  readonly usage: GeneratorUsage;
  readonly end: LoadEnd;
  /** From its start to its last answer, milliseconds. */
  readonly durationMs: number;
}

/** What it has done so far. */
export type GeneratorTotals = LoadRecorder['totals'];

interface GeneratorOptions {
  readonly signal: AbortSignal;
  /** Called twice a second. */
  readonly progress: (totals: GeneratorTotals) => void;
  readonly clock?: Clock;
}

const lookMs = 100;
const progressMs = 500;

/** Makes the load until a bound is reached or the signal aborts. */
export async function runGenerator(plan: GeneratorPlan, options: GeneratorOptions): Promise<GeneratorReport> {
  const { bounds, source, share } = plan;
  const arrivals = await arrivalsOf(source, share);
  const clock = since(options.clock ?? systemClock);
  const recorder = new LoadRecorder();
  const checks = plan.verifyThreads === 0 ? uncheckedDigests : createDigestThreads(plan.verifyThreads);
  const usage = createUsageMeter();
  const lag = createHistogram();
  const over = new AbortController();
  const bound = new AbortController();
  const moves = source.kind === 'model' ? source.moves : undefined;
  const mover = moves && createTagMover(moves.registry, moves.images);
  const nodes = createNodes({
    ...plan.nodes,
    target: plan.target,
    recorder,
    checks,
    now: () => clock.now(),
    signal: over.signal,
    ...(mover === undefined ? {} : { moved: mover.moved }),
  });
  let heldBack = 0;
  const looking = everyMs(lookMs, () => {
    if (reachedBound(recorder.totals, bounds) !== undefined) bound.abort();
  });
  const telling = everyMs(progressMs, () => {
    usage.look();
    options.progress(recorder.totals);
  });
  const loop: LoadLoopOptions = {
    arrivals,
    work: nodes.work,
    bounds,
    recorder,
    lag,
    heldBack: () => {
      heldBack += 1;
    },
    clock,
    signal: AbortSignal.any([options.signal, bound.signal]),
  };
  try {
    const end = await (plan.workers === undefined ? openLoop(loop) : closedLoop(loop, plan.workers));
    const durationMs = clock.now();
    over.abort(new Error('the load is over'));
    await nodes.checked();
    const { waitedMs: verifyWaitMs } = checks;
    const used = { ...usage.read(), lag: lag.summary(), heldBack, verifyWaitMs };
    return { part: recorder.part(), usage: used, end, durationMs };
  } finally {
    over.abort(new Error('the load is over'));
    clearInterval(looking);
    clearInterval(telling);
    await Promise.all([nodes.close(), checks.close(), mover?.close()]);
  }
}

function everyMs(ms: number, work: () => void): NodeJS.Timeout {
  return setInterval(work, ms).unref();
}

/** The same clock from 0 on. */
function since(clock: Clock): Clock {
  const start = clock.now();
  return { now: () => clock.now() - start, setTimeout: (callback, ms) => clock.setTimeout(callback, ms) };
}
