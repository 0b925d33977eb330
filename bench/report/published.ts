import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { markdownTable, figure as plain } from '../../src/load/report/figures.ts';
import type { Spread } from '../../src/load/report/spread.ts';
import { peerNames } from '../peers/peers.ts';
import type { Column, Measure, Unit } from '../scenario.ts';
import { dotPlot } from './dots.ts';
import type { Report, Section } from './report.ts';
import { columnsOf, ratioRows } from './table.ts';
import { isBusy, machineLines, spreadFigure } from './words.ts';

/** Servers in the order of their markers. */
const servers: readonly Column[] = [...peerNames, 'node:http', 'nginx static'];
/** So many of the least flattering ratios are named. */
const worst = 3;
const widest = 100;

/**
 * The dated results of a folder, the newest first, but that one before all which is published: the
 * newest of five rounds, else the newest.
 */
export async function datedReports(folder: string): Promise<readonly Report[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}-\d\d-\d\d.*\.json$/.test(name));
  const reports = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Report),
  );
  const newest = reports.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  const first = newest.find(({ form }) => form !== 'short') ?? newest[0];
  return [...(first === undefined ? [] : [first]), ...newest.filter((report) => report !== first)];
}

/**
 * Writes `BENCHMARKS.md` and its pictures from the first of the reports. Resolves to the files.
 * Throws without any report.
 */
export async function published(reports: readonly Report[], docs: string): Promise<readonly string[]> {
  const [newest, ...older] = reports;
  if (newest === undefined) throw new Error('there is no dated result: run npm run bench first');
  const pictures = newest.sections.flatMap(picturesOf);
  const text = page(newest, older, pictures);
  // Pictures of rows that are no longer measured go with them.
  await rm(join(docs, 'benchmarks'), { recursive: true, force: true });
  await mkdir(join(docs, 'benchmarks'), { recursive: true });
  for (const { file, svg } of pictures) await writeFile(join(docs, 'benchmarks', file), svg);
  await writeFile(join(docs, 'BENCHMARKS.md'), text);
  return ['BENCHMARKS.md', ...pictures.map(({ file }) => `benchmarks/${file}`)];
}

interface Picture {
  readonly scenario: string;
  readonly title: string;
  readonly file: string;
  readonly svg: string;
}

/** A picture for each unit of time that has several servers. */
function picturesOf({ name, title, measures }: Section): readonly Picture[] {
  const drawn = (unit: Unit, isCost: boolean): readonly Measure[] =>
    measures.filter(
      ({ what, unit: has, spreads = {} }) =>
        has === unit &&
        what.includes('processor time') === isCost &&
        servers.filter((server) => spreads[server] !== undefined).length > 1,
    );
  return (['s', 'ms', 'µs'] as const).flatMap((unit) =>
    [false, true].flatMap((isCost): Picture[] => {
      const rows = drawn(unit, isCost);
      if (rows.length === 0) return [];
      const kind = isCost ? 'processor' : 'time';
      const short = rows.map((row) => ({
        ...row,
        what: row.what.replace(/:? ?processor time(?: each)?$/, ''),
      }));
      const told = `${title}: ${isCost ? 'processor time' : 'time'}`;
      const letters = unit === 'µs' ? 'us' : unit;
      const svg = dotPlot(told, short, servers);
      return [{ scenario: name, title: told, file: `${name}-${kind}-${letters}.svg`, svg }];
    }),
  );
}

