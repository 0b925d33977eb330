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
  /** Whether the test file passes without any fault. */
  isSound(test: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A file that takes longer waits for what the fault prevents, milliseconds of its own time. */
const fileMs = 30_000;
/** For a runner that hangs, milliseconds for each file: others may have the processor. */
const hangMs = 300_000;

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
    const env = { QUAYSIDE_TEST_FILE_MS: String(fileMs) };
    const options = { cwd: copy, env, mayFail: true, timeoutMs: tests.length * hangMs, signal };
    const args = ['test/run.ts', '--bail', ...tests];
    const { code, stdout } = await finished(process.execPath, args, options);
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
        return (await failures(tests))[0];
      } finally {
        await writeFile(path, right);
      }
    },
    isSound: async (test) => (await failures([test])).length === 0,
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
