import type { Lab } from '../lab.ts';
import type { Pulled } from '../load/pull.ts';
import { type Column, type Measure, ratio, type Scenario, type Values } from '../scenario.ts';
import type { ServerName } from '../servers/server.ts';
import { median } from '../statistics.ts';
import { withFresh } from './started.ts';

/** A short run leaves the last one out. */
const contenders: readonly ServerName[] = ['quayside', 'docker-registry', 'nginx cache'];

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
  const samples = new Map<Column, Pulled[]>();
  const keep = (column: Column, pulled: Pulled | undefined): void => {
    if (pulled !== undefined) samples.set(column, [...(samples.get(column) ?? []), pulled]);
  };
  for (let round = 1; round <= rounds; round += 1) {
    lab.say(`${way === 'link' ? 'over 1 Gbit/s' : 'over the loopback'}, round ${round} of ${rounds}`);
    keep('upstream', await pullBig(lab, way === 'link' ? lab.link.origin : lab.upstream));
    const servers = contenders.slice(0, lab.isShort ? 2 : 3);
    for (const name of servers) keep(name, await coldPull(lab, name, way));
  }
  const name = way === 'link' ? '1 Gbit/s' : 'loopback, no limit';
  return {
    lastByte: {
      what: `last byte, ${name}`,
      unit: 's',
      values: medians(samples, (each) => each.totalMs / 1000),
    },
    firstByte: {
      what: `first byte, ${name}`,
      unit: 'ms',
      values: medians(samples, (each) => each.firstByteMs),
    },
  };
}

/** A server that has just started is first asked for something small: its start is not what is measured. */
function coldPull(lab: Lab, name: ServerName, upstream: 'link' | 'loopback'): Promise<Pulled | undefined> {
  return withFresh(
    lab,
    name,
    async ({ origin }) => {
      for (let times = 0; times < 3; times += 1) {
        await lab.pull({ origin, path: lab.offer.manifest.byDigest, clients: 1 });
      }
      return pullBig(lab, origin);
    },
    { upstream },
  );
}

async function pullBig(lab: Lab, origin: string): Promise<Pulled> {
  const [pulled] = await lab.pull({ origin, path: lab.offer.big.path, clients: 1 });
  if (pulled?.isWhole !== true)
    throw new Error(`${origin} did not deliver the blob: ${JSON.stringify(pulled)}`);
  return pulled;
}

function medians(samples: ReadonlyMap<Column, readonly Pulled[]>, of: (pulled: Pulled) => number): Values {
  return Object.fromEntries([...samples].map(([column, pulled]) => [column, median(pulled.map(of))]));
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}
