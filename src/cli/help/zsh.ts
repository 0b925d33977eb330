import type { DescribedCommand } from '../flags/page.ts';
import { flagChoices, groupsOf, type ValueKind } from './choices.ts';

/** A script for zsh, as a file `_quayside` in its `fpath`, or sourced. */
export function zshCompletion(commands: readonly DescribedCommand[]): string {
  const names = commands.map(({ name }) => name);
  const summaryOf = new Map(commands.map(({ name, summary }) => [name, summary]));
  const groups = groupsOf(names);
  const first = [...new Set(names.map((name) => name.split(' ')[0] ?? ''))];
  const titles = first.map((name) => `    ${item(name, summaryOf.get(name) ?? `${name} …`)}`);
  const help = item('help', 'print what a command does');
  return `#compdef quayside
# Completion of quayside for zsh. Made by: quayside completion zsh
_quayside() {
  local curcontext=$curcontext state line asked=
  local -a titles
  if [[ $words[2] == help ]] && (( CURRENT > 2 )); then
    asked=1
    shift 1 words; (( CURRENT -= 1 ))
  elif (( CURRENT == 2 )) && [[ $words[2] == -* ]]; then
    _arguments '--help[print help]' '--version[print the version]'
    return
  fi
  if (( CURRENT == 2 )); then
    titles=(
${titles.join('\n')}
    ${help}
    )
    _describe -t commands command titles
    return
  fi
  if (( CURRENT > 3 )) && [[ -z $asked ]]; then
    case "$words[2] $words[3]" in
${commands
  .filter(({ name }) => name.includes(' '))
  .map((command) => argumentsCase(command, 2))
  .join('\n')}
    esac
  fi
  case $words[2] in
${[...groups].map(([group, words]) => groupCase(group, words, summaryOf)).join('\n')}
  esac
  [[ -n $asked ]] && return 1
  case $words[2] in
${commands
  .filter(({ name }) => !name.includes(' '))
  .map((command) => argumentsCase(command, 1))
  .join('\n')}
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _quayside "$@"; else compdef _quayside quayside; fi
`;
}

function groupCase(group: string, words: readonly string[], summaryOf: ReadonlyMap<string, string>): string {
  const titles = words.map((word) => `          ${item(word, summaryOf.get(`${group} ${word}`) ?? '')}`);
  return `    ${group})
      if (( CURRENT == 3 )) && [[ $words[3] != -* ]]; then
        titles=(
${titles.join('\n')}
        )
        _describe -t commands command titles
        return
      fi ;;`;
}

function argumentsCase({ name, page }: DescribedCommand, count: number): string {
  const flags = flagChoices(page.flags).flatMap(({ name: flag, short, ...choice }) => {
    const end = `[${escaped(choice.clause)}]${valueSpec(choice)}`;
    const long = quoted(`*--${flag}${choice.kind === 'none' ? '' : '='}${end}`);
    return short === undefined ? [long] : [long, quoted(`*-${short}${end}`)];
  });
  const rest = page.words === undefined ? "'*:file:_files'" : quoted(`*:word:(${page.words.join(' ')})`);
  return `    ${name.includes(' ') ? quoted(name) : name})
      shift ${count} words; (( CURRENT -= ${count} ))
      _arguments ${[...flags, "'--help[print help]'", rest].join(' \\\n        ')}
      return ;;`;
}

interface Valued {
  readonly kind: ValueKind;
  readonly value: string | undefined;
  readonly words: readonly string[];
}

function valueSpec({ kind, value = '', words }: Valued): string {
  const message = `:${escaped(value)}:`;
  switch (kind) {
    case 'none':
      return '';
    case 'any':
      return `${message} `;
    case 'file':
      return `${message}_files`;
    case 'dir':
      return `${message}_files -/`;
    case 'words':
      return `${message}(${words.join(' ')})`;
  }
}

function item(name: string, text: string): string {
  return quoted(`${name}:${text.replaceAll(':', '\\:')}`);
}

/** What `_arguments` takes for something else. */
function escaped(text: string): string {
  return text.replace(/[\\:[\]]/g, (sign) => `\\${sign}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
