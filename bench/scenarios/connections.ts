import { readFile } from 'node:fs/promises';
import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import type { IdleAnswer, IdleQuestion } from '../load/idle-process.ts';
import type { LatencyAnswer, LatencyQuestion } from '../load/latency-process.ts';
import type { Findings, Measure, Scenario, Target } from '../scenario.ts';
import { peakMegabytes, processorSeconds, resetPeak } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { worker } from '../servers/worker.ts';
import { measured } from '../statistics.ts';
import { warmed, withFresh } from './started.ts';

const idle = 10_000;
const active = 2_000;
/** Each active connection asks once a second. */
const perSecond = active;
/** Files that the server has open besides. */
const otherFiles = 500;

/** What nodes cost that keep a connection, and what those that ask notice of them. */
export const connections: Scenario = {
  name: 'connections',
  title: `${idle} idle connections, and ${active} that ask, on one process`,
  isLong: true,
  async run(lab) {
    const most = await mostFiles();
    if (most < idle + active + otherFiles)
      return {
        measures: [],
        targets: [],
        notes: [`Left out: a process may have ${most} files open here (ulimit -Hn).`],
      };
    const found = await withFresh(lab, 'quayside', (server) => measuredOn(lab, server));
    if (found === undefined) throw new Error('Quayside did not start');
    return found;
  },
};

interface Asked {
  readonly p50: number;
  readonly p99: number;
  readonly microseconds: number;
  readonly failures: number;
}

async function measuredOn(lab: Lab, server: Server): Promise<Findings> {
  const { digest } = lab.offer.image.root.descriptor;
  const { byTag: path } = lab.offer.manifest;
  await warmed(lab, server, path, digest);
  const { origin, pid } = server;
  const headers = { accept: acceptManifests };
  const keeper = worker<IdleQuestion, IdleAnswer>(new URL('../load/idle-process.ts', import.meta.url));
  const asker = worker<LatencyQuestion, LatencyAnswer>(
    new URL('../load/latency-process.ts', import.meta.url),
  );
  const durationMs = lab.form.isSmall ? 2_000 : 10_000;
  const ask = async (): Promise<Asked> => {
    const before = (await processorSeconds(pid)) ?? Number.NaN;
    const asked = { origin, path, headers, connections: active, perSecond, durationMs };
    const { latenciesMs, failures } = await asker.ask(asked);
    const used = ((await processorSeconds(pid)) ?? Number.NaN) - before;
    const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99), microseconds: (used * 1e6) / latenciesMs.length, failures };
  };
  try {
    lab.say(`${active} connections ask, alone`);
    await ask();
    const rounds = lab.form.rounds(2, 5);
    const alone: Asked[] = [];
    for (let round = 0; round < rounds; round += 1) alone.push(await ask());
    await resetPeak(pid);
    const before = (await peakMegabytes(pid)) ?? Number.NaN;
    lab.say(`${idle} idle connections`);
    const kept = await keeper.ask({ origin, path, headers, connections: idle });
    if (kept.open < idle) throw new Error(`${kept.open} connections are open: ${kept.failure}`);
    await resetPeak(pid);
    const more = ((await peakMegabytes(pid)) ?? Number.NaN) - before;
    lab.say(`${active} connections ask, beside ${idle} idle ones`);
    const beside: Asked[] = [];
    for (let round = 0; round < rounds; round += 1) beside.push(await ask());
    return findings({ more, most: (await peakMegabytes(pid)) ?? Number.NaN }, alone, beside);
  } finally {
    keeper.close();
    asker.close();
  }
}

function findings(
  memory: { readonly more: number; readonly most: number },
  alone: readonly Asked[],
  beside: readonly Asked[],
): Findings {
  const figures = (what: string, asked: readonly Asked[]): readonly Measure[] => {
    const samples = new Map([['quayside', asked] as const]);
    return [
      measured(`${what}: p50`, 'ms', samples, ({ p50 }) => p50),
      measured(`${what}: p99`, 'ms', samples, ({ p99 }) => p99),
      measured(`${what}: processor time each`, 'µs', samples, ({ microseconds }) => microseconds),
      measured(`${what}: not answered`, 'errors', samples, ({ failures }) => failures),
    ];
  };
  const crowded = figures('beside the idle ones', beside);
  const figureOf = (ending: string): number | undefined =>
    crowded.find(({ what }) => what.endsWith(ending))?.values.quayside;
  const targets: readonly Target[] = [
    { what: 'memory of the idle ones', value: memory.more, sense: 'at most', bound: 130, unit: 'MB' },
    { what: 'p99 beside them', value: figureOf('p99'), sense: 'at most', bound: 10, unit: 'ms' },
    { what: 'not answered', value: figureOf('answered'), sense: 'at most', bound: 0, unit: 'errors' },
  ];
  return {
    measures: [
      { what: 'memory of the idle ones', unit: 'MB', values: { quayside: memory.more } },
      { what: 'most memory in all', unit: 'MB', values: { quayside: memory.most } },
      ...figures('alone', alone),
      ...crowded,
    ],
    targets,
    notes: [
      `Each idle connection asked once before. Each of the others makes one HEAD by tag a second, from when it was due; the generator shares the cores.`,
    ],
  };
}

/** How many files a process may have open; Node raises its own limit to that. */
async function mostFiles(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return Number(/^Max open files +\S+ +(\d+)/m.exec(limits)?.[1] ?? 0);
}
