import { test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import { jsonComplaints, wantsJson } from '../../../src/cli/flags/json-complaints.ts';
import { recordedIo } from '../io.ts';

test('JSON is wanted by either form of its option', (t) => {
  for (const line of ['-o json', '-ojson', '-o=json', '--output json', '--output=json', 'a --json b'])
    t.equal(wantsJson(line.split(' ')), true, line);
  for (const line of ['', '-o text', '--output report.json', 'json', '--json=false'])
    t.equal(wantsJson(line.split(' ')), false, line);
  t.end();
});

test('each line that a command writes to standard error is a document', (t) => {
  const io = recordedIo();
  const { write } = jsonComplaints(io.stderr, 'status');
  write('error: no\nwarning: perhaps\n');
  write('quayside status: h:1 is silent\n');
  write('note: look\n');
  const command = 'quayside status';
  t.same(
    io
      .err()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      { level: 'error', command, message: 'no' },
      { level: 'warning', command, message: 'perhaps' },
      { level: 'error', command, message: 'h:1 is silent' },
      { level: 'info', command, message: 'look' },
    ],
  );
  t.end();
});

test('mistakes and faults have the same form, whatever the command', async (t) => {
  const failures: readonly (readonly [args: string[], code: number, document: object])[] = [
    [
      ['evict', '-o', 'json', '--nonsense'],
      2,
      { command: 'quayside evict', message: 'unknown option --nonsense', see: 'quayside evict --help' },
    ],
    [
      ['evict', '-o', 'json', '--config', '/nowhere.yaml'],
      2,
      {
        command: 'quayside evict',
        message: '/nowhere.yaml: cannot be read (ENOENT)',
        faults: [{ file: '/nowhere.yaml', setting: '', message: 'cannot be read (ENOENT)' }],
      },
    ],
    [
      ['config', 'chekc', '-o', 'json'],
      2,
      { command: 'quayside', message: 'unknown command config chekc (did you mean config check?)' },
    ],
  ];
  for (const [args, code, document] of failures) {
    const io = recordedIo();
    t.equal(await run(args, io), code);
    t.equal(io.out(), '');
    t.match(JSON.parse(io.err()), { level: 'error', ...document });
  }
});
