import type { Lab } from '../lab.ts';
import type { Pulled } from '../load/pull.ts';
import { type Measure, ratio, type Scenario } from '../scenario.ts';
import type { ServerName } from '../servers/server.ts';
import { inTurn, medians } from '../statistics.ts';
import { withFresh } from './started.ts';

/** A short run leaves the last one out. */
const servers: readonly ServerName[] = ['quayside', 'docker-registry', 'nginx cache'];

/** What a first pull costs over a GET straight from the upstream, on a link of stated speed and without any. */
export const coldBlob: Scenario = {
  name: 'cold-blob',
  title: 'Cold blob of 1 GiB',
  async run(lab) {
    const limited = await timed(lab, 'link', lab.isShort ? 1 : 3);
    const unlimited = await timed(lab, 'loopback', lab.isShort ? 1 : 3);
    const first = limited.firstByte.values;
    return {
      measures: [limited.lastByte, limited.firstByte, unlimited.lastByte, unlimited.firstByte],
      targets: [
        {
          what: 'last byte over 1 Gbit/s: × the upstream itself',
          value: ratio(limited.lastByte.values, 'quayside', 'upstream'),
          sense: 'at most',
          bound: 1.1,
          unit: '×',
        },
        {
          what: 'first byte over 1 Gbit/s: later than the upstream itself',
          value: difference(first.quayside, first.upstream),
          sense: 'at most',
          bound: 10,
          unit: 'ms',
        },
      ],
      notes: [
        'Without a link the upstream, the cache and the client share this machine’s cores: no network is that fast, and no target is set for it.',
      ],
    };
  },
};

interface Times {
  readonly lastByte: Measure;
  readonly firstByte: Measure;
}

async function timed(lab: Lab, way: 'link' | 'loopback', rounds: number): Promise<Times> {
  const name = way === 'link' ? '1 Gbit/s' : 'loopback, no limit';
  lab.say(`${name}, ${rounds} ×`);
  const straight = way === 'link' ? lab.link.origin : lab.upstream;
  const samples = await inTurn<Pulled>(rounds, [
    { name: 'upstream', measure: () => pullBig(lab, straight) },
    ...servers.slice(0, lab.isShort ? 2 : 3).map((server) => ({
      name: server,
      measure: () => withFresh(lab, server, ({ origin }) => pullBig(lab, origin), { upstream: way }),
    })),
  ]);
  const lastByte = medians(samples, ({ totalMs }) => totalMs / 1000);
  const firstByte = medians(samples, ({ firstByteMs }) => firstByteMs);
  return {
    lastByte: { what: `last byte, ${name}`, unit: 's', values: lastByte },
    firstByte: { what: `first byte, ${name}`, unit: 'ms', values: firstByte },
  };
}

async function pullBig(lab: Lab, origin: string): Promise<Pulled> {
  const [pulled] = await lab.pull({ origin, path: lab.offer.big.path, clients: 1 });
  if (pulled?.isWhole === true && pulled.status === 200) return pulled;
  throw new Error(`${origin} did not deliver the blob: ${JSON.stringify(pulled)}`);
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}
