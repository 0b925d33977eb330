import type { Knee, KneeStep } from '../result.ts';

interface KneeSearch {
  readonly firstPerSecond: number;
  /** Each step has so many times the rate of the one before. */
  readonly factor: number;
  readonly mostSteps: number;
  /** Loads the target at a rate, and says what came of it. */
  readonly run: (ratePerSecond: number) => Promise<KneeStep>;
  readonly signal: AbortSignal;
}

/**
 * Raises the rate until the p99 of whole work is twice that of the first step, in two steps of one
 * rate: one pull that something else held up is no knee. Or something else than the target ends it:
 * errors, the generator, the bounds.
 */
export async function kneeOf({ firstPerSecond, factor, mostSteps, run, signal }: KneeSearch): Promise<Knee> {
  const steps: KneeStep[] = [];
  let good: number | undefined;
  for (let rate = firstPerSecond; steps.length < mostSteps; ) {
    const step = await run(rate);
    const isAgain = steps.at(-1)?.ratePerSecond === rate;
    steps.push(step);
    const end = endOf(step, steps);
    const lastGood = good === undefined ? {} : { lastGoodPerSecond: good };
    if (end === 'p99' && isAgain)
      return { steps, end: 'the p99 doubled', beyondPerSecond: step.ratePerSecond, ...lastGood };
    if (end !== undefined && end !== 'p99') return { steps, end, ...lastGood };
    if (signal.aborted) return { steps, end: 'stopped' };
    if (end === 'p99') continue;
    good = rate;
    rate *= factor;
  }
  return { steps, end: `${mostSteps} steps found none` };
}

function endOf(step: KneeStep, steps: readonly KneeStep[]): string | undefined {
  const [first] = steps;
  if (step.errors > 0) return `errors at ${Math.round(step.ratePerSecond * 100) / 100} a second`;
  if (step.isGeneratorBound) return 'the generator became the bottleneck';
  return first !== undefined && step !== first && step.p99Ms >= 2 * first.p99Ms ? 'p99' : undefined;
}