function page(report: Report, older: readonly Report[], pictures: readonly Picture[]): string {
  const blocks = [
    ['# Benchmarks'],
    paragraph(
      `Quayside beside other caches of images, each with the configuration that stands in \`bench/peers/\`
      with a reason for each setting. \`npm run bench -- --peers\` measures, in half an hour on a quiet
      machine, and \`npm run bench -- --publish\` writes this page from the newest dated result in
      \`bench/results/\`. What was tried to become faster, and what it
      gave, is in [PERFORMANCE.md](PERFORMANCE.md).`,
    ),
    paragraph(
      `All servers are measured in turn, round after round, so that a slow minute of the machine hits all of
      them alike. A figure is the median of the rounds, with the least and the most behind it. A ratio is
      made round by round, from the two figures that were measured one after the other, and is not printed
      without its spread. Clients, servers and upstream share the cores of one machine.`,
    ),
    ['## This run', '', ...machineSection(report)],
    ['## The least flattering', '', ...worstOf(report)],
    ['## Targets', '', ...targetsOf(report)],
    ...report.sections.map((section) => sectionOf(section, pictures)),
    ['## Older results', '', ...olderOf(older)],
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function machineSection(report: Report): readonly string[] {
  const { startedAt, seconds, machine, absent } = report;
  const busy = isBusy(machine)
    ? [
        `**Other work went on here**: the load before was ${machine.loadBefore} on ${machine.cores} cores.
        What this cannot tell: any absolute time, and every ratio whose spread contains 1. Processor times
        are nearer to what a quiet machine has than wall times.`,
      ]
    : [];
  const form = {
    short: 'the **short form**, of two or three rounds, which is what CI runs',
    peers: 'five rounds of each row with peers (`npm run bench -- --peers`)',
    long: 'the long form, of five rounds or more',
  }[report.form];
  return [
    ...paragraph(`${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${Math.round(seconds)} s; ${form}.`),
    ...(busy.length === 0 ? [] : ['', ...busy.flatMap(paragraph)]),
    '',
    ...machineLines(machine).flatMap(([name, value]) => item(`${name}: ${value}`)),
    ...Object.entries(absent).flatMap(([name, why]) => item(`${name} took no part: ${why}`)),
  ];
}

/** Ours ÷ theirs, where more is worse: the greatest of three scenarios. */
function worstOf({ sections }: Report): readonly string[] {
  const all = sections.flatMap(({ title, measures }) =>
    measures.flatMap(({ what, unit, ratios = {} }) =>
      peerNames.flatMap((peer) => {
        const ratio = ratios[peer];
        if (ratio === undefined || unit === '×' || unit === 'requests' || unit === 'requests/s') return [];
        return [{ title, ratio, text: `${title}, ${what}`, peer }];
      }),
    ),
  );
  const sorted = all
    .toSorted((a, b) => b.ratio.median - a.ratio.median)
    .filter((each, index, list) => list.findIndex(({ title }) => title === each.title) === index)
    .slice(0, worst);
  if (sorted.length === 0) return ['No ratio has a spread in this run.'];
  return sorted.flatMap(({ ratio, text, peer }) => item(`${text}: ${ratioText(ratio)} × ${peer}`));
}

function targetsOf({ sections }: Report): readonly string[] {
  const rows = sections.flatMap(({ title, targets }) =>
    targets.map(({ what, value, spread, sense, bound, unit }) => {
      const isMet = value !== undefined && (sense === 'at least' ? value >= bound : value <= bound);
      const limit = bound === 0 ? 'none' : `${sense === 'at least' ? '≥' : '≤'} ${plain(bound)} ${unit}`;
      const word = value === undefined ? 'not measured' : isMet ? 'met' : '**not met**';
      return [title, what, value === undefined ? '–' : spreadFigure(value, unit, spread), limit, word];
    }),
  );
  return markdownTable([['scenario', 'what', 'measured', 'target', ''], ...rows]);
}

function sectionOf(section: Section, pictures: readonly Picture[]): readonly string[] {
  const { name, title, measures, notes, failure, startedAt, commit, loadBefore } = section;
  const columns = columnsOf(measures);
  const rows = measures.map(({ what, unit, values, spreads }) => [
    what,
    ...columns.map((column) => spreadFigure(values[column], unit, spreads?.[column])),
    unit === 'errors' ? '' : unit,
  ]);
  const [head, ...ratios] = ratioRows(measures);
  return [
    `## ${title}`,
    '',
    ...paragraph(
      `\`npm run bench -- ${name}\`, ${startedAt.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}, load before ${loadBefore}.`,
    ),
    '',
    ...(failure === undefined ? [] : [...paragraph(`It failed: ${failure.split('\n', 1)[0] ?? ''}`), '']),
    ...pictures
      .filter(({ scenario }) => scenario === name)
      .flatMap(({ title: told, file }) => [`![${told}](benchmarks/${file})`, '']),
    ...(rows.length === 0 ? [] : [...markdownTable([['', ...columns, 'unit'], ...rows]), '']),
    ...(head === undefined ? [] : [...markdownTable([['Quayside ÷', ...head.slice(1)], ...ratios]), '']),
    ...notes.flatMap(item),
  ];
}

function olderOf(older: readonly Report[]): readonly string[] {
  if (older.length === 0) return ['None yet.'];
  return older.flatMap(({ startedAt, form, machine, sections }) => {
    const targets = sections.flatMap((section) => section.targets).filter(({ value }) => value !== undefined);
    const met = targets.filter(({ value = 0, sense, bound }) =>
      sense === 'at least' ? value >= bound : value <= bound,
    );
    return item(
      `${startedAt.slice(0, 10)}, ${form} form, ${machine.commit}, load ${machine.loadBefore}: ${met.length} of ${targets.length} targets met`,
    );
  });
}

function ratioText({ median, least, most }: Spread): string {
  return `${plain(median)} (${plain(least)}–${plain(most)})`;
}

/** Lines of at most 100 columns. */
function paragraph(text: string): readonly string[] {
  return wrapped(text, '', '');
}

function item(text: string): readonly string[] {
  return wrapped(text, '- ', '  ');
}

function wrapped(text: string, first: string, next: string): readonly string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of text.trim().split(/\s+/)) {
    const isEmpty = line === first || line === next;
    if (!isEmpty && line.length + 1 + word.length > widest) {
      lines.push(line);
      line = `${next}${word}`;
    } else line = isEmpty ? `${line}${word}` : `${line} ${word}`;
  }
  return [...lines, line];
}
