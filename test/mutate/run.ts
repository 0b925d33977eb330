/**
 * `npm run mutate`: puts each small fault of `faults.txt` into a copy of the project, one at a
 * time, and runs the tests that import its file, the nearest first, up to the first fact that fails
 * or does not end. That catches the fault, if its file passes without. Prints a line a fault, and
 * how many were caught and survived, in which time. Exit code 1 when one survives that may not, 2
 * when the list does not fit the source.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism, setPriority } from 'node:os';
import { concurrently } from '../../src/base/flow/each.ts';
import { UsageError } from '../../src/cli/flags/arguments.ts';
import { parseFlags } from '../../src/cli/flags/flag-table.ts';
import { boolean } from '../../src/cli/flags/values.ts';
import { finished } from '../support/run-command.ts';
import { type Fault, FaultError, parseFaults, withFault } from './faults.ts';
import { nearestTests } from './nearest-tests.ts';
import { createTrial, type Trial } from './trial.ts';

const usage = `npm run mutate [-- [--only NAME]... [--tests N] [--jobs N] [--check]]

  --only NAME   tries that fault; may be given several times
  --tests N     test files for each fault, the nearest first; default 16
  --jobs N      faults at a time, each in a copy of its own; default: one a core
  --check       says whether the list fits the source, and tries nothing
`;

interface Options {
  readonly only: readonly string[];
  readonly tests: number;
  readonly jobs: number;
  readonly check: boolean;
}

const root = new URL('../../', import.meta.url).pathname;
const lowest = 10;

function optionsIn(args: readonly string[]): Options {
  const { values } = parseFlags({ only: { isList: true }, tests: {}, jobs: {}, check: boolean }, args);
  const number = (name: 'tests' | 'jobs', otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isInteger(value) && value > 0) return value;
    throw new UsageError(`--${name} must be a whole number above 0`);
  };
  return {
    only: values.only,
    tests: number('tests', 16),
    jobs: number('jobs', availableParallelism()),
    check: values.check === true,
  };
}

/** The faults to try, each of which fits the source. */
async function chosen(only: readonly string[]): Promise<readonly Fault[]> {
  const all = parseFaults(await readFile(new URL('faults.txt', import.meta.url), 'utf8'));
  const unknown = only.find((name) => all.every((fault) => fault.name !== name));
  if (unknown !== undefined) throw new UsageError(`no fault is named ${unknown}`);
  const misfits: string[] = [];
  for (const fault of all) {
    await withFault(root, fault).catch((error: unknown) => {
      if (!(error instanceof FaultError)) throw error;
      misfits.push(error.message);
    });
  }
  if (misfits.length > 0) throw new FaultError(`the list does not fit the source:\n${misfits.join('\n')}`);
  return only.length === 0 ? all : all.filter(({ name }) => only.includes(name));
}

async function main({ only, tests: most, jobs, check }: Options, signal: AbortSignal): Promise<number> {
  const faults = await chosen(only);
  if (check) {
    console.log(`${faults.length} faults fit the source`);
    return 0;
  }
  const listed = await finished('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root });
  const files = listed.stdout.split('\n').filter((file) => file !== '');
  const nearest = await nearestTests(
    root,
    files.filter((file) => /^(src|test)\/.*\.ts$/.test(file)),
  );
  const copies = Math.min(jobs, faults.length);
  const trials = await Promise.all(Array.from({ length: copies }, () => createTrial(root, files, signal)));
  try {
    const testsOf = ({ file, tests }: Fault) => [...new Set([...tests, ...nearest(file)])].slice(0, most);
    return await tried(faults, trials, testsOf);
  } finally {
    await Promise.all(trials.map((trial) => trial.close()));
  }
}

/** The first fact that fails with the fault, of a file that passes without. */
async function factAgainst(
  fault: Fault,
  tests: readonly string[],
  trial: Trial,
  sound: Map<string, Promise<boolean>>,
): Promise<string | undefined> {
  const fact = await trial.run(fault, tests);
  const failed = tests.find((test) => fact?.startsWith(`${test}: `));
  if (failed === undefined) return fact;
  const isSound = sound.get(failed) ?? trial.isSound(failed);
  sound.set(failed, isSound);
  if (await isSound) return fact;
  console.log(`left out, since it fails without any fault: ${failed}`);
  const others = tests.filter((test) => test !== failed);
  return factAgainst(fault, others, trial, sound);
}

async function tried(
  faults: readonly Fault[],
  trials: readonly Trial[],
  testsOf: (fault: Fault) => readonly string[],
): Promise<number> {
  const startedAt = performance.now();
  const sound = new Map<string, Promise<boolean>>();
  const free = [...trials];
  const survivors: Fault[] = [];
  await concurrently(faults, trials.length, async (fault) => {
    const trial = free.pop();
    if (trial === undefined) throw new Error('more faults at a time than copies of the project');
    const tests = testsOf(fault);
    const fact = await factAgainst(fault, tests, trial, sound).finally(() => free.push(trial));
    if (fact === undefined) survivors.push(fault);
    const why = fault.mayLive === undefined ? `${tests.length} test files` : fault.mayLive;
    console.log(fact === undefined ? `survived ${fault.name}: ${why}` : `caught   ${fault.name}: ${fact}`);
  });
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  console.log(`${faults.length - survivors.length} caught, ${survivors.length} survived, in ${minutes} min`);
  return survivors.some(({ mayLive }) => mayLive === undefined) ? 1 : 0;
}

try {
  setPriority(lowest);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  process.exitCode = await main(optionsIn(process.argv.slice(2)), interrupted.signal);
} catch (error) {
  if (!(error instanceof UsageError || error instanceof FaultError)) throw error;
  console.error(error instanceof UsageError ? `${error.message}\n\n${usage}` : error.message);
  process.exitCode = 2;
}
