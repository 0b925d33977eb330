import type { DescribedCommand } from '../flags/page.ts';
import { flagChoices, groupsOf, type ValueKind } from './choices.ts';

/**
 * A script for bash 3.2 and newer that needs no package bash-completion. It starts nothing: all
 * commands and options are in it.
 */
export function bashCompletion(commands: readonly DescribedCommand[]): string {
  const names = commands.map(({ name }) => name);
  const pairs = names.filter((name) => name.includes(' '));
  const singles = names.filter((name) => !name.includes(' '));
  const groups = groupsOf(names);
  const first = [...new Set(names.map((name) => name.split(' ')[0]))];
  return `# Completion of quayside for bash. Made by: quayside completion bash
_quayside() {
  local current=\${COMP_WORDS[COMP_CWORD]} flag=\${COMP_WORDS[COMP_CWORD-1]} command= flags= want= words=
  local IFS=$' \\t\\n'
  COMPREPLY=()
  # bash takes --output=json as three words.
  if [[ $current == = ]]; then current=; elif [[ $flag == = ]]; then flag=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=( $(compgen -W '${first.join(' ')} help --help --version' -- "$current") )
    return
  fi
  if [[ \${COMP_WORDS[1]} == help ]]; then
    case "$COMP_CWORD \${COMP_WORDS[2]}" in
      "2 "*) words='${first.join(' ')}' ;;
${[...groups].map(([group, words]) => `      '3 ${group}') words='${words.join(' ')}' ;;`).join('\n')}
    esac
    COMPREPLY=( $(compgen -W "$words" -- "$current") )
    return
  fi
  case \${COMP_WORDS[1]} in
${singles.map((name) => `    ${name}) command='${name}' ;;`).join('\n')}
  esac
  if (( COMP_CWORD > 2 )); then
    case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${pairs.map((name) => `      '${name}') command='${name}' ;;`).join('\n')}
    esac
  else
    case \${COMP_WORDS[1]} in
${[...groups].map(([group, words]) => `      ${group}) words='${words.join(' ')}' ;;`).join('\n')}
    esac
  fi
  case $command in
${commands.map(commandCase).join('\n')}
  esac
  case $want in
    any) ;;
    file|dir)
      IFS=$'\\n'
      compopt -o filenames 2>/dev/null
      if [[ $want == dir ]]; then COMPREPLY=( $(compgen -d -- "$current") )
      else COMPREPLY=( $(compgen -f -- "$current") ); fi ;;
    ?*) COMPREPLY=( $(compgen -W "$want" -- "$current") ) ;;
    *)
      if [[ $current == -* ]]; then COMPREPLY=( $(compgen -W "$flags" -- "$current") )
      elif [[ -n $words ]]; then COMPREPLY=( $(compgen -W "$words" -- "$current") )
      else
        IFS=$'\\n'
        compopt -o filenames 2>/dev/null
        COMPREPLY=( $(compgen -f -- "$current") )
      fi ;;
  esac
}
complete -F _quayside quayside
`;
}

const wants: Readonly<Record<Exclude<ValueKind, 'words' | 'none'>, string>> = {
  file: 'file',
  dir: 'dir',
  any: 'any',
};

function commandCase({ name, page }: DescribedCommand): string {
  const choices = flagChoices(page.flags);
  const written = choices.flatMap(({ forms }) => forms);
  const cases = choices.flatMap(({ forms, kind, words }) =>
    kind === 'none'
      ? []
      : [`        ${forms.join('|')}) want='${kind === 'words' ? words.join(' ') : wants[kind]}' ;;`],
  );
  const own = page.words === undefined ? '' : `\n      words='${page.words.join(' ')}'`;
  const values = cases.length === 0 ? '' : `\n      case $flag in\n${cases.join('\n')}\n      esac`;
  return `    '${name}')\n      flags='${[...written, '--help'].join(' ')}'${own}${values} ;;`;
}
