import type { Lab } from '../lab.ts';
import type { Pull, Pulled } from '../load/pull.ts';
import { type Measure, ratio, type Scenario } from '../scenario.ts';
import type { ServerName } from '../servers/server.ts';
import { inTurn, medians, type Samples } from '../statistics.ts';
import { withFresh } from './started.ts';

/** A short run leaves the last one out. */
const servers: readonly ServerName[] = ['quayside', 'docker-registry', 'nginx cache'];

/**
 * What a first pull costs over a GET straight from the upstream, on a link of stated speed and
 * without any.
 */
export const coldBlob: Scenario = {
  name: 'cold-blob',
  title: 'Cold blob of 1 GiB',
  async run(lab) {
    for (const path of lab.offer.warmUpPaths) await lab.pull({ origin: lab.link.origin, path, clients: 1 });
    const rounds = lab.isShort ? 1 : 3;
    const limited = await lastByte(lab, 'link', rounds);
    const unlimited = await lastByte(lab, 'loopback', rounds);
    const first = await firstByte(lab, lab.isShort ? 5 : 9);
    return {
      measures: [limited, first, unlimited],
      targets: [
        {
          what: 'last byte over 1 Gbit/s: × the upstream itself',
          value: ratio(limited.values, 'quayside', 'upstream'),
          sense: 'at most',
          bound: 1.1,
          unit: '×',
        },
        {
          what: 'first byte over 1 Gbit/s: later than the upstream itself',
          value: difference(first.values.quayside, first.values.upstream),
          sense: 'at most',
          bound: 10,
          unit: 'ms',
        },
      ],
      notes: [
        'Each server starts empty, and pulls two small images of 25 blobs before.',
        'Without a link the upstream, the cache and the client share this machine’s cores: no network is that fast, and no target is set for it.',
      ],
    };
  },
};

async function lastByte(lab: Lab, way: 'link' | 'loopback', rounds: number): Promise<Measure> {
  const name = way === 'link' ? '1 Gbit/s' : 'loopback, no limit';
  const samples = await pulledInTurn(lab, way, rounds, {});
  return {
    what: `last byte, ${name}`,
    unit: 's',
    values: medians(samples, ({ totalMs }) => totalMs / 1000),
  };
}

/** Of clients that leave soon after it: many samples take no longer than one whole blob. */
async function firstByte(lab: Lab, rounds: number): Promise<Measure> {
  const samples = await pulledInTurn(lab, 'link', rounds, { leaveAfterMs: 500 });
  return {
    what: 'first byte, 1 Gbit/s',
    unit: 'ms',
    values: medians(samples, ({ firstByteMs }) => firstByteMs),
  };
}

function pulledInTurn(
  lab: Lab,
  way: 'link' | 'loopback',
  rounds: number,
  how: Pick<Pull, 'leaveAfterMs'>,
): Promise<Samples<Pulled>> {
  lab.say(`${way === 'link' ? '1 Gbit/s' : 'loopback, no limit'}, ${rounds} ×`);
  const straight = way === 'link' ? lab.link.origin : lab.upstream;
  return inTurn<Pulled>(rounds, [
    { name: 'upstream', measure: () => pullBig(lab, straight, how) },
    ...servers.slice(0, lab.isShort ? 2 : 3).map((server) => ({
      name: server,
      measure: () => withFresh(lab, server, ({ origin }) => pullBig(lab, origin, how), { upstream: way }),
    })),
  ]);
}

async function pullBig(lab: Lab, origin: string, how: Pick<Pull, 'leaveAfterMs'>): Promise<Pulled> {
  const [pulled] = await lab.pull({ origin, path: lab.offer.big.path, clients: 1, ...how });
  const isEnough = how.leaveAfterMs === undefined ? pulled?.isWhole === true : (pulled?.bytes ?? 0) > 0;
  if (pulled !== undefined && isEnough && pulled.status === 200) return pulled;
  throw new Error(`${origin} did not deliver the blob: ${JSON.stringify(pulled)}`);
}

function difference(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}
