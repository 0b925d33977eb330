import type { DescribedCommand } from '../flags/page.ts';
import { environment, type ListedFlag, listedFlags, paragraphs } from './flag-text.ts';

/** The page of all commands for the documentation, as Markdown. */
export function commandReference(commands: readonly DescribedCommand[]): string {
  return [
    '# Commands',
    'Made by `npm run reference` of the pages in `src/cli/pages`, of which `--help`, the completion of shells and `man quayside` are made too. A test compares this page with them.',
    'Every command that prints a result takes `-o json`. It then prints one JSON document on standard output, and on standard error a JSON document a line, `{level, command, message}`, for each failure (`error`), `warning` and `info`. A mistake in a configuration has `faults` too, each with `file`, `line`, `setting` and `message`.',
    'A switch is written alone, or with `=true` or `=false`. A value follows `=`, or is the next word. Where no other codes are named, a command exits with 0 on success, 1 on failure, and 2 for a mistake in its command line or configuration.',
    table(
      ['command', 'what it does'],
      commands.map(({ name, summary }) => [`[\`${name}\`](#${anchor(name)})`, cell(summary)]),
    ),
    ...commands.flatMap(sections),
    '## Environment',
    table(
      ['variable', 'what it is'],
      Object.entries(environment).map(([name, text]) => [`\`${name}\``, cell(text)]),
    ),
  ]
    .map(wrapped)
    .join('\n\n')
    .concat('\n');
}

function sections({ name, usage, summary, page }: DescribedCommand): readonly string[] {
  const examples = page.examples?.join('\n');
  return [
    `## quayside ${name}`,
    `\`\`\`text\n${`quayside ${name} ${usage}`.trimEnd()}\n\`\`\``,
    `To ${summary}.`,
    ...blocks(page.about),
    ...optionTables(listedFlags(page.flags)),
    ...blocks(page.notes),
    ...(examples === undefined ? [] : [`\`\`\`text\n${examples}\n\`\`\``]),
    ...blocks(page.exits),
  ];
}

function optionTables(flags: readonly ListedFlag[]): readonly string[] {
  const groups = [...new Set(flags.map(({ group }) => group))];
  return groups.flatMap((group) => {
    const rows = flags
      .filter((flag) => flag.group === group)
      .map(({ term, help }) => [`\`${cell(term.trim())}\``, cell(help)]);
    const heading = group === undefined ? [] : [prose(group)];
    return [...heading, table(['option', 'what it does'], rows)];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Paragraphs; one whose lines begin with a blank is a block of code. */
function blocks(text: string | undefined): readonly string[] {
  return paragraphs(text).map((each) => (each.startsWith(' ') ? `\`\`\`text\n${each}\n\`\`\`` : prose(each)));
}

/** Signs that Markdown takes for marks. */
function prose(text: string): string {
  return text.replace(/[*_<>[\]]/g, (sign) => `\\${sign}`);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/(?<!`)[<>](?!`)/g, (sign) => `\\${sign}`);
}

function anchor(name: string): string {
  return `quayside-${name.replaceAll(' ', '-')}`;
}

const widest = 100;

/** Lines of prose end at 100 columns. */
function wrapped(block: string): string {
  if (/^(?:```|\||#)/.test(block)) return block;
  const lines: string[] = [];
  for (const word of block.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= widest)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
