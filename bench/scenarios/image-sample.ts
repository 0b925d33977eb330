import type { Lab } from '../lab.ts';
import type { ImageQuestion } from '../load/image-process.ts';
import type { Measure } from '../scenario.ts';
import { peakOfAll, processorSeconds, resetPeak } from '../servers/process-cost.ts';
import type { Server } from '../servers/server.ts';
import { measured, type Samples } from '../statistics.ts';
import { warmed } from './started.ts';

/** What it took to pull an image, by all clients together. */
export interface ImageSample {
  readonly seconds: number;
  /** Of the server, seconds. */
  readonly processor: number;
  /** The most memory of the server meanwhile, MB. */
  readonly megabytes: number;
  /** To the first byte of a blob, the median of the clients. */
  readonly firstByteMs: number;
  readonly failures: number;
  /** Bytes that crossed the way to the upstream, for each byte of the image. */
  readonly amplification: number;
}

/** Lets clients pull an image and looks at what the server spends. */
export async function imageSample(
  lab: Lab,
  { origin, pid }: Server,
  question: Omit<ImageQuestion, 'origin'>,
): Promise<ImageSample> {
  await resetPeak(pid);
  await lab.forget();
  const before = (await processorSeconds(pid)) ?? Number.NaN;
  const pulled = await lab.pullImages({ origin, ...question });
  const processor = ((await processorSeconds(pid)) ?? Number.NaN) - before;
  const { bytes } = await lab.traffic();
  return {
    seconds: pulled.totalMs / 1000,
    processor,
    megabytes: await peakOfAll(pid),
    firstByteMs: pulled.firstByteMs,
    failures: pulled.failures,
    amplification: bytes / (pulled.bytes / question.clients),
  };
}

/** Pulls until the upstream is no longer asked, each blob checked. */
export async function filledWith(
  lab: Lab,
  server: Server,
  paths: readonly string[],
  headers?: Readonly<Record<string, string>>,
): Promise<void> {
  lab.say(`filling ${server.name}`);
  for (const path of paths) await warmed(lab, server, path, path.split('/blobs/')[1], headers);
}

/** What every warm pull has: time, processor time, memory. */
export function warmMeasures(
  what: string,
  samples: Samples<ImageSample>,
): readonly [Measure, Measure, Measure] {
  return [
    measured(what, 's', samples, ({ seconds }) => seconds),
    measured(`${what}: processor time`, 's', samples, ({ processor }) => processor),
    measured(`${what}: most memory`, 'MB', samples, ({ megabytes }) => megabytes),
  ];
}

/** What every cold pull has besides. */
export function coldMeasures(what: string, samples: Samples<ImageSample>): readonly Measure[] {
  const whole = new Map([...samples].filter(([, each]) => each.every(({ failures }) => failures === 0)));
  return [
    measured(what, 's', whole, ({ seconds }) => seconds),
    measured(`${what}: first byte of a blob`, 'ms', whole, ({ firstByteMs }) => firstByteMs),
    measured(`${what}: processor time`, 's', whole, ({ processor }) => processor),
    measured(`${what}: most memory`, 'MB', whole, ({ megabytes }) => megabytes),
    measured(`${what}: upstream bytes ÷ image`, '×', whole, ({ amplification }) => amplification),
    measured(`${what}: clients that failed`, 'errors', samples, ({ failures }) => failures),
  ];
}
