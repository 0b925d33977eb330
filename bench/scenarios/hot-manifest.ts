import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import type { Measure, Scenario } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { against, inTurn, measured } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

const connections = 16;

/** Requests a second for one manifest that is cached, on one process of each server. */
export const hotManifest: Scenario = {
  name: 'hot-manifest',
  title: 'Hot manifest',
  async run(lab) {
    const { byTag, byDigest } = lab.offer.manifest;
    const lines: readonly Line[] = [
      { what: 'GET by tag', path: byTag, method: 'GET' },
      { what: 'HEAD by tag', path: byTag, method: 'HEAD' },
      { what: 'GET by digest', path: byDigest, method: 'GET' },
      { what: 'HEAD by digest', path: byDigest, method: 'HEAD' },
    ];
    const tables = await withServers(lab, ['quayside', 'nginx static'], async (servers) => {
      for (const server of servers) await warmedBoth(lab, server);
      for (const server of servers) for (const line of lines.slice(0, 1)) await sampleOf(lab, server, line);
      const found: (readonly [Measure, Measure])[] = [];
      for (const line of lines) found.push(await lineOf(lab, servers, line));
      return found;
    });
    const rates = tables.map(([rate]) => rate);
    return {
      measures: [...rates, ...tables.map(([, cost]) => cost)],
      targets: rates.map((rate) => against(rate, 'nginx static', { sense: 'at least', bound: 0.5 })),
      notes: [
        `${connections} connections, keep-alive, a manifest of ${lab.offer.image.root.descriptor.size} bytes; both write an access log. What a registry spends on it is in the scenario tags.`,
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

async function lineOf(
  lab: Lab,
  servers: readonly Server[],
  line: Line,
): Promise<readonly [Measure, Measure]> {
  const rounds = lab.form.rounds(2, 5);
  lab.say(`${line.what}, ${servers.length} servers in turn, ${rounds} ×`);
  const samples = await inTurn(
    rounds,
    servers.map((server) => ({ name: server.name, measure: () => sampleOf(lab, server, line) })),
  );
  return [
    measured(line.what, 'requests/s', samples, ({ perSecond }) => perSecond),
    measured(`${line.what}: processor time each`, 'µs', samples, ({ microseconds }) => microseconds),
  ];
}

async function sampleOf(lab: Lab, { origin, pid }: Server, { path, method }: Line): Promise<Sample> {
  const durationMs = lab.form.isSmall ? 1_000 : 3_000;
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const headers = { accept: acceptManifests };
  const perSecond = await lab.requests.perSecond({ origin, path, method, headers, connections, durationMs });
  const used = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  return { perSecond, microseconds: (used * 1e9) / (perSecond * durationMs) };
}
