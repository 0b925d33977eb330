import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { peerNames } from '../../bench/peers/peers.ts';
import { datedReports, published } from '../../bench/report/published.ts';
import type { Report } from '../../bench/report/report.ts';
import { kept } from '../../bench/report/write.ts';
import { against, inTurn, measured } from '../../bench/statistics.ts';
import { markerAt, penOf } from '../../src/load/report/svg.ts';

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-published-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Two servers, measured in turn; the machine becomes slower with each round. */
async function measuredTwice() {
  const figures = { quayside: [1, 4, 9], distribution: [2, 4, 6] } as const;
  const contenders = (['quayside', 'distribution'] as const).map((name) => {
    const values = figures[name].values();
    return { name, measure: async () => values.next().value };
  });
  return measured('10 pulls at once', 's', await inTurn(3, contenders), (sample) => sample);
}

async function reportOf(fields: Partial<Report> = {}): Promise<Report> {
  const measure = await measuredTwice();
  return {
    startedAt: '2026-11-29T20:00:00.000Z',
    form: 'long',
    seconds: 100,
    machine: {
      cores: 2,
      processor: 'Example 1',
      memoryGigabytes: 8,
      system: 'Linux 6.1',
      loadBefore: 0.1,
      files: 'ram',
      node: 'v26.10.0',
      commit: 'abc',
      programs: { nginx: '1.22.1' },
    },
    sections: [
      {
        name: 'warm-image',
        title: 'Warm image',
        seconds: 10,
        startedAt: '2026-11-29T20:00:00.000Z',
        commit: 'abc',
        loadBefore: 0.1,
        measures: [measure],
        targets: [against(measure, 'distribution', { sense: 'at most', bound: 0.8 })],
        notes: ['From the page cache.'],
      },
    ],
    absent: { zot: 'no binary' },
    ...fields,
  };
}

test('a ratio is made round by round, and has the spread of the rounds', async (t) => {
  const { values, ratios } = await measuredTwice();
  t.same(values, { quayside: 4, distribution: 4 });
  t.same(ratios, { distribution: { median: 1, least: 0.5, most: 1.5, runs: 3 } });
});

test('one round has no ratio, and a target of it is not measured', async (t) => {
  const contenders = (['quayside', 'distribution'] as const).map((name) => ({
    name,
    measure: async () => 2,
  }));
  const measure = measured('once', 's', await inTurn(1, contenders), (sample) => sample);
  t.same(measure.ratios, {});
  t.equal(against(measure, 'distribution', { sense: 'at most', bound: 1 }).value, undefined);
});

test('the page is written from the newest result of the long form, with its pictures', async (t) => {
  const [results, docs] = [await folder(t), await folder(t)];
  await kept(await reportOf({ startedAt: '2026-10-01T20:00:00.000Z' }), results);
  await kept(await reportOf(), results);
  await kept(await reportOf({ startedAt: '2026-12-24T20:00:00.000Z', form: 'short' }), results);
  await mkdir(join(docs, 'benchmarks'));
  await writeFile(join(docs, 'benchmarks/gone-time-s.svg'), '<svg/>');
  const files = await published(await datedReports(results), docs);
  t.same(await readdir(join(docs, 'benchmarks')), ['warm-image-time-s.svg']);
  t.same(files, ['BENCHMARKS.md', 'benchmarks/warm-image-time-s.svg']);
  const page = await readFile(join(docs, 'BENCHMARKS.md'), 'utf8');
  t.match(page, '2026-11-29 20:00 UTC');
  t.match(page, '- 2026-12-24, short form, abc, load 0.1: 0 of 1 targets met');
  t.match(page, '- 2026-10-01, long form, abc, load 0.1: 0 of 1 targets met');
  t.match(page, '- Warm image, 10 pulls at once: 1 (0.500–1.50) × distribution');
  t.match(page, '- zot took no part: no binary');
  t.notMatch(page, 'Other work went on here');
  for (const line of page.split('\n').filter((each) => !each.startsWith('|'))) t.ok(line.length <= 100, line);
  const svg = await readFile(join(docs, 'benchmarks/warm-image-time-s.svg'), 'utf8');
  t.notMatch(svg, /NaN|Infinity/);
});

test('each server has a marker of its own, which needs no colour', async (t) => {
  const all = [...peerNames, 'node:http', 'nginx static'];
  const markers = all.map((_, index) => markerAt({ x: 0, y: 0 }, penOf(index)));
  t.equal(new Set(markers).size, all.length);
});

test('a scenario that is measured again takes the place of the one of the same day', async (t) => {
  const results = await folder(t);
  const report = await reportOf();
  const [section] = report.sections;
  if (section === undefined) throw new Error('no section');
  const named = (name: string, seconds: number) => ({ ...report, sections: [{ ...section, name, seconds }] });
  for (const each of [named('a', 1), named('b', 2), named('a', 3)]) await kept(each, results);
  const [day] = await datedReports(results);
  t.same(
    day?.sections.map(({ name, seconds }) => `${name} ${seconds}`),
    ['b 2', 'a 3'],
  );
});

test('a page of a busy machine says what it cannot tell', async (t) => {
  const docs = await folder(t);
  const report = await reportOf();
  await published([{ ...report, machine: { ...report.machine, loadBefore: 30 } }], docs);
  const page = await readFile(join(docs, 'BENCHMARKS.md'), 'utf8');
  t.match(page, /\*\*Other work went on here\*\*: the load before was 30 on 2 cores\./);
});
