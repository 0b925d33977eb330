import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { finished } from '../support/run-command.ts';
import { type Fault, withFault } from './faults.ts';

/** A copy of the project, in which one fault at a time is tried. */
export interface Trial {
  /**
   * The first fact that fails with the fault, as `file: fact`; undefined when all of `tests` pass.
   */
  run(fault: Fault, tests: readonly string[]): Promise<string | undefined>;
  /** Those of the tests that fail without any fault. */
  failing(tests: readonly string[]): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Test files that run beside each other. */
const batch = 3;
/**
 * The runner stops a file after 80 s; this is for a runner that hangs. Milliseconds for each file.
 */
const fileMs = 100_000;

/** Copies `files` of the project at `root`, which itself stays as it is. */
export async function createTrial(
  root: string,
  files: readonly string[],
  signal: AbortSignal,
): Promise<Trial> {
  const copy = await mkdtemp(join(tmpdir(), 'quayside-mutate-'));
  for (const folder of new Set(files.map(dirname))) await mkdir(join(copy, folder), { recursive: true });
  for (const file of files) await copyFile(join(root, file), join(copy, file));
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));

  async function failures(tests: readonly string[]): Promise<string[]> {
    const options = { cwd: copy, mayFail: true, timeoutMs: tests.length * fileMs, signal };
    const { code, stdout } = await finished(process.execPath, ['test/run.ts', ...tests], options);
    if (code === 0) return [];
    const failed = failuresIn(stdout.split('\n'));
    return failed.length > 0 ? failed : [`${tests.join(' ')}: the tests cannot be run`];
  }

  return {
    async run(fault, tests) {
      const path = join(copy, fault.file);
      const right = await readFile(path);
      await writeFile(path, await withFault(copy, fault));
      try {
        for (let at = 0; at < tests.length; at += batch) {
          const [first] = await failures(tests.slice(at, at + batch));
          if (first !== undefined) return first;
        }
        return undefined;
      } finally {
        await writeFile(path, right);
      }
    },
    async failing(tests) {
      const failed = await failures(tests);
      return tests.filter((test) => failed.some((fact) => fact.startsWith(`${test}: `)));
    },
    close: () => rm(copy, { recursive: true, force: true }),
  };
}

/** One fact for each file that failed, of what `test/run.ts` prints. */
function failuresIn(lines: readonly string[]): string[] {
  const facts: string[] = [];
  let file: string | undefined;
  for (const line of lines) {
    const [, mark, named] = /^([✓✗]) (\S+)/.exec(line) ?? [];
    if (mark !== undefined) file = mark === '✗' ? named : undefined;
    const [, fact] = /^not ok \d+ - (.*?)(?: # .*)?(?: \{)?$/.exec(line) ?? [];
    if (file === undefined || (fact === undefined && !line.startsWith('the process ended'))) continue;
    facts.push(`${file}: ${fact ?? line}`);
    file = undefined;
  }
  return facts;
}
