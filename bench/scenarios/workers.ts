import { ratiosOf, spreadOf } from '../../src/load/report/spread.ts';
import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import type { Measure, Scenario, Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { warmed } from './started.ts';

/** Of clients that keep one process busy, and two. */
const plenty = 64;
/** So few that a turn of a worker's loop has less to do than one of a process alone. */
const few = 16;

/** Each process compiles what it runs often: so many requests are enough for two of them. */
const warmUpRequests = 60_000;
const mostWarmUps = 60;

/** What a request costs when two processes share the socket, against one. */
export const workers: Scenario = {
  name: 'workers',
  title: 'Two workers on one socket, against one process',
  async run(lab) {
    const servers = await Promise.all([started(lab, 1), started(lab, 2)]);
    const [one, two] = servers;
    try {
      if (one === undefined || two === undefined) throw new Error('Quayside did not start');
      const { manifest, sizes, image } = lab.offer;
      const blob = sizes['1 MiB'];
      if (blob === undefined) throw new Error('there is no blob of 1 MiB');
      const contents: readonly Content[] = [
        { what: 'GET of a manifest by tag', path: manifest.byTag, digest: image.root.descriptor.digest },
        { what: 'GET of a blob of 1 MiB', path: blob.path, digest: blob.digest },
      ];
      const found: (readonly [readonly Measure[], Target])[] = [];
      for (const content of contents)
        for (const connections of lab.form.isSmall ? [plenty] : [few, plenty])
          found.push(await compared(lab, [one, two], { ...content, connections }));
      return {
        measures: found.flatMap(([measures]) => measures),
        targets: found.map(([, target]) => target),
        notes: [
          'Warm, keep-alive, both servers in turn; processor time is that of all processes, the primary among them.',
          'A turn of a loop costs the same for one event and for many: with few connections each of two workers finds less to do in a turn than one process alone.',
          'Clients share the cores. On two cores a gain in requests a second cannot be shown; the cost can.',
        ],
      };
    } finally {
      await Promise.all(servers.map((server) => server?.stop()));
    }
  },
};

interface Content {
  readonly what: string;
  readonly path: string;
  readonly digest: string;
}

interface Line extends Content {
  readonly connections: number;
}

interface Sample {
  readonly perSecond: number;
  /** Processor time of the server for one request, µs. */
  readonly microseconds: number;
}

function started(lab: Lab, count: number): Promise<Server | undefined> {
  return lab.start('quayside', { settings: { workers: count } });
}

async function compared(
  lab: Lab,
  [one, two]: readonly [Server, Server],
  line: Line,
): Promise<readonly [readonly Measure[], Target]> {
  const rounds = lab.form.rounds(3, 9);
  const what = `${line.what}, ${line.connections} connections`;
  lab.say(`${what}, one and two processes in turn, ${rounds} ×`);
  for (const server of [one, two]) {
    await warmed(lab, server, line.path, line.digest);
    await compiled(lab, server, line);
  }
  const [alone, shared]: [Sample[], Sample[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    alone.push(await sampleOf(lab, one, line));
    shared.push(await sampleOf(lab, two, line));
  }
  const cost = ({ microseconds }: Sample): number => microseconds;
  const rate = ({ perSecond }: Sample): number => perSecond;
  const ratio = ratiosOf(shared.map(cost), alone.map(cost));
  return [
    [
      ...[measureOf(`${what}: processor time, one process`, 'µs', alone.map(cost))],
      ...[measureOf(`${what}: processor time, two workers`, 'µs', shared.map(cost))],
      ...[measureOf(`${what}, one process`, 'requests/s', alone.map(rate))],
      ...[measureOf(`${what}, two workers`, 'requests/s', shared.map(rate))],
    ],
    {
      what: `${what}: processor time of two workers, × one process`,
      value: ratio?.median,
      ...(ratio && { spread: ratio }),
      ...({ sense: 'at most', bound: 1.1, unit: '×' } as const),
    },
  ];
}

function measureOf(what: string, unit: Measure['unit'], values: readonly number[]): Measure {
  const spread = spreadOf(values);
  if (spread === undefined) return { what, unit, values: {} };
  return { what, unit, values: { quayside: spread.median }, spreads: { quayside: spread } };
}

async function compiled(lab: Lab, server: Server, line: Line): Promise<void> {
  const least = line.path.includes('/blobs/') ? warmUpRequests / 10 : warmUpRequests;
  for (let round = 0, requests = 0; round < mostWarmUps && requests < least; round += 1)
    requests += ((await sampleOf(lab, server, line)).perSecond * durationOf(lab)) / 1_000;
}

function durationOf(lab: Lab): number {
  return lab.form.isSmall ? 1_000 : 3_000;
}

async function sampleOf(lab: Lab, { origin, pid }: Server, { path, connections }: Line): Promise<Sample> {
  const durationMs = durationOf(lab);
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const headers = { accept: acceptManifests };
  const asked = { origin, path, method: 'GET', headers, connections, durationMs } as const;
  const perSecond = await lab.requests.perSecond(asked);
  const used = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  return { perSecond, microseconds: (used * 1e9) / (perSecond * durationMs) };
}
