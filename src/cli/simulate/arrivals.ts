import { access, constants } from 'node:fs/promises';
import { atSpeed } from '../../load/arrivals.ts';
import { openTrace } from '../../load/traces/trace.ts';
import type { ContentTable } from '../../simulate/model/contents.ts';
import { modelWork, type SimulatedArrival, type TraceRest, traceWork } from '../../simulate/workload.ts';
import { UsageError } from '../flags/arguments.ts';
import type { SimulateFlags } from './plan.ts';

/** Families of images that share layers, as in `quayside load`. */
const familySize = 4;

/** Makes the arrivals of one simulation, from the beginning. `rest` counts what is left out. */
export type MadeArrivals = (contents: ContentTable) => AsyncIterable<SimulatedArrival>;

/** Throws `UsageError` for a trace that cannot be read. */
export async function arrivalsOf(values: SimulateFlags, rest: TraceRest): Promise<MadeArrivals> {
  const { trace: file } = values;
  if (file === undefined) return modelled(values);
  await access(file, constants.R_OK).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--trace: ${file} cannot be read (${error.code})`, { cause: error });
  });
  const format = values['trace-format'];
  const { speed } = values;
  return async function* traced(contents) {
    const options = format === undefined ? {} : { format };
    const read = async () => {
      Object.assign(rest, { others: 0, unanswered: 0 });
      const { arrivals } = await openTrace(file, options);
      return traceWork(atSpeed(arrivals, speed), contents, rest);
    };
    // First for what manifests refer to, which requests tell only later.
    for await (const _arrival of await read());
    yield* await read();
  };
}

function modelled(values: SimulateFlags): MadeArrivals {
  const { images: count, layers, sizes, shared: sharedShare, random: seed, moves, herd } = values;
  const work = {
    images: { ...{ count, layers, sizes, sharedShare, familySize, seed }, prefix: 'load' },
    arrivals: {
      ...{
        ratePerSecond: values.rate,
        spacing: values.spacing,
        nodes: values.nodes,
        zipf: values.zipf,
        seed,
      },
      ...(moves === undefined ? {} : { movesEveryMs: moves }),
      ...(herd === undefined ? {} : { herdEveryMs: herd }),
    },
    isFlat: values.flat === true,
  };
  return (contents) => modelWork(work, contents);
}
