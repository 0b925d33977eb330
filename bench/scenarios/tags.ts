import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Lab } from '../lab.ts';
import type { LatencyAnswer, LatencyQuestion } from '../load/latency-process.ts';
import { peerNames } from '../peers/peers.ts';
import type { Scenario } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { type Worker, worker } from '../servers/worker.ts';
import { against, inTurn, measured } from '../statistics.ts';
import { warmed, withServers } from './started.ts';

/** Pulls begin so: 500 nodes that start 10 pods each within a minute make 80 a second. */
const perSecond = 80;
const connections = 20;

/** Manifests by tag, which each server asks its upstream about by its own rule. */
export const tags: Scenario = {
  name: 'tags',
  title: `HEAD by tag, ${perSecond} a second, upstream 20 ms away`,
  async run(lab) {
    const rounds = lab.form.rounds(2, 5);
    const clients = worker<LatencyQuestion, LatencyAnswer>(
      new URL('../load/latency-process.ts', import.meta.url),
    );
    try {
      const samples = await withServers(
        lab,
        peerNames,
        async (servers) => {
          for (const server of servers) await warmed(lab, server, lab.offer.manifest.byDigest);
          lab.say(`HEAD by tag, ${servers.length} servers in turn, ${rounds} ×`);
          const contenders = servers.map((server) => ({
            name: server.name,
            measure: () => sampleOf(lab, server, clients),
          }));
          return inTurn(rounds, contenders);
        },
        { upstream: '20 ms' },
      );
      const failed = measured(
        'not answered within 1 s of the end',
        'errors',
        samples,
        ({ failures }) => failures,
      );
      const p99 = measured('p99', 'ms', samples, (sample) => sample.p99Ms);
      return {
        measures: [
          measured('p50', 'ms', samples, ({ p50Ms }) => p50Ms),
          p99,
          measured('processor time each', 'µs', samples, ({ microseconds }) => microseconds),
          measured('upstream requests for each of them', 'requests', samples, ({ asked }) => asked),
          failed,
        ],
        targets: [against(p99, 'distribution', { sense: 'at most', bound: 1 })],
        notes: [
          'From when the request was due. distribution and docker-registry ask the upstream each time, Quayside and nginx after 30 s, zot each time unless it is told otherwise; all of them have one tag here.',
        ],
      };
    } finally {
      clients.close();
    }
  },
};

interface TagSample {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly microseconds: number;
  readonly asked: number;
  readonly failures: number;
}

async function sampleOf(
  lab: Lab,
  { origin, pid }: Server,
  clients: Worker<LatencyQuestion, LatencyAnswer>,
): Promise<TagSample> {
  const durationMs = lab.form.isSmall ? 2000 : 5000;
  const headers = { host: new URL(origin).host, accept: acceptManifests };
  const path = lab.offer.manifest.byTag;
  await lab.forget();
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const answer = await clients.ask({ origin, path, headers, connections, perSecond, durationMs });
  const used = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  const { latenciesMs, failures } = answer;
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  const { requests } = await lab.traffic();
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    microseconds: (used * 1e6) / latenciesMs.length,
    asked: requests / latenciesMs.length,
    failures,
  };
}
