import { sampleOf } from '../bad-days/rig.ts';
import { type Random, seeded } from '../chaos/random.ts';
import type { RegistryDouble } from '../support/registry-double.ts';
import type { Target } from './pieces.ts';
import { type Address, played } from './play.ts';
import { script, scriptText } from './script.ts';
import { faultOf } from './verdict.ts';

/** A running service, with what can be seen of it from outside. */
interface Subject {
  readonly address: Address;
  /** Its upstream. */
  readonly double: RegistryDouble;
  metrics(): Promise<string>;
  /** How many files of its store it has open. */
  openFiles(): Promise<number>;
}

interface FuzzOptions {
  readonly subject: Subject;
  readonly seed: number;
  /** Connections at once. */
  readonly width: number;
  /** Asked before each batch. */
  readonly isOver: (batches: number) => boolean;
  /** Told after each batch, when the service is at rest. */
  readonly rested?: (batches: number) => Promise<void>;
}

export interface FuzzResult {
  readonly connections: number;
  readonly requests: number;
  /** Answers that came whole. */
  readonly answers: number;
  readonly faults: readonly string[];
}

const repository = 'openshift/ci';
/**
 * Small ones stay in memory, the others in the store; the last is more than all buffers on the way.
 */
const layers = [2_000, 300_000, 1_500_000];
const restMs = 10_000;
const mostFaults = 20;

/**
 * Connections that do whatever clients may do, and some things that they may not, in batches. After
 * each batch no request may hold a slot, no file may be open, and an ordinary pull must work. The
 * seed, the batch and the place in it make the script.
 */
export async function fuzz({ subject, seed, width, isOver, rested }: FuzzOptions): Promise<FuzzResult> {
  const image = subject.double.addImage(repository, 'fuzzed', { layers });
  const faults: string[] = [];
  const sum = { connections: 0, requests: 0, answers: 0 };
  let batch = 0;
  for (; !isOver(batch) && faults.length < mostFaults; batch += 1) {
    await pulled(subject, `${repository}/manifests/fuzzed`);
    for (const { digest } of image.layers) await pulled(subject, `${repository}/blobs/${digest}`);
    const cold = coldLayer(subject.double, `cold-${seed}-${batch >> 2}`);
    const target: Target = { repository, tag: 'fuzzed', image, cold };
    const one = async (place: number): Promise<void> => {
      const scripted = script(randomOf(seed, batch, place), target);
      const outcome = await played(scripted, subject.address);
      const fault = faultOf(scripted, outcome);
      sum.connections += 1;
      sum.requests += scripted.pieces.length;
      sum.answers += outcome.answers.filter(({ isWhole }) => isWhole).length;
      if (fault !== undefined)
        faults.push(`seed ${seed} batch ${batch} place ${place}: ${fault}: ${scriptText(scripted)}`);
    };
    await Promise.all(Array.from({ length: width }, (_, place) => one(place)));
    const unrest = await unrestOf(subject);
    if (unrest !== undefined) faults.push(`seed ${seed} batch ${batch}: ${unrest}`);
    subject.double.requests.length = 0;
    await rested?.(batch);
  }
  return { ...sum, faults };
}

function randomOf(seed: number, batch: number, place: number): Random {
  return seeded(seeded(seeded(seed).below(2 ** 32) + batch).below(2 ** 32) + place);
}

function coldLayer(double: RegistryDouble, tag: string): Target['cold'] {
  const [layer] = double.addImage(repository, tag, { layers: [150_000] }).layers;
  if (layer === undefined) throw new Error('the image has no layer');
  return layer;
}

async function pulled({ address: { host, port } }: Subject, path: string): Promise<void> {
  const answer = await fetch(`http://${host}:${port}/v2/${path}`);
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`an ordinary pull of ${path} is answered ${answer.status}`);
}

const gauges = [
  'quayside_requests_running{limit="read"}',
  'quayside_requests_running{limit="write"}',
  'quayside_requests_waiting{limit="read"}',
  'quayside_fills_running',
  'quayside_spool_bytes',
] as const;

/** What does not come to rest in time once all clients are gone. */
async function unrestOf(subject: Subject): Promise<string | undefined> {
  const deadline = performance.now() + restMs;
  for (;;) {
    const metrics = await subject.metrics();
    const busy = gauges.flatMap((gauge) => {
      const value = sampleOf(metrics, gauge) ?? 0;
      return value === 0 ? [] : [`${gauge} ${value}`];
    });
    const files = await subject.openFiles();
    if (files > 0) busy.push(`${files} open files`);
    if (busy.length === 0) return undefined;
    if (performance.now() > deadline) return `never rests: ${busy.join(', ')}`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
