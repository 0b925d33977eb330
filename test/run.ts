/**
 * `npm test`: everything that can be proved with nothing but Node. Checks the text (format, lint, types, dead code), then runs
 * the tests, prints each file with how many facts it proved, and closes with one line of sums. Exit code 1 if
 * anything failed. Arguments are test files; without any, all of them run.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

interface Sum {
  passed: number;
  failed: number;
}

const bin = new URL('../node_modules/.bin/', import.meta.url).pathname;
/** Each test file is a process of its own: what one has compiled, the others need not. */
const env = {
  ...process.env,
  NODE_COMPILE_CACHE: new URL('../node_modules/.cache/tests', import.meta.url).pathname,
};

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'check', '--error-on-warnings', '.'],
  ['types', 'tsc', '--noEmit'],
  ['nothing unused', 'knip'],
];

const sum: Sum = { passed: 0, failed: 0 };
const files = process.argv.slice(2);
const checked = files.length === 0 ? checkText() : Promise.resolve();
await runTests(files);
await checked;
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

/** The tests; tap's own protocol is read line by line, so that a failure is shown whole and a pass in one line. */
async function runTests(wanted: readonly string[]): Promise<void> {
  let facts = 0;
  let pending: string[] = [];
  const exitCode = await run('tap', ['run', '--reporter=tap', ...wanted], (line) => {
    if (/^ {4}ok /.test(line)) facts += 1;
    if (/^ {4}not ok /.test(line)) sum.failed += 1;
    pending.push(line);
    const file = /^(not )?ok \d+ - (\S+)/.exec(line);
    if (file === null) return;
    const isOk = file[1] === undefined;
    sum.passed += facts;
    console.log(`${isOk ? '✓' : '✗'} ${file[2]} — ${facts} facts`);
    if (!isOk) console.log(pending.filter((text) => !/^ {4,}ok /.test(text)).join('\n'));
    facts = 0;
    pending = [];
  });
  if (exitCode !== 0 && sum.failed === 0) sum.failed += 1;
}

function report(isOk: boolean, name: string): void {
  if (isOk) sum.passed += 1;
  else sum.failed += 1;
  console.log(`${isOk ? '✓' : '✗'} ${name}`);
}

async function run(command: string, args: readonly string[], line: (text: string) => void): Promise<number> {
  const child = spawn(bin + command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
  for (const output of [child.stdout, child.stderr]) createInterface({ input: output }).on('line', line);
  return exited;
}
