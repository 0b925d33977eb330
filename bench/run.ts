import { parseArgs } from 'node:util';
import { type BenchOptions, bench } from './bench.ts';
import { type Narrator, narrator } from './report/narrator.ts';
import type { OwnScenario, Scenario } from './scenario.ts';
import { access } from './scenarios/access.ts';
import { coldBlob } from './scenarios/cold-blob.ts';
import { herd } from './scenarios/herd.ts';
import { hotBlob } from './scenarios/hot-blob.ts';
import { hotManifest } from './scenarios/hot-manifest.ts';
import { mirror } from './scenarios/mirror.ts';
import { mirrorRestart } from './scenarios/mirror-restart.ts';
import { s3Calls } from './scenarios/s3-calls.ts';
import { slowReaders } from './scenarios/slow-readers.ts';
import { streams } from './scenarios/streams.ts';
import { warmImage } from './scenarios/warm-image.ts';

const scenarios: readonly (Scenario | OwnScenario)[] = [
  hotManifest,
  hotBlob,
  warmImage,
  coldBlob,
  herd,
  slowReaders,
  s3Calls,
  access,
  mirror,
  mirrorRestart,
  streams,
];

const usage = `npm run bench [-- [--short] [--dir DIR] [name…]]

Measures Quayside beside docker-registry (proxy mode), nginx (sendfile; proxy_cache with its lock) and skopeo, all of them
started and stopped here, on loopback.

  --short     fewer rounds: some seven minutes instead of twenty
  --dir DIR   keeps up to 6 GB there while it runs; default: memory where there is plenty, else the temporary directory
  name…       any of: ${scenarios.map(({ name }) => name).join(' ')}; default: all of them, and only then
              bench/results/latest.* are written
`;

process.exitCode = await main(process.argv.slice(2), narrator(process.stdout));

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
  if (wanted.isHelp) {
    tell.print(usage);
    return 0;
  }
  const { sections, absent } = await bench(wanted, tell);
  return 'quayside' in absent || sections.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

/** What the command line asks for, or what is wrong with it. */
function wantedOf(args: readonly string[]): (BenchOptions & { readonly isHelp: boolean }) | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { short: { type: 'boolean' }, dir: { type: 'string' }, help: { type: 'boolean' } },
      allowPositionals: true,
    });
    const unknown = positionals.filter((name) => scenarios.every((scenario) => scenario.name !== name));
    if (unknown.length > 0) return `no such scenario: ${unknown.join(', ')}`;
    const isAll = positionals.length === 0;
    return {
      scenarios: isAll ? scenarios : scenarios.filter(({ name }) => positionals.includes(name)),
      isShort: values.short === true,
      directory: values.dir,
      isKept: isAll,
      isHelp: values.help === true,
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
