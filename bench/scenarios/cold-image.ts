import type { Lab } from '../lab.ts';
import { type PeerName, peerNames } from '../peers/peers.ts';
import type { Measure, Scenario } from '../scenario.ts';
import type { ConditionName } from '../servers/conditions.ts';
import { against, inTurn, type Samples } from '../statistics.ts';
import { coldMeasures, type ImageSample, imageSample } from './image-sample.ts';
import { withFresh } from './started.ts';

/** What a first pull costs over ways to the upstream that each have one trouble. */
export const coldImage: Scenario = {
  name: 'cold-image',
  title: 'Cold image of 44 MB, 1 pull',
  async run(lab) {
    const rounds = lab.form.rounds(2, 5);
    const names: readonly ConditionName[] =
      lab.form.name === 'short'
        ? ['20 ms', '5 % of bodies cut']
        : ['1 ms', '20 ms', '50 MB/s a connection', '5 % of bodies cut'];
    const measures: Measure[] = [];
    for (const name of names) {
      lab.say(`a cold image, upstream with ${name}, ${rounds} ×`);
      const samples = await coldSamples(lab, peerNames, { upstream: name, clients: 1, rounds });
      measures.push(...coldMeasures(name, samples));
    }
    const walls = measures.filter(({ unit }) => unit === 's');
    return {
      measures,
      targets: [
        ...walls
          .filter(({ what }) => what === '20 ms' || what === '50 MB/s a connection')
          .map((wall) => against(wall, 'distribution', { sense: 'at most', bound: 1 })),
        {
          what: '5 % of bodies cut: clients that failed',
          value: measures.find(({ what }) => what.startsWith('5 %') && what.endsWith('failed'))?.values
            .quayside,
          sense: 'at most',
          bound: 0,
          unit: 'errors',
        },
      ],
      notes: [
        'Each server starts empty for each round, and pulls two small images of 25 blobs before. Clients ask once: a real one would ask again after a cut.',
        'Cut: each twentieth blob of the upstream ends after half of its bytes, of an image of 50 layers of 200 kB. The others: one image of 8 layers.',
        'A server that failed a client has no time here: it did less work.',
      ],
    };
  },
};

/** Many nodes pull the same image, which no cache has yet. */
export const herd: Scenario = {
  name: 'herd',
  title: 'Herd on a cold image of 44 MB, upstream 20 ms away',
  async run(lab) {
    const measures: Measure[] = [];
    for (const clients of [20, 200]) {
      const rounds = lab.form.rounds(2, clients === 20 ? 5 : 3);
      // 200 downloads of 44 MB each say nothing that 20 do not.
      const names: readonly PeerName[] = clients === 20 ? peerNames : ['quayside', 'nginx cache', 'zot'];
      lab.say(`${clients} clients on a cold image, ${rounds} ×`);
      const samples = await coldSamples(lab, names, { upstream: '20 ms', clients, rounds });
      measures.push(...coldMeasures(`${clients} clients`, samples));
    }
    const [wall] = measures;
    const atMost = (ending: string, bound: number, unit: 'errors' | '×' | 'ms') =>
      measures
        .filter(({ what }) => what.endsWith(ending))
        .map(({ what, values }) => ({
          what,
          value: values.quayside === undefined ? undefined : Math.round(values.quayside * 100) / 100,
          sense: 'at most' as const,
          bound,
          unit,
        }));
    return {
      measures,
      targets: [
        ...(wall === undefined ? [] : [against(wall, 'distribution', { sense: 'at most', bound: 1 })]),
        ...atMost('upstream bytes ÷ image', 1.01, '×'),
        ...atMost('clients that failed', 0, 'errors'),
      ],
      notes: [
        'A server that failed a client has no time here: it did less work. Upstream bytes are counted on the wire, HTTP heads included.',
        'distribution and docker-registry are left out of the herd of 200: each client costs them a download.',
      ],
    };
  },
};

interface ColdPulls {
  readonly upstream: ConditionName;
  readonly clients: number;
  readonly rounds: number;
  /** Whether the servers keep their files on a disk. Default: false. */
  readonly isOnDisk?: boolean;
}

/** Pulls of an image by each server in turn, which starts empty each time. */
export function coldSamples(
  lab: Lab,
  names: readonly PeerName[],
  { upstream, clients, rounds, isOnDisk = false }: ColdPulls,
): Promise<Samples<ImageSample>> {
  const paths = upstream === '5 % of bodies cut' ? lab.offer.shapes['50 layers, 10 MB'] : lab.offer.ordinary;
  return inTurn<ImageSample>(
    rounds,
    names.map((name) => ({
      name,
      measure: () =>
        withFresh(
          lab,
          name,
          (server) => imageSample(lab, server, { paths: paths ?? [], clients, mayFail: true }),
          { upstream, isOnDisk },
        ),
    })),
  );
}
