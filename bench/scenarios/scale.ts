import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { ratiosOf } from '../../src/load/report/spread.ts';
import { acceptManifests } from '../../src/oci/manifest.ts';
import { storeTotalKey } from '../../src/store/keys.ts';
import type { Lab } from '../lab.ts';
import type { ContentAnswer, ContentQuestion } from '../scale/content-process.ts';
import type { Findings, Measure, Scenario, Target } from '../scenario.ts';
import { peakMegabytes, processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { worker } from '../servers/worker.ts';
import { measured } from '../statistics.ts';
import { warmed } from './started.ts';

const connections = 16;
const longestWalkMs = 600_000;
/** Samples that are not counted: a process compiles what it runs often. */
const warmUps = 6;

/** What grows with the content of a store, and should not: the start, memory, hot answers. */
export const scale: Scenario = {
  name: 'scale',
  title: 'A store of a million blobs and 500,000 tags, against an empty one',
  isLong: true,
  async run(lab) {
    const images = lab.form.isSmall ? 10_000 : 500_000;
    const path = join(lab.directory, 'many');
    const maker = worker<ContentQuestion, ContentAnswer>(
      new URL('../scale/content-process.ts', import.meta.url),
    );
    lab.say(`storing ${2 * images} blobs and ${images} tags`);
    const made = await maker.ask({ path, images }, 3_600_000).finally(() => maker.close());
    lab.say(`stored in ${Math.round(made.seconds)} s`);
    const full = await started(lab, path);
    try {
      const walkSeconds = await walked(lab, path, full.server);
      const empty = await started(lab, join(lab.directory, 'none'));
      try {
        const rates = await compared(lab, full.server, empty.server);
        return await findings(made, { full, empty, walkSeconds, rates });
      } finally {
        await empty.server.stop();
      }
    } finally {
      await full.server.stop();
    }
  },
};

interface Started {
  readonly server: Server;
  /** Until it accepts connections, seconds. */
  readonly seconds: number;
}

/** A look at the size is due within half a minute, and not within five, as is the default. */
async function started(lab: Lab, path: string): Promise<Started> {
  const settings = { store: { filesystem: { path } }, eviction: { maxBytes: '1TiB', everyMs: '30s' } };
  const before = performance.now();
  const server = await lab.start('quayside', { settings });
  if (server === undefined) throw new Error('Quayside did not start');
  return { server, seconds: (performance.now() - before) / 1000 };
}

/** Until the walk has counted everything, with what it took of the processor. */
async function walked(lab: Lab, path: string, { pid }: Server): Promise<number> {
  lab.say('waiting for the first walk');
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const file = join(path, storeTotalKey);
  for (const started = performance.now(); performance.now() - started < longestWalkMs; await after(100)) {
    const isThere = await stat(file).then(
      () => true,
      () => false,
    );
    if (isThere) return ((await processorSeconds(pid)) ?? Number.NaN) - before;
  }
  throw new Error('the walk did not end');
}

interface Rate {
  readonly perSecond: number;
  /** Processor time of the server for one request, µs. */
  readonly microseconds: number;
}

interface Compared {
  readonly what: string;
  readonly full: readonly Rate[];
  readonly empty: readonly Rate[];
}

/** Hot content, asked of both in turn. */
async function compared(lab: Lab, full: Server, empty: Server): Promise<readonly Compared[]> {
  const { manifest, sizes, image } = lab.offer;
  const { digest } = image.root.descriptor;
  const blob = sizes['100 kB'];
  if (blob === undefined) throw new Error('there is no blob of 100 kB');
  const rounds = lab.form.rounds(3, 9);
  const found: Compared[] = [];
  for (const [what, path, checked] of [
    ['GET of a manifest by tag', manifest.byTag, digest],
    ['GET of a manifest by digest', manifest.byDigest, digest],
    ['GET of a blob of 100 kB', blob.path, blob.digest],
  ] as const) {
    lab.say(`${what}, both in turn, ${rounds} ×`);
    for (const server of [full, empty]) {
      await warmed(lab, server, path, checked);
      for (let time = 0; time < warmUps; time += 1) await rateOf(lab, server, path);
    }
    const [ofFull, ofEmpty]: [Rate[], Rate[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      ofFull.push(await rateOf(lab, full, path));
      ofEmpty.push(await rateOf(lab, empty, path));
    }
    found.push({ what, full: ofFull, empty: ofEmpty });
  }
  return found;
}

async function rateOf(lab: Lab, { origin, pid }: Server, path: string): Promise<Rate> {
  const durationMs = lab.form.isSmall ? 1_000 : 3_000;
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const headers = { accept: acceptManifests };
  const asked = { origin, path, method: 'GET', headers, connections, durationMs } as const;
  const perSecond = await lab.requests.perSecond(asked);
  const used = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  return { perSecond, microseconds: (used * 1e9) / (perSecond * durationMs) };
}

interface ScaleRun {
  readonly full: Started;
  readonly empty: Started;
  readonly walkSeconds: number;
  readonly rates: readonly Compared[];
}

async function findings(made: ContentAnswer, run: ScaleRun): Promise<Findings> {
  const { full, empty, walkSeconds, rates } = run;
  const content = `${made.blobs.toLocaleString('en-US')} blobs`;
  const of = (what: string, unit: Measure['unit'], value: number | undefined): Measure => ({
    what,
    unit,
    values: value === undefined ? {} : { quayside: value },
  });
  const memory = await peakMegabytes(full.server.pid);
  const costs = rates.map(({ what, full: ofFull, empty: ofEmpty }) => ({
    what,
    ratio: ratiosOf(
      ofFull.map(({ microseconds }) => microseconds),
      ofEmpty.map(({ microseconds }) => microseconds),
    ),
  }));
  const targets: readonly Target[] = [
    { what: 'ready', value: full.seconds, sense: 'at most', bound: 5, unit: 's' },
    { what: 'most memory', value: memory, sense: 'at most', bound: 400, unit: 'MB' },
    ...costs.map(({ what, ratio }) => ({
      what: `${what}: processor time, × an empty store`,
      value: ratio?.median,
      ...(ratio && { spread: ratio }),
      ...({ sense: 'at most', bound: 1.1, unit: '×' } as const),
    })),
  ];
  const rateMeasures = rates.flatMap(({ what, ...both }) =>
    (['full', 'empty'] as const).flatMap((which) => {
      const samples = new Map([['quayside', both[which]] as const]);
      const where = which === 'full' ? content : 'an empty store';
      return [
        measured(`${what}, ${where}`, 'requests/s', samples, ({ perSecond }) => perSecond),
        measured(`${what}, ${where}: processor time each`, 'µs', samples, ({ microseconds }) => microseconds),
      ];
    }),
  );
  return {
    measures: [
      of(`ready, ${content}`, 's', full.seconds),
      of('ready, an empty store', 's', empty.seconds),
      of(`most memory, ${content}`, 'MB', memory),
      of('most memory, an empty store', 'MB', await peakMegabytes(empty.server.pid)),
      of('the first walk: processor time', 's', walkSeconds),
      ...rateMeasures,
    ],
    targets,
    notes: [
      `${content} and ${made.tags.toLocaleString('en-US')} tags of one repository, stored by Quayside's own code within ${Math.round(made.seconds)} s. The walk runs in a thread, once a day, and was brought forward.`,
      'Most memory includes that of the walk. Hot content is pulled once before.',
    ],
  };
}
