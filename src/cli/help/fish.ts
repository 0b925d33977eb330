import type { DescribedCommand } from '../flags/page.ts';
import { flagChoices, groupsOf } from './choices.ts';

/** A script for fish 3, for its folder `completions`. */
export function fishCompletion(commands: readonly DescribedCommand[]): string {
  const names = commands.map(({ name }) => name);
  const summaryOf = new Map(commands.map(({ name, summary }) => [name, summary]));
  const groups = groupsOf(names);
  const first = [...new Set(names.map((name) => name.split(' ')[0] ?? ''))];
  const helped = [...groups.keys()].map((group) => `help ${group}`);
  const pairs = [...names.filter((name) => name.includes(' ')), ...helped].map(quoted);
  return `# Completion of quayside for fish. Made by: quayside completion fish
function __quayside_at
    set -l words (commandline -opc)
    set -e words[1]
    set -l name "$words[1]"
    if contains -- "$words[1] $words[2]" ${pairs.join(' ')}
        set name "$words[1] $words[2]"
    end
    test "$name" = "$argv[1]"
end
function __quayside_first
    test (count (commandline -opc)) -eq $argv[1]
end
complete -c quayside -f
${first
  .map((name) => `complete -c quayside -n '__quayside_first 1' -a ${name}${described(summaryOf.get(name))}`)
  .join('\n')}
complete -c quayside -n '__quayside_first 1' -a help -d 'print what a command does'
complete -c quayside -n '__quayside_first 1' -l version -d 'print the version'
complete -c quayside -n '__quayside_first 2; and __quayside_at help' -a ${quoted(first.join(' '))}
${[...groups]
  .map(
    ([group, words]) =>
      `complete -c quayside -n '__quayside_first 3; and __quayside_at "help ${group}"' -a ${quoted(words.join(' '))}`,
  )
  .join('\n')}
complete -c quayside -l help -s h -d 'print help'
${[...groups]
  .flatMap(([group, words]) =>
    words.map(
      (word) =>
        `complete -c quayside -n '__quayside_first 2; and __quayside_at ${group}' -a ${word}${described(summaryOf.get(`${group} ${word}`))}`,
    ),
  )
  .join('\n')}
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ name, page }: DescribedCommand): readonly string[] {
  const here = `complete -c quayside -n ${quoted(`__quayside_at ${quotedTwice(name)}`)}`;
  const flags = flagChoices(page.flags).map(({ name: flag, short, kind, words, clause }) => {
    const letter = short === undefined ? '' : ` -s ${short}`;
    const value = {
      none: '',
      any: ' -x',
      file: ' -r -F',
      dir: " -x -a '(__fish_complete_directories)'",
      words: ` -x -a ${quoted(words.join(' '))}`,
    }[kind];
    return `${here} -l ${flag}${letter}${value}${described(clause)}`;
  });
  const rest = page.words === undefined ? ' -F' : ` -a ${quoted(page.words.join(' '))}`;
  return [...flags, `${here}${rest}`];
}

function described(text: string | undefined): string {
  return text === undefined || text === '' ? '' : ` -d ${quoted(text)}`;
}

function quotedTwice(name: string): string {
  return name.includes(' ') ? `"${name}"` : name;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
