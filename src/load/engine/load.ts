// Room `load/engine`: makes a load, in one process or several, and puts together what it found. In:
// a plan. Out: the result. Imports: base, load, load/client, load/images, load/model, load/traces,
// load/traffic, load/verify.

import { emptySecond, type LoadPart, mergedParts, wholeLatencies } from '../recorder.ts';
import type { Knee, KneeStep, LoadResult } from '../result.ts';
import { resultFormat } from '../result.ts';
import { type TrafficCounter, trafficBetween } from '../traffic/traffic.ts';
import type { LoadEnd } from './bounds.ts';
import type { GeneratorPlan, GeneratorReport, GeneratorTotals } from './generator.ts';
import { kneeOf } from './knee.ts';
import { machineNow } from './machine.ts';
import { runGenerators } from './processes.ts';
import { generatorOf } from './usage.ts';

/** A whole load. */
export interface LoadPlan {
  readonly title: string;
  readonly generator: Omit<GeneratorPlan, 'share'>;
  readonly processes: number;
  /** What is counted between the target and its upstream. Default: nothing. */
  readonly traffic?: TrafficCounter;
  /** For the report. No secrets. */
  readonly settings: LoadResult['settings'];
  /** Raise the rate from that of the model on, by a factor, so often. Default: one rate. */
  readonly knee?: { readonly factor: number; readonly mostSteps: number };
  /** What makes the load a failure beside wrong bytes. */
  readonly limits: { readonly maxP99Ms?: number; readonly maxErrors?: number };
}

interface LoadRunOptions {
  readonly signal: AbortSignal;
  /** The rate is that of a model; a trace has its own. */
  readonly progress: (totals: GeneratorTotals, ratePerSecond: number | undefined) => void;
  /** A step of the search for the knee ended. */
  readonly stepped: (step: KneeStep) => void;
}

/** Makes the load. Rejects where it cannot be made at all. */
export async function runLoad(plan: LoadPlan, options: LoadRunOptions): Promise<LoadResult> {
  const machine = machineNow();
  const startedAt = new Date().toISOString();
  const before = await plan.traffic?.read(options.signal);
  const { reports, knee } = await (plan.knee === undefined ? oneRate(plan, options) : rising(plan, options));
  const after = before === undefined ? undefined : await plan.traffic?.read(AbortSignal.timeout(10_000));
  const part = mergedParts(oneAfterAnother(reports));
  const durationMs = sum(reports.map(longestOf));
  const generator = generatorOf(
    reports.flat().map(({ usage }) => usage),
    { durationMs, ...machine, p99Ms: wholeP99Ms(part) },
  );
  const { distinct, ...counted } = part;
  const { target, verifyThreads } = plan.generator;
  const bytes = { ...part.bytes, distinct: sum(Object.values(distinct)) };
  const upstream =
    before === undefined || after === undefined || plan.traffic === undefined
      ? {}
      : { upstream: trafficOf(plan.traffic, trafficBetween(before, after), bytes) };
  return {
    format: resultFormat,
    title: plan.title,
    startedAt,
    durationMs: Math.round(durationMs),
    target: targetOf(target),
    settings: plan.settings,
    machine,
    ...counted,
    bytes,
    isVerified: verifyThreads > 0,
    ...upstream,
    generator: { ...generator, processes: plan.processes },
    ...(knee === undefined ? {} : { knee }),
    end: endOf(reports),
    objections: objectionsTo(part, plan.limits),
  };
}

/** The reports of all processes, of each step that was run. */
interface LoadRuns {
  readonly reports: readonly (readonly GeneratorReport[])[];
  readonly knee?: Knee;
}

async function oneRate(plan: LoadPlan, { signal, progress }: LoadRunOptions): Promise<LoadRuns> {
  const { processes, generator } = plan;
  const { source } = generator;
  const rate = source.kind === 'model' ? source.model.ratePerSecond : undefined;
  const told = (totals: GeneratorTotals): void => progress(totals, rate);
  return { reports: [await runGenerators(generator, { processes, signal, progress: told })] };
}

async function rising(plan: LoadPlan, options: LoadRunOptions): Promise<LoadRuns> {
  const reports: (readonly GeneratorReport[])[] = [];
  const { source } = plan.generator;
  if (source.kind === 'trace') throw new Error('the search for the knee needs a model');
  const knee = await kneeOf({
    factor: 1.5,
    mostSteps: 20,
    ...plan.knee,
    firstPerSecond: source.model.ratePerSecond,
    signal: options.signal,
    run: async (ratePerSecond) => {
      const model = { ...source.model, ratePerSecond };
      const generator = { ...plan.generator, source: { ...source, model } };
      const [found = []] = (await oneRate({ ...plan, generator }, options)).reports;
      reports.push(found);
      const step = stepOf(found, ratePerSecond);
      options.stepped(step);
      return step;
    },
  });
  return { reports, knee };
}

