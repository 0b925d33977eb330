import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { boundsOfOne } from './bounds.ts';
import type { ChildMessage } from './child.ts';
import { type GeneratorPlan, type GeneratorReport, type GeneratorTotals, runGenerator } from './generator.ts';

interface GeneratorsOptions {
  readonly processes: number;
  readonly signal: AbortSignal;
  /** What all of them have done so far, twice a second. */
  readonly progress: (totals: GeneratorTotals) => void;
}

/** Makes the load in this process, or in so many others that share its work and its bounds. */
export async function runGenerators(
  plan: Omit<GeneratorPlan, 'share'>,
  { processes, signal, progress }: GeneratorsOptions,
): Promise<readonly GeneratorReport[]> {
  if (processes === 1)
    return [await runGenerator({ ...plan, share: { process: 0, processes } }, { signal, progress })];
  const totals: GeneratorTotals[] = [];
  const bounds = boundsOfOne(plan.bounds, processes);
  const workers = plan.workers === undefined ? {} : { workers: Math.ceil(plan.workers / processes) };
  const children = Array.from({ length: processes }, (_, process) => {
    return createChild({ ...plan, ...workers, bounds, share: { process, processes } }, (counted) => {
      totals[process] = counted;
      progress(sumOf(totals.filter((each) => each !== undefined)));
    });
  });
  const stop = (): void => {
    for (const child of children) child.stop();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.all(children.map(({ ready }) => ready));
    if (signal.aborted) stop();
    for (const child of children) child.go();
    return await Promise.all(children.map(({ report }) => report));
  } finally {
    signal.removeEventListener('abort', stop);
    for (const child of children) child.kill();
  }
}

interface Child {
  readonly ready: Promise<void>;
  readonly report: Promise<GeneratorReport>;
  go(): void;
  /** It ends its load and reports. */
  stop(): void;
  kill(): void;
}

/** In a process group of its own: ^C is for its parent, who then stops it. */
function createChild(plan: GeneratorPlan, progress: (totals: GeneratorTotals) => void): Child {
  const child = fork(new URL(`./child${extname(import.meta.url)}`, import.meta.url), {
    stdio: ['pipe', 'ignore', 'inherit', 'ipc'],
    detached: true,
  });
  const ready = Promise.withResolvers<void>();
  const report = Promise.withResolvers<GeneratorReport>();
  const failed = (error: Error): void => {
    ready.reject(error);
    report.reject(error);
  };
  report.promise.catch(() => undefined);
  child.on('message', (message: ChildMessage) => {
    if (message.kind === 'ready') ready.resolve();
    else if (message.kind === 'totals') progress(message.totals);
    else if (message.kind === 'report') report.resolve(message.report);
    else failed(new Error(message.message));
  });
  child.once('error', failed).once('exit', (code, signal) => {
    failed(new Error(`a generator process ended early: ${signal ?? `exit code ${code}`}`));
  });
  child.stdin?.on('error', () => undefined);
  written(child, JSON.stringify(plan));
  return {
    ready: ready.promise,
    report: report.promise,
    go: () => written(child, 'go'),
    stop: () => void child.stdin?.end(),
    kill: () => void child.kill('SIGKILL'),
  };
}

function written(child: ChildProcess, line: string): void {
  child.stdin?.write(`${line}\n`);
}

function sumOf(all: readonly GeneratorTotals[]): GeneratorTotals {
  const [first] = all;
  if (first === undefined) throw new Error('there are no totals');
  const sum = { ...first };
  for (const each of all.slice(1))
    for (const name of Object.keys(sum) as (keyof GeneratorTotals)[]) sum[name] += each[name];
  return sum;
}
