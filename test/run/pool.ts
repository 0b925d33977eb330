import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What one test file said. */
interface FileResult {
  readonly file: string;
  readonly passed: number;
  /** At least 1 for a file that proves nothing, and for one that ends its process. */
  readonly failed: number;
  /** How long it had the processor, in milliseconds; without the programs that it started. */
  readonly processorMs: number;
  /** Its TAP and whatever else it printed. */
  readonly output: readonly string[];
}

interface PoolOptions {
  readonly env: NodeJS.ProcessEnv;
  /** How many processes there are at a time. */
  readonly jobs: number;
  /** Whether a file gets a process that ran no other and will run no other. */
  readonly isAlone: (file: string) => boolean;
  /** Whether all ends at the first fact that fails. */
  readonly bails: boolean;
}

/** A process that can run one more file. */
interface FileProcess {
  run(file: string): Promise<FileResult>;
  close(): void;
}

const script = new URL('process.ts', import.meta.url).pathname;
const compile = new URL('compile.ts', import.meta.url).pathname;
const preload = new URL('preload.ts', import.meta.url).href;
/**
 * Tests leave much behind that is young: with more room for it, less of it is moved before it is
 * gone, and nothing else is collected before there is a lot. V8 would mark the whole heap after
 * each 64 MiB of buffers, which took a quarter of the processor time of all tests; here buffers
 * count like everything else. The processors have other tests to run, so none helps to collect.
 * Files that measure their memory have what a service has.
 */
const roomyHeap = [
  ...['--min-semi-space-size=32', '--max-semi-space-size=32', '--initial-old-space-size=256'],
  ...['--external-memory-accounted-in-global-limit', '--single-threaded-gc', '--no-memory-reducer'],
];
/** A file that blocks the loop of its process for so long does not go on. */
const killMs = 160_000;
const compileMs = 60_000;

/** Resolves once the sources are compiled for `runFiles`, which also works where that failed. */
export async function compileSources(env: NodeJS.ProcessEnv): Promise<void> {
  const options = { env, stdio: 'ignore', timeout: compileMs } as const;
  const child = spawn(process.execPath, [...execArgv(roomyHeap), compile], options);
  await once(child, 'close').catch(() => undefined);
}

/**
 * Runs the files, each once, and calls `told` when one has ended. No process runs another file
 * after one that failed.
 */
export async function runFiles(
  files: readonly string[],
  { env, jobs, isAlone, bails }: PoolOptions,
  told: (result: FileResult) => void,
): Promise<void> {
  const waiting = [...files];
  const work = async (): Promise<void> => {
    let shared: FileProcess | undefined;
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const mine = isAlone(file) ? fileProcess(env, bails) : (shared ?? fileProcess(env, bails, roomyHeap));
      const result = await mine.run(file);
      told(result);
      const isDone = isAlone(file) || result.failed > 0;
      if (bails && result.failed > 0) waiting.length = 0;
      if (isDone) mine.close();
      if (!isAlone(file)) shared = isDone ? undefined : mine;
    }
    shared?.close();
  };
  await Promise.all(Array.from({ length: jobs }, work));
}

function fileProcess(env: NodeJS.ProcessEnv, bails: boolean, flags: readonly string[] = []): FileProcess {
  const child = fork(script, { env, execArgv: execArgv(flags), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const gone = once(child, 'close').then(
    ([code, signal]) => `the process ended: ${signal ?? `exit code ${code}`}`,
  );
  let heard = (_line: string): void => {};
  for (const input of [child.stdout, child.stderr])
    if (input !== null) createInterface({ input }).on('line', (line) => heard(line));
  return {
    close: () => {
      if (child.connected) child.disconnect();
    },
    async run(file) {
      const output: string[] = [];
      const ended = Promise.withResolvers<number | string>();
      heard = (line) => {
        if (line.startsWith(`# end of ${file} after `)) ended.resolve(Number(/ (\d+) ms$/.exec(line)?.[1]));
        else output.push(line);
        if (!bails || !child.connected || !line.startsWith('not ok ')) return;
        child.disconnect();
        void once(child, 'exit').then(() => ended.resolve('the process ended after the first failure'));
      };
      const timer = setTimeout(() => child.kill('SIGKILL'), killMs);
      const alive = (): unknown => timer.refresh();
      child.on('message', alive).send(file);
      const end = await Promise.race([ended.promise, gone]);
      child.off('message', alive);
      clearTimeout(timer);
      const isWhole = typeof end === 'number';
      if (!isWhole) output.push(end);
      return { file, ...judged(output, isWhole), processorMs: isWhole ? end : 0, output };
    },
  };
}

function execArgv(flags: readonly string[]): string[] {
  return ['--no-warnings', '--import', preload, ...flags];
}

function judged(output: readonly string[], isWhole: boolean): Pick<FileResult, 'passed' | 'failed'> {
  const count = (shape: RegExp): number => output.filter((line) => shape.test(line)).length;
  const [passed, failed] = [count(/^ok /), count(/^not ok /)];
  return { passed, failed: isWhole && passed + failed > 0 ? failed : Math.max(failed, 1) };
}
