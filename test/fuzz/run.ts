/**
 * `npm run fuzz`: a real Quayside, its upstream a double, and clients that do whatever clients may
 * do. Prints a line a minute and, last, what was wrong. Exit code 1 for any fault: a lost slot or
 * file, a wrong answer, a 5xx, a log line of level error, growth, the end of the process.
 */
import { randomInt } from 'node:crypto';
import { setPriority } from 'node:os';
import { UsageError } from '../../src/cli/flags/arguments.ts';
import { parseFlags } from '../../src/cli/flags/flag-table.ts';
import { sampleOf } from '../bad-days/rig.ts';
import { type Quayside, quayside } from '../e2e/fixtures/quayside.ts';
import { openBelow } from '../support/open-files.ts';
import { type Stage, stage } from '../support/program.ts';
import { registryDouble } from '../support/registry-double.ts';
import { type FuzzResult, fuzz } from './fuzz.ts';
import { growthIn, type Held } from './growth.ts';

const usage = `npm run fuzz [-- [--minutes N] [--seed N] [--width N] [--batches N]]

  --minutes N   how long; default 30
  --seed N      of the scripts, to play the same ones again; default: a new one
  --width N     connections at once; default 32
  --batches N   ends after so many batches, if that is earlier; default: none
`;

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly width: number;
  readonly batches: number;
}

const lowest = 10;
const second = 1000;

function optionsIn(args: readonly string[]): Options {
  const { values } = parseFlags({ minutes: {}, seed: {}, width: {}, batches: {} }, args);
  const number = (name: keyof typeof values, otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (value > 0) return value;
    throw new UsageError(`--${name} must be a number above 0`);
  };
  return {
    minutes: number('minutes', 30),
    seed: number('seed', randomInt(1, 2 ** 31)),
    width: number('width', 32),
    batches: number('batches', Number.POSITIVE_INFINITY),
  };
}

/** A signal ends the run after the batch that is under way, with what was found so far. */
async function main(options: Options, interrupted: AbortSignal): Promise<number> {
  console.log(`seed ${options.seed}, ${options.minutes} minutes, ${options.width} connections at once`);
  const ground = await stage('fuzz');
  try {
    return await fuzzed(ground, options, interrupted);
  } finally {
    await ground.close();
  }
}

async function fuzzed(
  ground: Stage,
  { minutes, seed, width, batches: most }: Options,
  interrupted: AbortSignal,
): Promise<number> {
  const double = await registryDouble();
  ground.defer(() => double.close());
  const config = { log: { level: 'warn' } };
  const subject = await quayside(ground, { upstream: double.url, config });
  const [host = '', port = ''] = subject.host.split(':');
  const until = performance.now() + minutes * 60 * second;
  const samples: Held[] = [];
  let toldAt = performance.now();
  const result = await fuzz({
    subject: {
      address: { host, port: Number(port) },
      double,
      metrics: subject.metrics,
      openFiles: () => openBelow(subject.pid, subject.folder),
    },
    seed,
    width,
    isOver: (batches) => interrupted.aborted || performance.now() > until || batches >= most,
    async rested(batch) {
      if (performance.now() - toldAt < 10 * second) return;
      toldAt = performance.now();
      const held = await heldBy(subject);
      samples.push(held);
      if (samples.length % 6 === 1) console.log(line(batch, held));
    },
  }).catch((error: unknown) => ended(error));
  return told(result, [...growthIn(samples), ...(await loggedErrors(subject))]);
}

/** The service can no longer be asked. */
function ended(error: unknown): FuzzResult {
  const why = error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error);
  return { connections: 0, requests: 0, answers: 0, faults: [`the service cannot be asked: ${why}`] };
}

function told({ connections, requests, answers, faults }: FuzzResult, more: readonly string[]): number {
  const all = [...faults, ...more];
  for (const fault of all) console.log(fault);
  console.log(
    `${connections} connections, ${requests} requests, ${answers} whole answers, ${all.length} faults`,
  );
  return all.length === 0 ? 0 : 1;
}

async function heldBy(subject: Quayside): Promise<Held> {
  const metrics = await subject.metrics();
  return {
    heapBytes: sampleOf(metrics, 'nodejs_heap_size_used_bytes') ?? 0,
    residentBytes: sampleOf(metrics, 'process_resident_memory_bytes') ?? 0,
    openFiles: sampleOf(metrics, 'process_open_fds') ?? 0,
  };
}

function line(batch: number, { heapBytes, residentBytes, openFiles }: Held): string {
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  return `batch ${batch}: heap ${mib(heapBytes)}, resident ${mib(residentBytes)}, ${openFiles} descriptors open`;
}

async function loggedErrors(subject: Quayside): Promise<readonly string[]> {
  const lines = (await subject.output()).split('\n');
  return lines.filter((text) => text.includes('"level":"error"') || text.startsWith('[Error')).slice(0, 5);
}

try {
  setPriority(lowest);
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
  process.exitCode = await main(optionsIn(process.argv.slice(2)), interrupted.signal);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
