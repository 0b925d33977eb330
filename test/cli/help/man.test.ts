import { test } from 'tap';
import { described } from '../../../src/cli/commands/command.ts';
import { commands } from '../../../src/cli/commands/commands.ts';
import { commandPages } from '../../reference/commands.ts';
import { finished } from '../../support/run-command.ts';

test('groff formats the manual page without a warning', async (t) => {
  const { manual } = await commandPages();
  const args = ['-man', '-ww', '-z', '-Tutf8'];
  const said = await finished('groff', args, { input: manual, mayFail: true }).catch(() => undefined);
  if (said === undefined) return void t.pass('groff is not installed');
  t.match(said, { code: 0, stderr: '' });
});

test('every option that is told says what it does, and no letter stands for two', async (t) => {
  for (const { name, page } of await Promise.all(commands.map(described))) {
    const letters = Object.values(page.flags).flatMap(({ short }) => short ?? []);
    t.equal(new Set(letters).size, letters.length, `${name}: ${letters.join()}`);
    for (const [flag, { help, isSwitch, value }] of Object.entries(page.flags))
      if (help !== undefined) t.ok(isSwitch === true || value !== undefined, `${name} --${flag} has a value`);
  }
});
