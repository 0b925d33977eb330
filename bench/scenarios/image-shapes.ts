import { isHuge } from '../content.ts';
import type { Lab } from '../lab.ts';
import { peerNames } from '../peers/peers.ts';
import type { Measure, Scenario } from '../scenario.ts';
import type { Server } from '../servers/server.ts';
import { inTurn } from '../statistics.ts';
import { filledWith, imageSample, warmMeasures } from './image-sample.ts';
import { withServers } from './started.ts';

/** The shapes of a short run. */
const shortShapes: ReadonlySet<string> = new Set(['1 layer, 100 kB', '50 layers, 100 kB', '8 layers, 10 MB']);
const manyClients = 10;

/** What the number of layers and the size of an image cost. */
export const imageShapes: Scenario = {
  name: 'image-shapes',
  title: `Warm images of other shapes, ${manyClients} pulls at once`,
  async run(lab) {
    const shapes = Object.entries(lab.offer.shapes).filter(
      ([name]) => lab.form.name !== 'short' || shortShapes.has(name),
    );
    const options = { upstream: 'loopback' } as const;
    const measures = await withServers(
      lab,
      peerNames,
      async (servers) => {
        const found: Measure[] = [];
        for (const shape of shapes.filter(([name]) => !isHuge(name)))
          found.push(...(await shapeMeasures(lab, servers, shape)));
        return found;
      },
      options,
    );
    // Each with caches of its own: together they would not fit.
    for (const shape of shapes.filter(([name]) => isHuge(name)))
      measures.push(
        ...(await withServers(lab, peerNames, (servers) => shapeMeasures(lab, servers, shape), options)),
      );
    return {
      measures,
      targets: [],
      notes: [
        'Over plain HTTP, from the page cache. Images of 1 GB are pulled by one client at a time, and not in the short form.',
      ],
    };
  },
};

async function shapeMeasures(
  lab: Lab,
  servers: readonly Server[],
  [name, paths]: readonly [name: string, paths: readonly string[]],
): Promise<readonly Measure[]> {
  const rounds = lab.form.rounds(2, 5);
  for (const server of servers) await filledWith(lab, server, paths);
  const clients = isHuge(name) ? 1 : manyClients;
  lab.say(`${name}, ${servers.length} servers in turn, ${rounds} ×`);
  const contenders = servers.map((server) => ({
    name: server.name,
    measure: () => imageSample(lab, server, { paths, clients }),
  }));
  const what = isHuge(name) ? `${name}, 1 pull` : name;
  return warmMeasures(what, await inTurn(rounds, contenders)).slice(0, 2);
}
