/**
 * The entry point of a generator process. Standard input: the plan as one line, then `go`; its end
 * stops the load. Answers by messages: `ready`, totals, the report.
 */
import { createInterface } from 'node:readline';
import { type GeneratorPlan, type GeneratorReport, type GeneratorTotals, runGenerator } from './generator.ts';

/** What a generator process says. */
export type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'totals'; readonly totals: GeneratorTotals }
  | { readonly kind: 'report'; readonly report: GeneratorReport }
  | { readonly kind: 'failed'; readonly message: string };

const stop = new AbortController();
const lines = createInterface({ input: process.stdin });
let plan: GeneratorPlan | undefined;

const say = (message: ChildMessage): boolean | undefined => process.send?.(message);

lines.on('line', (line) => {
  if (line !== 'go') {
    plan = JSON.parse(line) as GeneratorPlan;
    say({ kind: 'ready' });
    return;
  }
  if (plan !== undefined) generated(plan).then(ended, ended);
});
lines.once('close', () => stop.abort(new Error('the load was stopped')));

async function generated(wanted: GeneratorPlan): Promise<void> {
  try {
    const progress = (totals: GeneratorTotals): void => void say({ kind: 'totals', totals });
    say({ kind: 'report', report: await runGenerator(wanted, { signal: stop.signal, progress }) });
  } catch (error) {
    say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

function ended(): void {
  lines.close();
  process.stdin.destroy();
  process.disconnect?.();
}
