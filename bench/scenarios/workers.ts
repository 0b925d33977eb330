import { ratiosOf, type Spread, spreadOf } from '../../src/load/report/spread.ts';
import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import { type RequestLoad, requestLoad } from '../load/requests.ts';
import type { Measure, Scenario, Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { warmed } from './started.ts';

const connections = 16;

/** Each process compiles what it runs often: so many requests are enough for one of them. */
const warmUpRequests = 60_000;
const mostWarmUps = 60;

/**
 * What a request costs when two processes share the socket, against one; and the same of two
 * servers that know nothing of each other, and of a bare loop: what the product cannot change.
 */
export const workers: Scenario = {
  name: 'workers',
  title: 'Two workers on one socket, against one process',
  async run(lab) {
    const contenders = await startedAll(lab);
    const load = requestLoad();
    try {
      const { manifest, sizes, image } = lab.offer;
      const blob = sizes['1 MiB'];
      if (blob === undefined) throw new Error('there is no blob of 1 MiB');
      const lines: readonly Line[] = [
        { what: 'GET of a manifest by tag', path: manifest.byTag, digest: image.root.descriptor.digest },
        { what: 'GET of a blob of 1 MiB', path: blob.path, digest: blob.digest },
      ];
      const found: (readonly [readonly Measure[], Target])[] = [];
      for (const line of lines)
        found.push(await compared({ lab, loads: [lab.requests, load] }, contenders, line));
      return {
        measures: found.flatMap(([measures]) => measures),
        targets: found.map(([, target]) => target),
        notes: [
          `Warm, ${connections} connections, keep-alive, all in turn; processor time is that of all processes, the primary among them.`,
          'Two servers: Quayside twice, each alone with a half of the connections at the same time. It and the bare loop say what the product cannot change: two processes compile the same code, and share the caches of the cores.',
          'Clients share the cores. On two cores a gain in requests a second cannot be shown; the cost can.',
        ],
      };
    } finally {
      load.close();
      await Promise.all(contenders.flatMap(({ servers }) => servers.map((server) => server.stop())));
    }
  },
};

/** Servers that answer at the same time, each a part of the connections. */
interface Contender {
  readonly name: string;
  readonly servers: readonly Server[];
  readonly processes: number;
}

interface Place {
  readonly lab: Lab;
  /** As many as a contender has servers. */
  readonly loads: readonly RequestLoad[];
}

interface Line {
  readonly what: string;
  readonly path: string;
  readonly digest: string;
}

interface Sample {
  readonly perSecond: number;
  /** Processor time of the server for one request, µs. */
  readonly microseconds: number;
}

async function startedAll(lab: Lab): Promise<readonly Contender[]> {
  const quayside = (workers: number) => () => lab.start('quayside', { settings: { workers } });
  const bare = (workers: number) => () => lab.start('node:http', { workers });
  const starts: readonly (readonly [string, number, readonly (() => Promise<Server | undefined>)[]])[] = [
    ['one process', 1, [quayside(1)]],
    ['two workers', 2, [quayside(2)]],
    ['two servers', 2, [quayside(1), quayside(1)]],
    ['a bare loop', 1, [bare(1)]],
    ['two bare loops', 2, [bare(2)]],
  ];
  const contenders: Contender[] = [];
  for (const [name, processes, each] of starts) {
    const servers = (await Promise.all(each.map((start) => start()))).filter((one) => one !== undefined);
    contenders.push({ name, processes, servers });
    if (servers.length < each.length) throw new Error(`${name}: not started`);
  }
  return contenders;
}

async function compared(
  place: Place,
  contenders: readonly Contender[],
  line: Line,
): Promise<readonly [readonly Measure[], Target]> {
  const { lab } = place;
  const rounds = lab.form.rounds(3, 9);
  lab.say(`${line.what}, one and two processes in turn, ${rounds} ×`);
  for (const contender of contenders) {
    for (const server of contender.servers) await warmed(lab, server, line.path, line.digest);
    await compiled(place, contender, line);
  }
  const samples = new Map<string, Sample[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const contender of contenders)
      samples.get(contender.name)?.push(await sampleOf(place, contender, line));
  const costs = (name: string) => samples.get(name)?.map(({ microseconds }) => microseconds) ?? [];
  const rates = (name: string) => samples.get(name)?.map(({ perSecond }) => perSecond) ?? [];
  const ratio = ratiosOf(costs('two workers'), costs('one process'));
  const besides = [
    ['two servers', 'one process'],
    ['two bare loops', 'a bare loop'],
  ] as const;
  return [
    [
      ...contenders.map(({ name }) => measureOf(`${line.what}: processor time, ${name}`, 'µs', costs(name))),
      ...besides.map(([two, one]) =>
        ratioMeasure(`${line.what}: processor time of ${two}, × ${one}`, ratiosOf(costs(two), costs(one))),
      ),
      ...contenders
        .slice(0, 2)
        .map(({ name }) => measureOf(`${line.what}, ${name}`, 'requests/s', rates(name))),
    ],
    {
      what: `${line.what}: processor time of two workers, × one process`,
      value: ratio?.median,
      ...(ratio && { spread: ratio }),
      ...({ sense: 'at most', bound: 1.1, unit: '×' } as const),
    },
  ];
}

function ratioMeasure(what: string, spread: Spread | undefined): Measure {
  if (spread === undefined) return { what, unit: '×', values: {} };
  return { what, unit: '×', values: { quayside: spread.median }, spreads: { quayside: spread } };
}

function measureOf(what: string, unit: Measure['unit'], values: readonly number[]): Measure {
  const spread = spreadOf(values);
  if (spread === undefined) return { what, unit, values: {} };
  return { what, unit, values: { quayside: spread.median }, spreads: { quayside: spread } };
}

/** Each of the processes as long as the one of one process. */
async function compiled(place: Place, contender: Contender, line: Line): Promise<void> {
  const each = line.path.includes('/blobs/') ? warmUpRequests / 10 : warmUpRequests;
  const least = each * contender.processes;
  for (let round = 0, requests = 0; round < mostWarmUps && requests < least; round += 1)
    requests += ((await sampleOf(place, contender, line)).perSecond * durationOf(place.lab)) / 1_000;
}

function durationOf(lab: Lab): number {
  return lab.form.isSmall ? 1_000 : 3_000;
}

async function sampleOf({ lab, loads }: Place, { servers }: Contender, { path }: Line): Promise<Sample> {
  const durationMs = durationOf(lab);
  const before = await processorOf(servers);
  const asked = {
    path,
    method: 'GET',
    headers: { accept: acceptManifests },
    durationMs,
    connections: connections / servers.length,
  } as const;
  const rates = await Promise.all(
    servers.map(({ origin }, index) => loads[index]?.perSecond({ ...asked, origin }) ?? 0),
  );
  const perSecond = rates.reduce((sum, rate) => sum + rate, 0);
  const used = (await processorOf(servers)) - before;
  return { perSecond, microseconds: (used * 1e9) / (perSecond * durationMs) };
}

async function processorOf(servers: readonly Server[]): Promise<number> {
  const each = await Promise.all(servers.map(({ pid }) => processorSeconds(pid)));
  return each.reduce<number>((sum, seconds) => sum + (seconds ?? Number.NaN), 0);
}
