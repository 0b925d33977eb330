import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ranked } from '../../src/fleet/members/ranking.ts';
import type { Spread } from '../../src/load/report/spread.ts';
import { freePort } from '../../test/support/program.ts';
import type { Lab } from '../lab.ts';
import type { PeerBucket } from '../peers/peers.ts';
import type { Measure, Scenario, Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { RelayCounts } from '../servers/relay.ts';
import type { Server } from '../servers/server.ts';
import type { StartOptions } from '../servers/start.ts';
import { type Gateway, versitygw } from '../servers/versitygw.ts';
import { against, inTurn, measured } from '../statistics.ts';

const names = ['quayside', 'distribution', 'zot'] as const;

type Replicated = (typeof names)[number];

const replicas = 3;
const upstream = '20 ms';

/** Replicas on one bucket: what a herd costs, and what a byte costs that comes from a replica. */
export const fleet: Scenario = {
  name: 'fleet',
  title: 'Three replicas on one bucket, a herd through all of them; the hop between two',
  async run(lab) {
    const gateway = await versitygw(lab.programs, lab.directory);
    try {
      const herds = await herdMeasures(lab, gateway);
      const hop = await hopMeasure(lab);
      return {
        measures: [...herds, hop],
        targets: [...herds.flatMap(herdTargets), hopTarget(hop)],
        notes: [
          'Clients are dealt to three replicas in turn, upstream 20 ms away, one S3 server (versitygw) for all; each round begins with an empty bucket. Processor time is that of the three together.',
          'Upstream bytes are counted on the wire with the heads of answers, and compared with those of one client that pulls the image from the upstream by the same way: of an image of 100 kB the heads are 4 %. Requests are those for manifests and blobs; one for each is the least.',
          'distribution has no fleet: each of its replicas fetches and stores for itself, and each client that waits fetches again.',
          'The hop: a client asks a replica for a cold blob of 200 MB that another one owns. Both have it in one pull: the owner downloads, spools and sends it once, as one process alone does; the other receives, spools and sends it. A filesystem each, fresh processes for each round.',
        ],
      };
    } finally {
      await gateway.stop();
    }
  },
};

interface HerdSample {
  readonly seconds: number;
  /** Of all replicas together, seconds. */
  readonly processor: number;
  readonly failures: number;
  /** Bytes on the way to the upstream, for each of those that one client moves over it. */
  readonly amplification: number;
  /** What the upstream was asked for each manifest and blob of the image. */
  readonly requests: number;
}

interface Herd {
  readonly clients: number;
  readonly paths: readonly string[];
}

/** Of images that differ, so that the second herd finds the replicas warm, and its image cold. */
function herdsOf({ offer, form }: Lab, name: Replicated): readonly Herd[] {
  const { shapes, ordinary } = offer;
  const isShort = form.name === 'short';
  const few = { clients: 20, paths: isShort ? (shapes['8 layers, 10 MB'] ?? []) : ordinary };
  const many = { clients: 200, paths: shapes[isShort ? '8 layers, 100 kB' : '50 layers, 10 MB'] ?? [] };
  // Each client costs the others a download: a short run has no time for 200.
  return isShort && name !== 'quayside' ? [few] : [few, many];
}

async function herdMeasures(lab: Lab, gateway: Gateway): Promise<readonly Measure[]> {
  // One round of distribution's herd of 200 takes three and a half minutes.
  const rounds = lab.form.rounds(1, 3);
  lab.say(`herds of 20 and 200 through three replicas, ${rounds} ×`);
  const found = await inTurn<ReadonlyMap<number, HerdSample>>(
    rounds,
    names.map((name) => ({ name, measure: () => herdsThrough(lab, gateway, name) })),
  );
  return [20, 200].flatMap((clients) => {
    const samples = new Map(
      [...found].map(([name, each]) => [name, each.flatMap((round) => round.get(clients) ?? [])] as const),
    );
    const what = `${clients} clients`;
    return [
      measured(what, 's', samples, ({ seconds }) => seconds),
      measured(`${what}: processor time`, 's', samples, ({ processor }) => processor),
      measured(`${what}: upstream bytes ÷ one client's`, '×', samples, ({ amplification }) => amplification),
      measured(`${what}: upstream requests ÷ one client's`, '×', samples, ({ requests }) => requests),
      measured(`${what}: clients that failed`, 'errors', samples, ({ failures }) => failures),
    ];
  });
}

/** Undefined where this machine cannot start one of them. */
async function herdsThrough(
  lab: Lab,
  gateway: Gateway,
  name: Replicated,
): Promise<ReadonlyMap<number, HerdSample> | undefined> {
  const { endpoint } = gateway;
  const s3: PeerBucket = { endpoint, bucket: await gateway.bucket(), redirect: 'never' };
  return withReplicas(lab, name, { s3, upstream }, replicas, async (servers) => {
    const samples = new Map<number, HerdSample>();
    for (const herd of herdsOf(lab, name)) samples.set(herd.clients, await herdSample(lab, servers, herd));
    return samples;
  });
}

async function herdSample(
  lab: Lab,
  servers: readonly Server[],
  { clients, paths }: Herd,
): Promise<HerdSample> {
  await lab.forget();
  const before = await processorOf(servers);
  const origins = servers.map(({ origin }) => origin);
  const [origin = ''] = origins;
  const pulled = await lab.pullImages({ origin, origins, paths, clients, mayFail: true });
  const processor = (await processorOf(servers)) - before;
  const moved = await lab.traffic();
  const least = await straight(lab, paths);
  return {
    seconds: pulled.totalMs / 1000,
    processor,
    failures: pulled.failures,
    amplification: moved.bytes / least.bytes,
    requests: moved.requests / least.requests,
  };
}

/** What crosses the same way for one client that asks the upstream itself. */
async function straight(lab: Lab, paths: readonly string[]): Promise<RelayCounts> {
  await lab.forget();
  await lab.pullImages({ origin: await lab.wayTo(upstream), paths, clients: 1 });
  return lab.traffic();
}

async function processorOf(servers: readonly Server[]): Promise<number> {
  const each = await Promise.all(servers.map(({ pid }) => processorSeconds(pid)));
  return each.reduce<number>((sum, seconds) => sum + (seconds ?? Number.NaN), 0);
}

/** So many that each have pulled two small images, of Quayside as a fleet. */
async function withReplicas<Result>(
  lab: Lab,
  name: Replicated,
  options: StartOptions,
  count: number,
  use: (servers: readonly Server[], members: readonly string[]) => Promise<Result>,
): Promise<Result | undefined> {
  const members = await memberNames(count);
  const servers: Server[] = [];
  try {
    for (const member of members) {
      const settings = name === 'quayside' ? await fleetSettings(lab, member, members) : {};
      const server = await lab.start(name, { ...options, settings });
      if (server === undefined) return undefined;
      servers.push(server);
    }
    const origins = servers.map(({ origin }) => origin);
    const [origin = ''] = origins;
    await lab.pullImages({ origin, origins, paths: lab.offer.warmUpPaths, clients: count });
    return await use(servers, members);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function memberNames(count: number): Promise<readonly string[]> {
  const found = new Set<string>();
  while (found.size < count) found.add(`127.0.0.1:${await freePort()}`);
  return [...found];
}

async function fleetSettings({ directory }: Lab, self: string, addresses: readonly string[]) {
  const keyFile = join(directory, 'fleet-key');
  await writeFile(keyFile, 'the key that all replicas of the bench share', { mode: 0o600 });
  return { fleet: { listen: self, self, keyFile, addresses } };
}

/** Processor time of both ends of one hop, milliseconds for each MB. */
interface HopSample {
  readonly owner: number;
  readonly asker: number;
}

async function hopMeasure(lab: Lab): Promise<Measure> {
  const rounds = lab.form.rounds(2, 7);
  lab.say(`a cold blob of 200 MB by way of another replica, ${rounds} ×`);
  const samples: HopSample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const sample = await hopSample(lab);
    if (sample !== undefined) samples.push(sample);
  }
  const columns = new Map([
    ['quayside' as const, samples.map(({ asker }) => asker)],
    ['upstream' as const, samples.map(({ owner }) => owner)],
  ]);
  const what = 'processor time for 1 MB: from a replica, from the upstream';
  return measured(what, 'ms', columns, (milliseconds) => milliseconds);
}

function hopSample(lab: Lab): Promise<HopSample | undefined> {
  const { path, digest, size } = lab.offer.layer;
  return withReplicas(lab, 'quayside', { upstream: 'loopback' }, 2, async (servers, members) => {
    const [owner, asker] = ranked(members, `origin/bench/layer@${digest}`).map(
      (member) => servers[members.indexOf(member)],
    );
    if (owner === undefined || asker === undefined) throw new Error('there are no two replicas');
    const before = [await processorOf([owner]), await processorOf([asker])] as const;
    const [pulled] = await lab.pull({ origin: asker.origin, path, clients: 1 });
    if (pulled?.isWhole !== true) throw new Error(`the blob was not delivered: ${JSON.stringify(pulled)}`);
    const spent = async (server: Server, since: number): Promise<number> =>
      ((await processorOf([server])) - since) / (size / 1e9);
    return { owner: await spent(owner, before[0]), asker: await spent(asker, before[1]) };
  });
}

function herdTargets(measure: Measure): readonly Target[] {
  const { what, values } = measure;
  const value = values.quayside;
  if (what.includes(': upstream '))
    return [{ what, value, ...({ sense: 'at most', bound: 1.02, unit: '×' } as const) }];
  if (what.endsWith('clients that failed'))
    return [{ what, value, ...({ sense: 'at most', bound: 0, unit: 'errors' } as const) }];
  return what.includes(':') ? [] : [against(measure, 'distribution', { sense: 'at most', bound: 1 })];
}

function hopTarget({ ratios }: Measure): Target {
  const spread: Spread | undefined = ratios?.upstream;
  return {
    what: 'a byte from a replica: processor time, × one from the upstream',
    value: spread?.median,
    ...(spread && { spread }),
    ...({ sense: 'at most', bound: 1.1, unit: '×' } as const),
  };
}