function stepOf(reports: readonly GeneratorReport[], ratePerSecond: number): KneeStep {
  const part = mergedParts(reports.map((report) => report.part));
  const whole = wholeLatencies(part.latencies, ['image', 'other']);
  const durationMs = longestOf(reports);
  // That many are under way is the target's doing, and what the search is for.
  const usages = reports.map(({ usage }) => ({ ...usage, heldBack: 0 }));
  const measured = { ...machineNow(), durationMs, loadBefore: 0, p99Ms: wholeP99Ms(part) };
  const { bottlenecks } = generatorOf(usages, measured);
  const lastDueMs = Math.max(
    1000,
    ...part.seconds.map(({ second, due }) => (due > 0 ? (second + 1) * 1000 : 0)),
  );
  return {
    ratePerSecond,
    achievedPerSecond: Math.round((part.work.started / lastDueMs) * 100_000) / 100,
    p50Ms: whole.atPercentile(50),
    p99Ms: whole.atPercentile(99),
    errors: sum(part.errors.map(({ count }) => count)),
    isGeneratorBound: bottlenecks.length > 0,
  };
}

/** Of pulls, or of the requests of a trace. */
function wholeP99Ms({ latencies }: LoadPart): number {
  const pulls = wholeLatencies(latencies, ['image']);
  const whole = pulls.count > 0 ? pulls : wholeLatencies(latencies, ['manifest', 'layer', 'range', 'other']);
  return whole.count === 0 ? 0 : whole.atPercentile(99);
}

/** The seconds of each step after those of the one before. */
function oneAfterAnother(steps: LoadRuns['reports']): LoadPart[] {
  let offset = 0;
  return steps.flatMap((reports) => {
    const before = Array.from({ length: offset }, (_, second) => emptySecond(second));
    const parts = reports.map(({ part }) => {
      const seconds = part.seconds.map((each) => ({ ...each, second: each.second + before.length }));
      return { ...part, seconds: [...before, ...seconds] };
    });
    offset = Math.max(offset, ...parts.map(({ seconds }) => seconds.length));
    return parts;
  });
}

function trafficOf(
  { source }: TrafficCounter,
  { bytes, requests }: { readonly bytes: number; readonly requests: number },
  client: LoadResult['bytes'],
): NonNullable<LoadResult['upstream']> {
  const ratio = (by: number): number => Math.round((bytes / by) * 1000) / 1000;
  return {
    source,
    bytes,
    requests,
    ...(client.distinct > 0 ? { amplification: ratio(client.distinct) } : {}),
    ...(client.received > 0 ? { perClientByte: ratio(client.received) } : {}),
  };
}

function targetOf({ url, mirrorOf, mirrorBy }: GeneratorPlan['target']): LoadResult['target'] {
  return {
    url,
    ...(mirrorOf === undefined ? {} : { mirrorOf }),
    ...(mirrorBy === undefined ? {} : { mirrorBy }),
  };
}

/** The worst of all: a bound, or a stop, rather than the end of the time. */
function endOf(steps: LoadRuns['reports']): LoadEnd {
  const ends = new Set(steps.flat().map(({ end }) => end));
  const order: readonly LoadEnd[] = ['stopped', 'maxBytes', 'maxRequests', 'duration', 'trace'];
  return order.find((end) => ends.has(end)) ?? 'trace';
}

function objectionsTo(part: LoadPart, { maxP99Ms, maxErrors }: LoadPlan['limits']): readonly string[] {
  const p99Ms = wholeLatencies(part.latencies, ['image', 'other']).atPercentile(99);
  const errors = sum(part.errors.map(({ count }) => count));
  return [
    ...(part.work.due > 0 && part.work.finished === 0 ? ['no work ended well'] : []),
    ...(part.bytes.wrong > 0 ? [`${part.bytes.wrong} bytes were not those of their digests`] : []),
    ...(maxP99Ms !== undefined && p99Ms > maxP99Ms
      ? [`the p99 of whole work is ${Math.round(p99Ms)} ms, more than the ${maxP99Ms} ms of --max-p99`]
      : []),
    ...(maxErrors !== undefined && errors > maxErrors
      ? [`${errors} errors, more than the ${maxErrors} of --max-errors`]
      : []),
  ];
}

function longestOf(reports: readonly GeneratorReport[]): number {
  return Math.max(0, ...reports.map(({ durationMs }) => durationMs));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
