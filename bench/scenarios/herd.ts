import type { Lab } from '../lab.ts';
import { type Measure, ratio, type Scenario } from '../scenario.ts';
import type { ServerName } from '../servers/server.ts';
import { inTurn, medians } from '../statistics.ts';
import { withFresh } from './started.ts';

/** Many clients ask for the same blob, which no cache has yet. */
export const herd: Scenario = {
  name: 'herd',
  title: 'Herd on a cold blob of 200 MB, over 1 Gbit/s',
  async run(lab) {
    const twenty = await herdOf(
      lab,
      20,
      lab.isShort ? ['quayside', 'docker-registry'] : ['quayside', 'docker-registry', 'nginx cache'],
      lab.isShort ? 1 : 3,
    );
    const many = await herdOf(lab, 200, lab.isShort ? ['quayside'] : ['quayside', 'nginx cache'], 1);
    return {
      measures: [...Object.values(twenty), ...Object.values(many)],
      targets: [
        {
          what: 'herd of 20: upstream bytes ÷ blob',
          value: rounded(twenty.amplification),
          sense: 'at most',
          bound: 1,
          unit: '×',
        },
        {
          what: 'herd of 20: wall time × docker-registry',
          value: ratio(twenty.wall.values, 'quayside', 'docker-registry'),
          sense: 'at most',
          bound: 0.35,
          unit: '×',
        },
        {
          what: 'herd of 200: upstream bytes ÷ blob',
          value: rounded(many.amplification),
          sense: 'at most',
          bound: 1,
          unit: '×',
        },
        {
          what: 'herd of 20: errors',
          value: twenty.errors.values.quayside,
          sense: 'at most',
          bound: 0,
          unit: 'errors',
        },
        {
          what: 'herd of 200: errors',
          value: many.errors.values.quayside,
          sense: 'at most',
          bound: 0,
          unit: 'errors',
        },
      ],
      notes: [
        'A server that failed a client has no time here: it did less work.',
        'Upstream bytes are counted on the wire, HTTP heads included, and rounded to two decimals.',
        'docker-registry is left out of the herd of 200: at 201 downloads over the link it would take over five minutes.',
      ],
    };
  },
};

interface Herd {
  readonly wall: Measure;
  readonly amplification: Measure;
  readonly errors: Measure;
}

interface Run {
  readonly seconds: number;
  readonly amplification: number;
  readonly errors: number;
}

async function herdOf(
  lab: Lab,
  clients: number,
  names: readonly ServerName[],
  rounds: number,
): Promise<Herd> {
  const samples = await inTurn<Run>(
    rounds,
    names.map((name) => ({
      name,
      measure() {
        lab.say(`${clients} clients on ${name}`);
        return withFresh(lab, name, ({ origin }) => oneRun(lab, origin, clients));
      },
    })),
  );
  const whole = new Map([...samples].filter(([, runs]) => runs.every(({ errors }) => errors === 0)));
  return {
    wall: {
      what: `${clients} clients: last byte of the last`,
      unit: 's',
      values: medians(whole, ({ seconds }) => seconds),
    },
    amplification: {
      what: `${clients} clients: upstream bytes ÷ blob`,
      unit: '×',
      values: medians(whole, ({ amplification }) => amplification),
    },
    errors: {
      what: `${clients} clients: errors`,
      unit: 'errors',
      values: medians(samples, ({ errors }) => errors),
    },
  };
}

async function oneRun(lab: Lab, origin: string, clients: number): Promise<Run> {
  const { path, size, digest } = lab.offer.layer;
  await lab.link.reset();
  const pulled = await lab.pull({ origin, path, clients, isChecked: true });
  const { bytes } = await lab.link.counts();
  const errors = pulled.filter((each) => each.status !== 200 || !each.isWhole).length;
  const isWrong = pulled[0]?.digest !== digest;
  return {
    seconds: Math.max(...pulled.map(({ totalMs }) => totalMs)) / 1000,
    amplification: bytes / size,
    errors: Math.max(errors, isWrong ? 1 : 0),
  };
}

function rounded({ values }: Measure): number | undefined {
  return values.quayside === undefined ? undefined : Math.round(values.quayside * 100) / 100;
}
