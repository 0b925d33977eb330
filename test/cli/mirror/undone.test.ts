import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { mirrorRig } from './mirror-rig.ts';

test('when tags cannot be listed, nothing of an older run is left in the file of what failed', async (t) => {
  const { from, to, run, file } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const failed = await file('failed.txt', `${from.host}/old:v1 ${to.host}/old:v1`);
  const globbed = `${from.host}/team/gone:v* ${to.host}/a`;
  const mappings = await file('m.txt', `${from.host}/team/app:v1 ${to.host}/b:1`, globbed);
  const { code, err } = await run('-f', mappings, '--failed-file', failed);
  t.equal(code, 1);
  t.match(err, `error: the tags of ${from.host}/team/gone:v* cannot be listed: `);
  t.match(err, `info: what was not copied is in ${failed}`);
  const left = await readFile(failed, 'utf8');
  t.match(left, `${from.host}/team/app:v1 ${to.host}/b:1\n${globbed}\n`);
  t.notMatch(left, '/old');
});

test('a dry run whose tags cannot be listed leaves that file alone', async (t) => {
  const { from, to, run, file } = await mirrorRig(t);
  const failed = await file('failed.txt', '# of a real run');
  const { code } = await run('--dry-run', '--failed-file', failed, `${from.host}/gone:*`, `${to.host}/a`);
  t.equal(code, 1);
  t.equal(await readFile(failed, 'utf8'), '# of a real run\n');
});

test('what fails at an OCI layout is told by the path that was written', async (t) => {
  const { from, dir, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const empty = `oci:${join(dir, 'empty')}`;
  const gone = await run(`${empty}:v9`, `${from.host}/team/b`);
  t.match(gone.err, `error: manifest ${empty}:v9: the source has no such image`);
  const blocked = `oci:${join(dir, 'auth.json')}`;
  const refused = await run(`${from.host}/team/app:v1`, blocked);
  t.match(refused.err, `of ${blocked}: `);
});
