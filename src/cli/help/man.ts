import type { DescribedCommand } from '../flags/page.ts';
import { environment, intro, listedFlags, paragraphs } from './flag-text.ts';

/** The manual page `quayside(1)`, in the macros of man(7). */
export function manualPage(commands: readonly DescribedCommand[], version: string): string {
  return [
    `.\\" Made of the pages in src/cli/pages by npm run reference`,
    `.TH QUAYSIDE 1 "" "quayside ${version}" "User Commands"`,
    '.ad l',
    '.nh',
    '.SH NAME',
    `quayside \\- ${roff('proxy, pull-through cache and mirror of container images')}`,
    '.SH SYNOPSIS',
    '.B quayside',
    '.I COMMAND',
    '.RI [ OPTION ]...',
    '.SH DESCRIPTION',
    line(intro),
    '.PP',
    line('quayside COMMAND --help prints what stands here about one command.'),
    ...commands.flatMap(({ name, summary }) => ['.TP', `.B ${roff(name)}`, line(summary)]),
    '.SH COMMANDS',
    ...commands.flatMap(commandLines),
    '.SH ENVIRONMENT',
    ...Object.entries(environment).flatMap(([name, text]) => ['.TP', `.B ${roff(name)}`, line(text)]),
    '.SH FILES',
    ...Object.entries(files).flatMap(([name, text]) => ['.TP', `.I ${roff(name)}`, line(text)]),
    '',
  ].join('\n');
}

const files = {
  './.quayside': 'store and spool, where no settings name others',
};

function commandLines({ name, usage, summary, page }: DescribedCommand): readonly string[] {
  let group: string | undefined;
  const options = listedFlags(page.flags).flatMap((flag) => {
    const heading = flag.group === group || flag.group === undefined ? [] : ['.PP', line(flag.group)];
    group = flag.group;
    return [...heading, '.TP', `.B ${roff(flag.term.trim())}`, line(flag.help)];
  });
  const examples = page.examples ?? [];
  return [
    `.SS quayside ${roff(name)}`,
    ...(usage === '' ? [] : [`.RI ${roff(`"${usage.replaceAll('"', '')}"`)}`, '.PP']),
    line(`To ${summary}.`),
    ...text(page.about),
    ...options,
    ...text(page.notes),
    ...(examples.length === 0 ? [] : ['.PP', 'Examples:', ...verbatim(examples.join('\n'))]),
    ...text(page.exits),
  ];
}

/** Paragraphs; one whose lines begin with a blank keeps its form. */
function text(whole: string | undefined): readonly string[] {
  return paragraphs(whole).flatMap((each) => (each.startsWith(' ') ? verbatim(each) : ['.PP', line(each)]));
}

function verbatim(block: string): readonly string[] {
  return ['.PP', '.RS 2', '.nf', ...block.split('\n').map(line), '.fi', '.RE'];
}

/** A line that begins with a dot or an apostrophe would be a request. */
function line(whole: string): string {
  const written = roff(whole);
  return /^[.']/.test(written) ? `\\&${written}` : written;
}

/** What roff and ASCII have no sign for becomes an escape, so that no locale changes it. */
function roff(whole: string): string {
  return whole
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(
      /[^\n -~]/gu,
      (sign) => `\\[u${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
