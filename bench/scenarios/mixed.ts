import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mergedHistogram } from '../../src/load/report/plots.ts';
import type { LoadMeasure } from '../../src/load/result.ts';
import { parseLoadResult } from '../../src/load/result-file.ts';
import { seeded } from '../../test/chaos/random.ts';
import { finished } from '../../test/support/run-command.ts';
import { isHuge } from '../content.ts';
import type { Lab } from '../lab.ts';
import { peerNames } from '../peers/peers.ts';
import type { Scenario } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { against, inTurn, measured } from '../statistics.ts';
import { withFresh } from './started.ts';

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));
const imagesPerSecond = 3;
const limitMs = 120_000;

/** Many images, some of which many nodes want, at the times of a trace, into an empty cache. */
export const mixed: Scenario = {
  name: 'mixed',
  title: 'Mixed pulls by a trace, into an empty cache, upstream 20 ms away',
  async run(lab) {
    const rounds = lab.form.rounds(2, 5);
    const seconds = lab.form.isSmall ? 5 : 30;
    const directory = join(lab.directory, 'mixed');
    await mkdir(directory);
    const trace = join(directory, 'trace.jsonl');
    await writeFile(trace, traceOf(lab, seconds));
    lab.say(`a trace of ${seconds} s, ${rounds} ×`);
    const samples = await inTurn(
      rounds,
      peerNames.map((name) => ({
        name,
        measure: () =>
          withFresh(lab, name, (server) => sampleOf(lab, server, { trace, directory }), {
            upstream: '20 ms',
          }),
      })),
    );
    const layers = measured('blob, p50', 'ms', samples, (sample) => sample.at('layer', 50));
    return {
      measures: [
        measured('manifest, p50', 'ms', samples, (sample) => sample.at('manifest', 50)),
        measured('manifest, p99', 'ms', samples, (sample) => sample.at('manifest', 99)),
        layers,
        measured('blob, p99', 'ms', samples, (sample) => sample.at('layer', 99)),
        measured('processor time', 's', samples, ({ processor }) => processor),
        measured('upstream bytes ÷ distinct bytes', '×', samples, ({ amplification }) => amplification),
        measured('errors and wrong bytes', 'errors', samples, ({ errors }) => errors),
      ],
      targets: [against(layers, 'distribution', { sense: 'at most', bound: 1 })],
      notes: [
        `\`quayside load --trace\`, an open loop: ${imagesPerSecond} images a second, those of the bench up to 44 MB by popularity (Zipf, s = 1), from 50 nodes. Latencies count from when a request was due; each digest is checked.`,
        ...boundNotes(samples.values()),
      ],
    };
  },
};

interface MixedSample {
  readonly at: (measure: LoadMeasure, percent: number) => number;
  readonly processor: number;
  readonly amplification: number;
  readonly errors: number;
  readonly bottlenecks: readonly string[];
}

async function sampleOf(
  lab: Lab,
  { name, origin, pid }: Server,
  { trace, directory }: { readonly trace: string; readonly directory: string },
): Promise<MixedSample> {
  const output = join(directory, `${name.replaceAll(' ', '-')}.json`);
  await lab.forget();
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const args = [entry, 'load', '--target', origin, '--trace', trace, '--output', output, '--drain', '20s'];
  await finished(process.execPath, args, { timeoutMs: limitMs, mayFail: true });
  const processor = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  const result = parseLoadResult(await readFile(output, 'utf8'));
  const { bytes } = await lab.traffic();
  return {
    at(measure, percent) {
      const all = mergedHistogram(result, measure);
      return all.count === 0 ? Number.NaN : all.atPercentile(percent);
    },
    processor,
    amplification: bytes / Math.max(1, result.bytes.distinct),
    errors: result.errors.reduce((sum, { count }) => sum + count, 0),
    bottlenecks: result.generator.bottlenecks,
  };
}

/** In how many rounds the figures are of the generator and not of the server. */
function boundNotes(all: Iterable<readonly MixedSample[]>): readonly string[] {
  const rounds = [...all].flat();
  const bound = rounds.filter(({ bottlenecks }) => bottlenecks.length > 0);
  const [why] = bound[0]?.bottlenecks ?? [];
  if (why === undefined) return [];
  return [
    `The generator was the bottleneck in ${bound.length} of ${rounds.length} rounds; in the first one ${why}.`,
  ];
}

/** Lines of our own log: images of the bench by rank, at even times, from one of fifty nodes. */
function traceOf(lab: Lab, seconds: number): string {
  const chance = seeded(1);
  const shapes = Object.entries(lab.offer.shapes).filter(([name]) => !isHuge(name));
  const images = [lab.offer.ordinary, ...shapes.map(([, paths]) => paths)];
  const weights = images.map((_, rank) => 1 / (rank + 1));
  const startMs = Date.UTC(2026, 0, 1);
  const lines = Array.from({ length: seconds * imagesPerSecond }, (_, index) => {
    const image = images[ranked(weights, chance.below(1_000_000) / 1_000_000)] ?? [];
    const time = new Date(startMs + (index * 1000) / imagesPerSecond).toISOString();
    const client = `10.0.0.${1 + chance.below(50)}`;
    return image.map((path) =>
      JSON.stringify({
        time,
        component: 'proxy',
        msg: 'request',
        method: 'GET',
        path,
        status: 200,
        client,
        totalMs: 0,
      }),
    );
  });
  return `${lines.flat().join('\n')}\n`;
}

function ranked(weights: readonly number[], share: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = share * total;
  const rank = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return Math.max(0, rank);
}
