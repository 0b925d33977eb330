import type { Lab } from '../lab.ts';
import { type PeerName, peerNames } from '../peers/peers.ts';
import type { Findings, Measure, Scenario } from '../scenario.ts';
import type { S3Answer, S3Question } from '../servers/s3-process.ts';
import type { StartOptions } from '../servers/start.ts';
import { worker } from '../servers/worker.ts';
import { against, inTurn } from '../statistics.ts';
import { filledWith, imageSample, warmMeasures } from './image-sample.ts';
import { loginOf, withServers } from './started.ts';

/** Many clients pull the same image of ordinary size, which is there. */
export const warmImage: Scenario = {
  name: 'warm-image',
  title: 'Warm image of 44 MB: manifest, config and 8 layers',
  async run(lab) {
    const measures = await warmPulls(lab, { clients: [1, 10, 50] });
    const walls = measures.filter(({ unit, what }) => unit === 's' && !what.includes(':'));
    const costs = measures.filter(({ what }) => what.endsWith('processor time'));
    return {
      measures,
      targets: [
        ...walls.map((wall) => against(wall, 'distribution', { sense: 'at most', bound: 1 })),
        ...costs.map((cost) => against(cost, 'distribution', { sense: 'at most', bound: 0.8 })),
      ],
      notes: [
        'From the page cache, over plain HTTP. Each client takes the manifest, then six blobs at a time over connections that it keeps, and checks lengths.',
        'Processor time and memory are the server’s with its workers, for all pulls together.',
      ],
    };
  },
};

/** The same with TLS that the server ends. */
export const tlsImage: Scenario = {
  name: 'tls-image',
  title: 'Warm image of 44 MB over TLS that the server ends',
  run: (lab) =>
    tenClients(
      lab,
      { isTls: true },
      'By HTTP/1.1; each client makes six connections, and so six handshakes. The certificate has a key on P-256.',
    ),
};

/** The same with a login that each request shows. */
export const loginImage: Scenario = {
  name: 'login-image',
  title: 'Warm image of 44 MB with a login',
  run: (lab) =>
    tenClients(
      lab,
      { hasLogin: true },
      'A file of logins by bcrypt of cost 5. Clients of Quayside have a token, as every client of registries has; the others know Basic without a further server, and compare each request anew.',
      'The rights of a cluster are measured by the scenario access: the others have none.',
    ),
};

async function tenClients(lab: Lab, options: StartOptions, ...notes: readonly string[]): Promise<Findings> {
  const measures = await warmPulls(lab, { clients: [10], options });
  const walls = measures.slice(0, 1);
  const targets = walls.map((wall) => against(wall, 'distribution', { sense: 'at most', bound: 1 }));
  return { measures, targets, notes };
}

/** The same with S3 in place of the disk. */
export const s3Image: Scenario = {
  name: 's3-image',
  title: 'Warm image of 44 MB with S3 behind',
  run: (lab) => s3Findings(lab, false, 'All bytes come from S3.'),
};

/** The same with a disk before S3, which the others do not have. */
export const s3DiskImage: Scenario = {
  name: 's3-disk-image',
  title: 'Warm image of 44 MB with S3 behind, and a disk before it for Quayside',
  run: (lab) => s3Findings(lab, true, 'Quayside has its `store.disk`; the others have no such thing.'),
};

async function s3Findings(lab: Lab, hasDisk: boolean, note: string): Promise<Findings> {
  const s3 = worker<S3Question, S3Answer>(new URL('../servers/s3-process.ts', import.meta.url));
  try {
    const { endpoint } = await s3.ask('endpoint');
    const bucket = { endpoint, bucket: 'bench', redirect: 'never', hasDisk } as const;
    const names = ['quayside', 'distribution', 'docker-registry'] as const;
    const measures = await warmPulls(lab, { clients: [1, 10], names, options: { s3: bucket } });
    return {
      measures,
      targets: measures
        .filter(({ unit, what }) => unit === 's' && !what.includes(':'))
        .map((wall) => against(wall, 'distribution', { sense: 'at most', bound: 1 })),
      notes: [
        `${note} An S3 server of our own, in memory and in one process, on the same cores: it is slower than a real one under ten clients. No redirects.`,
      ],
    };
  } finally {
    s3.close();
  }
}

interface WarmPulls {
  readonly clients: readonly number[];
  readonly names?: readonly PeerName[];
  readonly options?: StartOptions;
}

async function warmPulls(
  lab: Lab,
  { clients, names = peerNames, options = {} }: WarmPulls,
): Promise<Measure[]> {
  const rounds = lab.form.rounds(3, 7);
  const paths = lab.offer.ordinary;
  return withServers(
    lab,
    names,
    async (servers) => {
      const logins = new Map<string, Readonly<Record<string, string>>>();
      for (const server of servers) {
        logins.set(server.name, options.hasLogin === true ? await loginOf(lab, server) : {});
        await filledWith(lab, server, paths, logins.get(server.name));
      }
      const measures: Measure[] = [];
      for (const count of clients) {
        const what = count === 1 ? '1 pull' : `${count} pulls at once`;
        lab.say(`${what}, ${servers.length} servers in turn, ${rounds} ×`);
        const contenders = servers.map((server) => ({
          name: server.name,
          measure: () =>
            imageSample(lab, server, { paths, clients: count, headers: logins.get(server.name) ?? {} }),
        }));
        const samples = await inTurn(rounds, contenders);
        measures.push(...warmMeasures(what, samples));
      }
      return measures;
    },
    { upstream: 'loopback', ...options },
  );
}
