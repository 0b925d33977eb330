import { shareOf } from '../arrivals.ts';
import type { LoadTarget } from '../client/target.ts';
import type { ImageModel, LoadImage } from '../model/images.ts';
import { type ArrivalModel, modelArrivals } from '../model/model-arrivals.ts';
import type { Arrivals } from '../work.ts';

/** Where arrivals come from. Plain JSON. */
export interface WorkSource {
  readonly images: readonly LoadImage[];
  readonly model: ArrivalModel;
  /** Where tags are moved, and what they move to. */
  readonly moves?: { readonly registry: LoadTarget; readonly images: ImageModel };
}

/** Which of several processes this is, from 0. */
export interface ProcessShare {
  readonly process: number;
  readonly processes: number;
}

/** The arrivals of one process. */
export function arrivalsOf({ images, model }: WorkSource, share: ProcessShare): Arrivals {
  const all = modelArrivals(images, model);
  return share.processes === 1 ? all : shareOf(all, share);
}
