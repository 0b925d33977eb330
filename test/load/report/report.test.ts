import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { comparison } from '../../../src/load/report/compare.ts';
import { loadMarkdown } from '../../../src/load/report/markdown.ts';
import { loadPlots } from '../../../src/load/report/plots.ts';
import { readResult, writeReport } from '../../../src/load/report/report.ts';
import { sampleResult } from './sample-result.ts';

async function directoryOf(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-report-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const markdown = (...fields: Parameters<typeof sampleResult>): string =>
  loadMarkdown(sampleResult(...fields), (plot) => `x-${plot}.svg`);

test('a report is a JSON file that is read again, Markdown, and the pictures that it shows', async (t) => {
  const directory = await directoryOf(t);
  const written = await writeReport(sampleResult(), join(directory, 'new', 'run.json'));
  const names = ['run-latency-image.svg', 'run-latency.svg', 'run-over-time.svg', 'run.json', 'run.md'];
  t.same((await readdir(join(directory, 'new'))).sort(), names);
  t.equal(written.length, 5);
  t.same(await readResult(join(directory, 'new', 'run.json')), sampleResult());
  const text = await readFile(join(directory, 'new', 'run.md'), 'utf8');
  const shown = [...text.matchAll(/\]\((\S+)\)/g)].map(([, name]) => name);
  t.same(new Set(shown), new Set(names.slice(0, 3)));
});

test('a file that is no report is named in the error', async (t) => {
  const file = join(await directoryOf(t), 'other.json');
  await writeFile(file, '{"format":"other/2"}');
  await t.rejects(readResult(file), /other\.json is of the format other\/2/);
});

test('a report says what was not kept, what was wrong, and who was the bottleneck', (t) => {
  const { generator } = sampleResult();
  const wrong = { url: 'https://cache.example/v2/a/blobs/x', digest: 'sha256:a4', bytes: 1e6, atMs: 1500 };
  const text = markdown(
    {},
    {
      objections: ['the p99 of whole images is 9 s, above 2 s'],
      wrongContent: [wrong],
      isVerified: false,
      generator: { ...generator, bottlenecks: ['its event loop was busy for 99 % of the time'] },
    },
  );
  t.match(text, '**Did not pass**: the p99 of whole images is 9 s, above 2 s.');
  t.match(
    text,
    '**wrong bytes** after 1.50 s: https://cache.example/v2/a/blobs/x sent 1 MB that are not sha256:a4',
  );
  t.match(text, '**not checked** (`--no-verify`)');
  t.match(text, '**the generator was the bottleneck**: its event loop was busy for 99 % of the time');
  t.end();
});

test('latencies are told by measure and by what the cache had, and no percentile of too few', (t) => {
  const rows = markdown()
    .split('\n')
    .filter((line) => line.startsWith('| whole image'));
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
  t.same(
    cells.map(([, name, count]) => `${name}: ${count}`),
    ['whole image: 1,200', 'whole image, hit: 1,100', 'whole image, miss: 100'],
  );
  t.equal(cells[2]?.[6], '–', 'a hundred answers have no p99.9');
  t.end();
});

test('an error with a bar in it stays within its cell', (t) => {
  t.match(markdown(), '| status 503 | 4 | GET https://cache.example/v2/a\\|b: 503 |');
  t.end();
});

test('a picture tells its lines by dashes and markers, in black', (t) => {
  const [latency] = loadPlots(sampleResult());
  const svg = latency?.svg ?? '';
  const lines = [...svg.matchAll(/<polyline [^>]*stroke="#111111"[^>]*>/g)].map(([line]) => line);
  const pens = lines.map((line) => /stroke-dasharray="([^"]*)"/.exec(line)?.[1] ?? 'solid');
  t.equal(new Set(pens).size, 4);
  const colours = new Set([...svg.matchAll(/#[0-9a-f]{6}/g)].map(([colour]) => colour));
  for (const colour of colours) t.match(colour, /^#(..)\1\1$/, 'is a grey');
  t.end();
});

test('a load without answers and one of hours have pictures, too', (t) => {
  const empty = loadPlots(sampleResult({ seconds: 0 }, { latencies: [] }));
  t.same(
    empty.map(({ name }) => name),
    ['latency', 'over-time'],
  );
  t.match(empty[0]?.svg, 'nothing was answered');
  for (const { svg } of empty) t.notMatch(svg, /NaN|Infinity/);
  const hours = loadPlots(sampleResult({ seconds: 10_000 }));
  t.ok(hours.every(({ svg }) => svg.length < 100_000));
  t.end();
});

test('a knee is a table and a picture', (t) => {
  const step = { achievedPerSecond: 4.9, p50Ms: 100, p99Ms: 300, errors: 0, isGeneratorBound: false };
  const knee = {
    steps: [
      { ...step, ratePerSecond: 5 },
      { ...step, ratePerSecond: 10, achievedPerSecond: 7, p99Ms: 900, isGeneratorBound: true },
    ],
    beyondPerSecond: 10,
    lastGoodPerSecond: 5,
    end: 'the p99 is above 600 ms',
  };
  const text = markdown({}, { knee });
  t.match(text, 'The p99 doubles between 5 and 10 arrivals a second: the p99 is above 600 ms.');
  t.match(text, '| 10 (the generator was the bottleneck) | 7 | 100 ms | 900 ms | 0 |');
  t.match(text, '](x-knee.svg)');
  t.end();
});

test('two sides of several runs are compared by medians, and by ratios of pairs with their spread', (t) => {
  const side = (name: string, slownesses: readonly number[]) => ({
    name,
    results: slownesses.map((slowness) => sampleResult({ slowness })),
  });
  const text = comparison(side('before', [1, 2, 1]), side('after', [0.5, 1.2, 0.5]));
  t.match(
    text,
    /\| manifest, p50, ms \| 3\.30 \(3\.30–6\.60\) \| 1\.65 \(1\.65–3\.96\) \| 0\.500 \(0\.500–0\.600\) × \|/,
  );
  t.match(text, 'Medians of 3 runs a side');
  t.end();
});

test('without several runs on each side there is no ratio', (t) => {
  const one = { name: 'a', results: [sampleResult()] };
  const two = { name: 'b', results: [sampleResult(), sampleResult({}, { isVerified: false })] };
  for (const text of [comparison(one, one), comparison(one, two)]) {
    t.notMatch(text, '×');
    t.match(text, 'there are no ratios');
  }
  t.match(comparison(one, two), 'b: digests were not checked in 1 of them.');
  t.end();
});

test('a comparison says in which settings the sides differ', (t) => {
  const other = sampleResult({}, { settings: { target: 'https://other.example', rate: 40, images: 100 } });
  const text = comparison({ name: 'a', results: [sampleResult()] }, { name: 'b', results: [other] });
  t.match(text, 'The settings differ: rate is 20 and 40.');
  t.end();
});
