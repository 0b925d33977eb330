import { test } from 'tap';
import { commands } from '../../../src/cli/commands/commands.ts';
import { run } from '../../../src/cli/commands/run.ts';
import { recordedIo } from '../io.ts';

async function ran(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = recordedIo();
  return { code: await run(args, io), out: io.out(), err: io.err() };
}

test('version is one line', async (t) => {
  t.match(await ran('version'), { code: 0, out: /^quayside \d+\.\d+\.\d+\n$/, err: '' });
});

test('--version and -V are version', async (t) => {
  t.same(await ran('--version'), await ran('version'));
  t.same(await ran('-V'), await ran('version'));
});

test('version tells programs the revision of the source, and Node', async (t) => {
  const { out } = await ran('version', '-o', 'json');
  t.match(JSON.parse(out), { version: /^\d+\.\d+\.\d+$/, revision: 'unknown', node: process.versions.node });
});

test('a group lists its commands', async (t) => {
  for (const args of [
    ['config', '--help'],
    ['prune', '--help'],
    ['help', 'access'],
    ['mirror', '--help'],
  ]) {
    const { code, out } = await ran(...args);
    const group = args.find((word) => !['--help', 'help'].includes(word)) ?? '';
    t.equal(code, 0);
    for (const { name, summary } of commands.filter((one) => one.name.startsWith(`${group} `)))
      t.match(out, new RegExp(`${name} +${summary}`));
    t.notMatch(out, /^ {2}explain /m);
  }
});

test('nothing asked for is answered with the help, as a mistake', async (t) => {
  t.match(await ran(), { code: 2, out: '', err: /^Usage: quayside COMMAND/ });
});

for (const args of [['--help'], ['-h'], ['help']]) {
  test(`${args.join(' ')} lists every command`, async (t) => {
    const { code, out } = await ran(...args);
    t.equal(code, 0);
    for (const { name, summary } of commands) t.match(out, new RegExp(`${name} +${summary}`));
  });
}

for (const { name, usage, mistakeCode = 2 } of commands) {
  test(`${name} has a help of its own`, async (t) => {
    const { code, out } = await ran(...name.split(' '), '--help');
    t.equal(code, 0);
    t.ok(out.startsWith(`Usage: ${`quayside ${name} ${usage}`.trimEnd()}\n`));
    t.equal((await ran('help', ...name.split(' '))).out, out);
  });

  test(`${name} refuses an option that it does not have`, async (t) => {
    const { code, err } = await ran(...name.split(' '), '--nonsense');
    t.equal(code, mistakeCode);
    t.match(err, `quayside ${name}: unknown option --nonsense`);
    t.match(err, `See quayside ${name} --help`);
  });
}

const mistakes: readonly (readonly [args: string[], says: string])[] = [
  [['sevre'], 'unknown command sevre (did you mean serve?)'],
  [['config', 'chekc', 'f'], 'unknown command config chekc (did you mean config check?)'],
  [['config'], 'unknown command config'],
  [['frobnicate'], 'unknown command frobnicate\n'],
  [['--frobnicate'], 'unknown option --frobnicate'],
  [['serve', '--confg', 'f'], 'unknown option --confg (did you mean --config?)'],
  [['serve', 'f.yaml'], 'takes no argument f.yaml; name a file by --config'],
  [['serve', '--config'], "'--config <FILE>' argument missing"],
  [['config', 'check'], 'needs the name of one file'],
  [['config', 'check', 'a', 'b'], 'needs the name of one file'],
  [['version', 'please'], 'takes no argument please'],
];

for (const [args, says] of mistakes) {
  test(`"quayside ${args.join(' ')}" is a mistake, with a hint`, async (t) => {
    const { code, out, err } = await ran(...args);
    t.equal(code, 2);
    t.equal(out, '');
    t.ok(err.includes(says), err);
    t.match(err, /See quayside .*--help\n$/);
  });
}
