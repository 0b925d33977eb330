import { peerNames } from '../peers/peers.ts';
import type { Measure, Scenario } from '../scenario.ts';
import { inTurn } from '../statistics.ts';
import { filledWith, imageSample, warmMeasures } from './image-sample.ts';
import { withServers } from './started.ts';

/** The shapes of a short run. */
const shortShapes: ReadonlySet<string> = new Set(['1 layer, 100 kB', '50 layers, 100 kB', '8 layers, 10 MB']);

/** What the number of layers and the size of an image cost. */
export const imageShapes: Scenario = {
  name: 'image-shapes',
  title: 'Warm images of other shapes, 10 pulls at once',
  async run(lab) {
    const rounds = lab.isShort ? 2 : 5;
    const measures = await withServers(
      lab,
      peerNames,
      async (servers) => {
        const found: Measure[] = [];
        for (const [name, paths] of Object.entries(lab.offer.shapes)) {
          if (lab.isShort && !shortShapes.has(name)) continue;
          for (const server of servers) await filledWith(lab, server, paths);
          lab.say(`${name}, ${servers.length} servers in turn, ${rounds} ×`);
          const contenders = servers.map((server) => ({
            name: server.name,
            measure: () => imageSample(lab, server, { paths, clients: 10 }),
          }));
          found.push(...warmMeasures(name, await inTurn(rounds, contenders)).slice(0, 2));
        }
        return found;
      },
      { upstream: 'loopback' },
    );
    return {
      measures,
      targets: [],
      notes: ['Over plain HTTP, from the page cache. The image of 1 GB is pulled in the long form only.'],
    };
  },
};
