import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { test } from 'tap';
import { finished } from '../../support/run-command.ts';
import { mirrorRig } from './mirror-rig.ts';

const program = join(import.meta.dirname, '../../../bin/quayside.js');

/** util-linux's, which runs a command on a terminal of its own. */
const script = await finished('script', ['--version'], { mayFail: true }).catch(() => undefined);
const skip = script?.stdout.includes('util-linux') === true ? false : 'script of util-linux is not installed';

test('on a terminal the progress is drawn, and no line is glued to it', { skip }, async (t) => {
  const { from, to, dir } = await mirrorRig(t);
  const tags = ['v1', 'v2', 'v3', 'v4'];
  for (const tag of tags) from.addImage('team/app', tag, { layers: [100_000] });
  // Answers come late, so that there is something to draw.
  from.switches.delayMs = 100;
  const command = [
    ...[process.execPath, program, 'mirror', '--insecure', '--dir', dir],
    ...['-a', join(dir, 'auth.json'), `${from.host}/team/app:v*`, `${to.host}/copy`],
  ];
  await writeFile(
    join(dir, 'run.sh'),
    `stty cols 200; exec ${command.map((word) => `'${word}'`).join(' ')}\n`,
  );
  const ran = await finished('script', ['-qec', `sh ${join(dir, 'run.sh')}`, '/dev/null'], { mayFail: true });
  t.equal(ran.code, 0, ran.stdout);
  t.match(ran.stdout, /\d\/4 images {2}\d+ %/);
  const lines = stripVTControlCharacters(ran.stdout).split(/[\r\n]+/);
  for (const tag of tags)
    t.equal(
      lines.filter((line) => new RegExp(`^sha256:[0-9a-f]{64} ${to.host}/copy:${tag}$`).test(line)).length,
      1,
      tag,
    );
  t.equal(lines.filter((line) => line.startsWith('info: images: 4 copied')).length, 1);
});
