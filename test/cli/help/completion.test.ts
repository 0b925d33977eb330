import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { described } from '../../../src/cli/commands/command.ts';
import { commands } from '../../../src/cli/commands/commands.ts';
import { run } from '../../../src/cli/commands/run.ts';
import { bashCompletion } from '../../../src/cli/help/bash.ts';
import { finished } from '../../support/run-command.ts';
import { recordedIo } from '../io.ts';
import { completedLines } from './completed-lines.ts';

async function hasProgram(name: string): Promise<boolean> {
  return finished(name, ['-c', 'true']).then(
    () => true,
    () => false,
  );
}

const lacks = async (name: string): Promise<string | false> =>
  (await hasProgram(name)) ? false : `${name} is not installed`;

/** What bash offers for these words, of which the last one is completed, in a folder with files. */
async function bashRig(t: Test) {
  const folder = t.testdir({ 'settings.yaml': '', 'two words.yaml': '', sub: { 'a.txt': '' } });
  const script = join(folder, 'quayside.bash');
  await writeFile(script, bashCompletion(await Promise.all(commands.map(described))));
  return async (typed: string): Promise<readonly string[]> => {
    // bash takes --output=json as three words.
    const words = typed.replace(/=/g, ' = ').replace(/= $/, '=').split(' ');
    const line = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _quayside; printf "%s\\n" "\${COMPREPLY[@]}"`;
    const args = ['--norc', '-c', line, 'bash', script, 'quayside', ...words];
    const { stdout } = await finished('bash', args, { cwd: folder });
    return stdout.split('\n').filter((found) => found !== '');
  };
}

test('bash completes commands, options, words and files', { skip: await lacks('bash') }, async (t) => {
  const offered = await bashRig(t);
  const found = await Promise.all(completedLines.map(async ([line]) => offered(line)));
  for (const [index, [line, expected]] of completedLines.entries())
    t.same(new Set(found[index]), new Set(expected), line);
});

test('every command is in the script of each shell, and the shell can read it', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const io = recordedIo();
    t.equal(await run(['completion', shell], io), 0);
    for (const { name } of commands) t.ok(io.out().includes(name), `${shell}: ${name}`);
    if (!(await hasProgram(shell))) continue;
    const file = join(t.testdir({ script: io.out() }), 'script');
    t.match(await finished(shell, ['-n', file], { mayFail: true }), { code: 0, stderr: '' });
  }
});

test('another shell is a mistake', async (t) => {
  for (const words of [[], ['tcsh'], ['bash', 'zsh']]) {
    const io = recordedIo();
    t.equal(await run(['completion', ...words], io), 2);
    t.match(io.err(), 'takes one of bash, zsh, fish');
  }
});
