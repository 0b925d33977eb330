import { createServer, type Server as HttpServer } from 'node:http';
import { ratiosOf, spreadOf } from '../../src/load/report/spread.ts';
import { acceptManifests } from '../../src/oci/manifest.ts';
import { listening } from '../../test/support/listening.ts';
import type { Lab } from '../lab.ts';
import type { Measure, Scenario, Target } from '../scenario.ts';
import { processorSeconds } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { warmed } from './started.ts';

const connections = 16;

/** What the compiler needs to have seen of each server. */
const warmUps = 5;

/** The checkout to compare with: `BENCH_BEFORE=/path npm run bench -- tracing`. */
const before = process.env['BENCH_BEFORE'];

/** What a request costs with traces, and without them against another checkout. */
export const tracing: Scenario = {
  name: 'tracing',
  title: 'Traces: off, one request in a hundred, and every request',
  async run(lab) {
    const collector = await listening(sink());
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${collector.host}` };
    const ratio = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.01' };
    const contenders: readonly Contender[] = [
      { what: 'off', server: await lab.start('quayside') },
      { what: '1 in 100', server: await lab.start('quayside', { env: { ...env, ...ratio } }) },
      { what: 'all', server: await lab.start('quayside', { env }) },
      ...(before === undefined
        ? []
        : [{ what: 'the other checkout', server: await lab.start('quayside', { checkout: before }) }]),
    ].flatMap(({ what, server }) => (server === undefined ? [] : [{ what, server }]));
    try {
      const { manifest, sizes, image } = lab.offer;
      const blob = sizes['100 kB'];
      if (blob === undefined) throw new Error('there is no blob of 100 kB');
      const lines = [
        { what: 'GET of a manifest by tag', path: manifest.byTag, digest: image.root.descriptor.digest },
        { what: 'GET of a blob of 100 kB', path: blob.path, digest: blob.digest },
      ];
      const found: (readonly [readonly Measure[], readonly Target[]])[] = [];
      for (const line of lines) found.push(await compared(lab, contenders, line));
      return {
        measures: found.flatMap(([measures]) => measures),
        targets: found.flatMap(([, targets]) => targets),
        notes: [
          `Warm, ${connections} connections, keep-alive, all in turn; a collector that takes everything, in the process of the bench.`,
          'With BENCH_BEFORE, the folder of another checkout, off is compared with that one too.',
        ],
      };
    } finally {
      await Promise.all(contenders.map(({ server }) => server.stop()));
      await collector.close();
    }
  },
};

interface Contender {
  readonly what: string;
  readonly server: Server;
}

interface Line {
  readonly what: string;
  readonly path: string;
  readonly digest: string;
}

function sink(): HttpServer {
  return createServer((request, response) => {
    request.resume().once('end', () => response.end());
  });
}

async function compared(
  lab: Lab,
  contenders: readonly Contender[],
  line: Line,
): Promise<readonly [readonly Measure[], readonly Target[]]> {
  const rounds = lab.form.rounds(5, 25);
  lab.say(`${line.what}, ${contenders.length} servers in turn, ${rounds} ×`);
  for (const { server } of contenders) {
    await warmed(lab, server, line.path, line.digest);
    for (let round = 0; round < warmUps; round += 1) await costOf(lab, server, line);
  }
  const costs = new Map(contenders.map(({ what }) => [what, [] as number[]]));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const { what, server } of order) costs.get(what)?.push(await costOf(lab, server, line));
  }
  const off = costs.get('off') ?? [];
  const target = (what: string, values: readonly number[], base: readonly number[], bound: number) => {
    const ratio = ratiosOf(values, base);
    const told = { what: `${line.what}: processor time, ${what}`, value: ratio?.median };
    return { ...told, ...(ratio && { spread: ratio }), ...({ sense: 'at most', bound, unit: '×' } as const) };
  };
  const other = costs.get('the other checkout');
  return [
    [...costs].map(([what, values]) => measureOf(`${line.what}: processor time, ${what}`, values)),
    [
      target('1 in 100 × off', costs.get('1 in 100') ?? [], off, 1.5),
      target('all × off', costs.get('all') ?? [], off, 4),
      ...(other === undefined ? [] : [target('off × the other checkout', off, other, 1.03)]),
    ],
  ];
}

function measureOf(what: string, values: readonly number[]): Measure {
  const spread = spreadOf(values);
  if (spread === undefined) return { what, unit: 'µs', values: {} };
  return { what, unit: 'µs', values: { quayside: spread.median }, spreads: { quayside: spread } };
}

/** Processor time of the server for one request, µs. */
async function costOf(lab: Lab, { origin, pid }: Server, { path }: Line): Promise<number> {
  const durationMs = 1_000;
  const begun = (await processorSeconds(pid)) ?? Number.NaN;
  const headers = { accept: acceptManifests };
  const asked = { origin, path, method: 'GET', headers, connections, durationMs } as const;
  const perSecond = await lab.requests.perSecond(asked);
  const used = ((await processorSeconds(pid)) ?? Number.NaN) - begun;
  return (used * 1e9) / (perSecond * durationMs);
}
