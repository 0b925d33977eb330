import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import { type Measure, ratio, type Scenario, type Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { inTurn, medians } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

const connections = 16;

/** Requests a second for one manifest that is cached, on one process of each server. */
export const hotManifest: Scenario = {
  name: 'hot-manifest',
  title: 'Hot manifest',
  async run(lab) {
    const { byTag, byDigest } = lab.offer.manifest;
    const lines: readonly [Line, ...Line[]] = [
      { what: 'GET by tag', path: byTag, method: 'GET' },
      { what: 'HEAD by tag', path: byTag, method: 'HEAD' },
      { what: 'GET by digest', path: byDigest, method: 'GET' },
      { what: 'HEAD by digest', path: byDigest, method: 'HEAD' },
    ];
    const tables = await withServers(
      lab,
      ['quayside', 'docker-registry', 'nginx static'],
      async (servers) => {
        for (const server of servers) await warmedBoth(lab, server);
        for (const server of servers) await sampleOf(lab, server, lines[0]);
        const measured: (readonly Measure[])[] = [];
        for (const line of lines) measured.push(await lineOf(lab, servers, line));
        return measured;
      },
    );
    const rates = tables.flatMap(([rate]) => rate ?? []);
    return {
      measures: [...rates, ...tables.flatMap(([, cost]) => cost ?? [])],
      targets: rates.flatMap(targetsOf),
      notes: [
        `${connections} connections, keep-alive, a manifest of ${lab.offer.image.root.descriptor.size} bytes; every server writes an access log.`,
        'docker-registry asks its upstream on each request by tag; Quayside asks at most once in 30 s; nginx static never.',
        'One unmeasured round goes first.',
      ],
    };
  },
};

interface Line {
  readonly what: string;
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
}

interface Sample {
  readonly perSecond: number;
  /** Processor time of the server for one request, µs. */
  readonly microseconds: number;
}

async function warmedBoth(lab: Lab, server: Server): Promise<void> {
  const { digest } = lab.offer.image.root.descriptor;
  await warmed(lab, server, lab.offer.manifest.byDigest, digest);
  await warmed(lab, server, lab.offer.manifest.byTag, digest);
}

async function lineOf(lab: Lab, servers: readonly Server[], line: Line): Promise<readonly Measure[]> {
  const rounds = lab.isShort ? 1 : 3;
  lab.say(`${line.what}, ${servers.length} servers in turn, ${rounds} ×`);
  const samples = await inTurn(
    rounds,
    servers.map((server) => ({ name: server.name, measure: () => sampleOf(lab, server, line) })),
  );
  const cost = medians(samples, ({ microseconds }) => microseconds);
  return [
    { what: line.what, unit: 'requests/s', values: medians(samples, ({ perSecond }) => perSecond) },
    { what: `${line.what}: processor time each`, unit: 'µs', values: cost },
  ];
}

async function sampleOf(lab: Lab, { origin, pid }: Server, { path, method }: Line): Promise<Sample> {
  const durationMs = lab.isShort ? 2_000 : 3_000;
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const headers = { accept: acceptManifests };
  const perSecond = await lab.requests.perSecond({ origin, path, method, headers, connections, durationMs });
  const used = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  return { perSecond, microseconds: (used * 1e9) / (perSecond * durationMs) };
}

function targetsOf({ what, values }: Measure): readonly Target[] {
  const byNginx: Target = {
    what: `${what}: × nginx static`,
    value: ratio(values, 'quayside', 'nginx static'),
    sense: 'at least',
    bound: 0.5,
    unit: '×',
  };
  if (!what.endsWith('tag')) return [byNginx];
  const value = ratio(values, 'quayside', 'docker-registry');
  return [{ what: `${what}: × docker-registry`, value, sense: 'at least', bound: 20, unit: '×' }, byNginx];
}
