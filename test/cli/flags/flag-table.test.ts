import { test } from 'tap';
import { type FlagTable, parseFlags } from '../../../src/cli/flags/flag-table.ts';
import { boolean, count, isJson, output } from '../../../src/cli/flags/values.ts';

const table = {
  config: { value: 'FILE', help: 'the settings' },
  filename: { short: 'f', isList: true, help: 'names' },
  'no-hold': { ...boolean, help: 'set no hold' },
  all: { ...boolean, short: 'A', default: 'true', help: 'every one' },
  days: { default: '5', read: count, help: 'how many' },
  token: {},
  output,
} as const satisfies FlagTable;

test('a value follows =, a letter, or is the next word, also when it begins with a dash', (t) => {
  const { values, words } = parseFlags(table, [
    '--config=a',
    '-fb',
    '-f=c',
    '-f',
    '-1',
    'd',
    '-o=json',
    '--',
    '--e',
  ]);
  t.same([values.config, values.filename, words], ['a', ['b', 'c', '-1'], ['d', '--e']]);
  t.equal(isJson(values), true);
  t.end();
});

test('a switch stands alone, also by its letter or with a name that begins with no, or has a value', (t) => {
  t.match(parseFlags(table, []).values, { 'no-hold': undefined, all: true, days: 5 });
  t.match(parseFlags(table, ['--no-hold', '--all=false']).values, { 'no-hold': true, all: false });
  t.equal(parseFlags(table, ['--all=false', '-A']).values.all, true);
  t.end();
});

test('what cannot be meant is refused by its name, without its value', (t) => {
  const refusals: readonly (readonly [args: readonly string[], message: string])[] = [
    [['--confg', 'x'], 'unknown option --confg (did you mean --config?)'],
    [['--pasword=hunter2'], 'unknown option --pasword'],
    [['--tokn'], 'unknown option --tokn'],
    [['-x'], 'unknown option -x'],
    [['--config'], "option '--config <FILE>' argument missing"],
    [['--config', '--no-hold'], '--config needs FILE, and --no-hold is an option of its own'],
    [['--days', '0'], '--days must be a whole number from 1 on, not 0'],
    [['--no-hold=yes'], '--no-hold must be true or false, not yes'],
    [['-o', 'yaml'], '--output must be text or json, not yaml'],
  ];
  for (const [args, message] of refusals)
    t.throws(() => parseFlags(table, args), { name: 'UsageError', message }, args.join(' '));
  t.end();
});
