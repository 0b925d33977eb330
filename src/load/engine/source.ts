import { atSpeed, shareOf } from '../arrivals.ts';
import type { LoadTarget } from '../client/target.ts';
import type { ImageModel, LoadImage } from '../model/images.ts';
import { type ArrivalModel, modelArrivals } from '../model/model-arrivals.ts';
import type { TraceFormat } from '../traces/formats.ts';
import { mappedTo, ranksOf, type StandIn } from '../traces/ranks.ts';
import { openTrace } from '../traces/trace.ts';
import type { Arrivals } from '../work.ts';

/** Arrivals that are made up. Plain JSON. */
export interface ModelSource {
  readonly kind: 'model';
  readonly images: readonly LoadImage[];
  readonly model: ArrivalModel;
  /** Where tags are moved, and what they move to. */
  readonly moves?: { readonly registry: LoadTarget; readonly images: ImageModel };
}

/** Arrivals that a registry logged. Plain JSON. */
interface TraceSource {
  readonly kind: 'trace';
  readonly file: string;
  /** Default: told by its first lines. */
  readonly format?: TraceFormat;
  /** Ten times the speed is a tenth of the time between arrivals. */
  readonly speed: number;
  /** What the target has in place of what the trace names. Default: the trace is made as it is. */
  readonly standIns?: readonly StandIn[];
}

export type WorkSource = ModelSource | TraceSource;

/** Which of several processes this is, from 0. */
export interface ProcessShare {
  readonly process: number;
  readonly processes: number;
}

/** The arrivals of one process. Throws where a trace cannot be read. */
export async function arrivalsOf(source: WorkSource, share: ProcessShare): Promise<Arrivals> {
  const all = source.kind === 'model' ? modelArrivals(source.images, source.model) : await traced(source);
  return share.processes === 1 ? all : shareOf(all, share);
}

async function traced({ file, format, speed, standIns }: TraceSource): Promise<Arrivals> {
  const options = format === undefined ? {} : { format };
  const { arrivals } = await openTrace(file, options);
  const wanted =
    standIns === undefined ? arrivals : mappedTo(standIns, await ranksOf(file, options))(arrivals);
  return atSpeed(wanted, speed);
}
