/**
 * `npm test`: everything that can be proved with nothing but Node. Checks the text (format, lint,
 * types, dead code), then runs the tests, prints each file with how many facts it proved, and
 * closes with one line of sums. Exit code 1 if anything failed. Arguments are test files; without
 * any, all of them run. `--long` gives tests of many things as many as a user may have; `--times`
 * lists the files by how long they had the processor; `--bail` runs them one after the other and
 * ends at the first fact that fails.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { compileSources, runFiles } from './run/pool.ts';

interface Sum {
  passed: number;
  failed: number;
}

const bin = new URL('../node_modules/.bin/', import.meta.url).pathname;
const {
  values: { long, times, bail = false },
  positionals: named,
} = parseArgs({
  allowPositionals: true,
  options: { long: { type: 'boolean' }, times: { type: 'boolean' }, bail: { type: 'boolean' } },
});
/** What was found out of files that are the same since need not be found out again. */
const cache = new URL('../node_modules/.cache', import.meta.url).pathname;
/** What one process has compiled, the others and the programs that tests start need not. */
const compiled = `${cache}/tests`;
const env = {
  ...process.env,
  ...(long === true ? { QUAYSIDE_TEST_LONG: '1', QUAYSIDE_TEST_FILE_MS: '3600000' } : {}),
  NODE_COMPILE_CACHE: compiled,
};
/** The compiler of types runs once and ends: to collect garbage costs it a quarter of its time. */
const checkEnv = { ...env, GOGC: 'off', GOMEMLIMIT: '3GiB' };

/** Files that get a process of their own, and why. */
const alone: ReadonlySet<string> = new Set([
  'test/chaos.test.ts', // counts all warnings, rejections and heap of the process as the service's
  'test/store/filesystem/filesystem-store.test.ts', // counts the files that the process has open
  'test/image-streams/stream-tags.test.ts', // measures the heap
  'test/image-streams/index/size.test.ts', // measures memory
  'test/proxy/http/failures-size.test.ts', // measures the heap
]);

/** Files that wait for other programs or for time. Begun first, none of them ends last. */
const waiters: readonly string[] = [
  'test/bad-days/secrets.test.ts',
  'test/cli/images/verify.test.ts',
  'test/cli/prune/integrated.test.ts',
  'test/attacks.test.ts',
  'test/workers/program.test.ts',
  'test/failures/failures.test.ts',
  'test/bad-days/s3-silent.test.ts',
  'test/telemetry/tracing/collector.test.ts',
  'test/proxy/pull/blobs.test.ts',
  'test/chaos.test.ts',
  'test/proxy/pull/bypass.test.ts',
  'test/explain/service.test.ts',
  'test/bad-days/crash.test.ts',
  'test/upstream/client/forward.test.ts',
  'test/mirror/queue/takeover.test.ts',
  'test/workers/service.test.ts',
  'test/workers/mirror.test.ts',
];

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['types', 'tsc', '--checkers', '1'],
  ['types of the console', 'tsc', '-p', 'tsconfig.console.json'],
  ['nothing unused', 'knip', '--cache', '--cache-location', `${cache}/knip`],
];

const sum: Sum = { passed: 0, failed: 0 };
const processorMs = new Map<string, number>();
const mustCompile = named.length === 0 && !existsSync(compiled);
const checked = named.length === 0 ? checkText() : Promise.resolve();
if (mustCompile) await compileSources(env);
await runTests(named.length === 0 ? await testFiles() : named);
await checked;
if (times === true) console.log(timesText());
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

/** Beside the tests, one after the other: none of them keeps a core busy by itself. */
async function checkText(): Promise<void> {
  for (const [name, command, ...args] of checks) await check(name, command, args);
}

/** One check of the text; its output is shown only when it fails. */
async function check(name: string, command: string, args: readonly string[]): Promise<void> {
  const output: string[] = [];
  const exitCode = await run(command, args, (line) => output.push(line));
  report(exitCode === 0, name);
  if (exitCode !== 0) console.log(output.join('\n'));
}

/** The tests: a pass in one line, a failure whole. */
async function runTests(wanted: readonly string[]): Promise<void> {
  await runFiles(
    wanted,
    { env, jobs: bail ? 1 : 6, isAlone: (file) => alone.has(file), bails: bail },
    ({ file, passed, failed, output, ...rest }) => {
      processorMs.set(file, rest.processorMs);
      sum.passed += passed;
      sum.failed += failed;
      console.log(`${failed === 0 ? '✓' : '✗'} ${file} — ${passed} facts`);
      if (failed > 0) console.log(output.filter((line) => !/^ *ok /.test(line)).join('\n'));
    },
  );
}

/** The files that take longest first, and their sum, in milliseconds. */
function timesText(): string {
  const all = [...processorMs].toSorted(([, left], [, right]) => right - left);
  const total = all.reduce((sumMs, [, ms]) => sumMs + ms, 0);
  return [...all, ['all files', total]]
    .map(([file, ms]) => `${String(ms).padStart(7)} ms ${file}`)
    .join('\n');
}

async function testFiles(): Promise<string[]> {
  const files = glob('test/**/*.test.ts', { exclude: (path) => path === 'test/e2e' });
  const found = (await Array.fromAsync(files)).sort();
  return [...waiters, ...found.filter((file) => !waiters.includes(file))];
}

function report(isOk: boolean, name: string): void {
  if (isOk) sum.passed += 1;
  else sum.failed += 1;
  console.log(`${isOk ? '✓' : '✗'} ${name}`);
}

async function run(command: string, args: readonly string[], line: (text: string) => void): Promise<number> {
  const child = spawn(bin + command, args, { env: checkEnv, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
  for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on('line', line);
  return exited;
}
