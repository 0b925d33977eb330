import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BenchOptions, bench, results } from './bench.ts';
import type { FormName } from './form.ts';
import { type Narrator, narrator } from './report/narrator.ts';
import { datedReports, published } from './report/published.ts';
import type { OwnScenario, Scenario } from './scenario.ts';
import { access } from './scenarios/access.ts';
import { blobSizes } from './scenarios/blob-sizes.ts';
import { coldImage, herd } from './scenarios/cold-image.ts';
import { connections } from './scenarios/connections.ts';
import { corruptBlob } from './scenarios/corrupt-blob.ts';
import { diskImage, droppedImage } from './scenarios/disk-image.ts';
import { eviction } from './scenarios/eviction.ts';
import { fleet } from './scenarios/fleet.ts';
import { hotManifest } from './scenarios/hot-manifest.ts';
import { imageShapes } from './scenarios/image-shapes.ts';
import { longTags } from './scenarios/long-tags.ts';
import { mirror } from './scenarios/mirror.ts';
import { mirrorRestart } from './scenarios/mirror-restart.ts';
import { mixed } from './scenarios/mixed.ts';
import { prune } from './scenarios/prune.ts';
import { s3Calls } from './scenarios/s3-calls.ts';
import { s3DiskImage, s3DiskTlsImage, s3Image, s3RedirectImage } from './scenarios/s3-image.ts';
import { scale } from './scenarios/scale.ts';
import { slowReaders } from './scenarios/slow-readers.ts';
import { streams } from './scenarios/streams.ts';
import { tags } from './scenarios/tags.ts';
import { tracing } from './scenarios/tracing.ts';
import { javascriptImage, loginImage, tlsImage, warmImage } from './scenarios/warm-image.ts';
import { workers } from './scenarios/workers.ts';

/** Those of the targets first: a short run of all leaves out what it has no time for. */
const scenarios: readonly (Scenario | OwnScenario)[] = [
  warmImage,
  blobSizes,
  coldImage,
  herd,
  corruptBlob,
  tags,
  hotManifest,
  slowReaders,
  workers,
  tracing,
  fleet,
  s3Calls,
  access,
  mirror,
  mirrorRestart,
  streams,
  prune,
  tlsImage,
  loginImage,
  javascriptImage,
  s3Image,
  s3DiskImage,
  s3DiskTlsImage,
  s3RedirectImage,
  droppedImage,
  diskImage,
  mixed,
  imageShapes,
  longTags,
  connections,
  eviction,
  scale,
];

/** Those with peers: what is published. */
const beside: readonly (Scenario | OwnScenario)[] = [
  warmImage,
  coldImage,
  herd,
  mixed,
  imageShapes,
  tlsImage,
  loginImage,
  s3Image,
  s3DiskImage,
  s3DiskTlsImage,
  s3RedirectImage,
  droppedImage,
  diskImage,
  tags,
  longTags,
  blobSizes,
  hotManifest,
  corruptBlob,
];

/**
 * What is not begun by then is left out. CI gives a short run ten minutes; the last scenario may
 * take two of them.
 */
const budgetSeconds: Readonly<Record<FormName, number>> = {
  short: 450,
  peers: 1_800,
  long: Number.POSITIVE_INFINITY,
};

const usage = `npm run bench [-- [--short | --peers] [--keep] [--dir DIR] [name…]]
npm run bench -- --list
npm run bench -- --publish

Measures Quayside beside distribution 3, docker-registry 2.8, nginx (proxy_cache with slices and lock), zot and skopeo, all
of them started and stopped here, on loopback. Their configurations are in bench/peers/.

  --short     fewer rounds: less than ten minutes instead of an hour; scenarios that are not begun by then are left out
  --peers     five rounds of what other caches do too, without names in half an hour, kept as with --keep
  --dir DIR   keeps up to 9 GB there while it runs; default: memory where there is plenty, else the temporary directory
  --keep      keeps the named scenarios in the dated file of the day, beside those that are there
  --list      prints the scenarios
  --publish   writes docs/BENCHMARKS.md and its pictures from the newest dated result in bench/results/
  name…       names of scenarios; default: all of them, and only then bench/results/latest.* and a dated file are written

distribution takes part once \`npm run e2e -- --prepare\` has built it, zot where QUAYSIDE_BENCH_ZOT names its binary.
`;

/**
 * 0: everything was measured, whatever the figures; 1: something broke; 2: the command line is
 * wrong.
 */
async function main(args: readonly string[], tell: Narrator): Promise<number> {
  const wanted = wantedOf(args);
  if (typeof wanted === 'string') {
    tell.print(`${wanted}\n\n${usage}`);
    return 2;
  }
  if (wanted.instead !== undefined) {
    for (const line of await instead[wanted.instead]()) tell.print(line);
    return 0;
  }
  const { sections, absent } = await bench(wanted, tell);
  return 'quayside' in absent || sections.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

/** What is done instead of measuring, and what is told of it. */
const instead = {
  help: async () => [usage],
  list: async () => scenarios.map(({ name, title }) => `${name.padEnd(16)}${title}`),
  publish: async () => {
    const docs = fileURLToPath(new URL('../docs', import.meta.url));
    const files = await published(await datedReports(results), docs);
    return files.map((file) => `docs/${file}`);
  },
} as const;

type Instead = keyof typeof instead;

/** Without names. */
function allOf(form: FormName): readonly (Scenario | OwnScenario)[] {
  if (form === 'peers') return beside;
  return form === 'long' ? scenarios : scenarios.filter(({ isLong = false }) => !isLong);
}

function named(wanted: string): readonly (Scenario | OwnScenario)[] {
  return scenarios.filter(({ name }) => name === wanted);
}

/** What the command line asks for, or what is wrong with it. */
function wantedOf(
  args: readonly string[],
): (BenchOptions & { readonly instead: Instead | undefined }) | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        short: { type: 'boolean' },
        peers: { type: 'boolean' },
        dir: { type: 'string' },
        help: { type: 'boolean' },
        list: { type: 'boolean' },
        keep: { type: 'boolean' },
        publish: { type: 'boolean' },
      },
      allowPositionals: true,
    });
    const unknown = positionals.filter((name) => scenarios.every((scenario) => scenario.name !== name));
    if (unknown.length > 0) return `no such scenario: ${unknown.join(', ')}`;
    if (values.short === true && values.peers === true) return 'takes --short or --peers, not both';
    const form = values.short === true ? 'short' : values.peers === true ? 'peers' : 'long';
    const isAll = positionals.length === 0;
    return {
      scenarios: isAll ? allOf(form) : positionals.flatMap(named),
      form,
      ...(isAll ? { budgetSeconds: budgetSeconds[form] } : {}),
      directory: values.dir,
      isKept: form === 'peers' ? 'dated' : isAll ? 'all' : values.keep === true ? 'dated' : 'no',
      instead: (['help', 'list', 'publish'] as const).find((name) => values[name] === true),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

process.exitCode = await main(process.argv.slice(2), narrator(process.stdout));
