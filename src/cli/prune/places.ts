import type { Pruning } from '../../prune/place.ts';
import type { Io } from '../flags/io.ts';
import { followedNeeds, heldTags } from './needs.ts';
import type { PruneOptions, PruneTagsOptions } from './options.ts';
import { type OpenPlace, openPlace } from './place.ts';
import type { PruneScene } from './session.ts';

/** What is worked with in one repository. */
export interface PlaceScene extends PruneScene, Pick<Pruning, 'needs' | 'held'> {
  readonly place: OpenPlace;
}

/**
 * A run that works in one repository after the other, and follows meanwhile what image streams
 * name. `work` resolves to whether all beside the reported objects is well. Throws `UsageError`.
 */
export function inEachPlace(
  wish: PruneOptions & Partial<Pick<PruneTagsOptions, 'tokenFile'>>,
  io: Io,
  work: (scene: PlaceScene) => Promise<boolean>,
): (scene: PruneScene) => Promise<boolean> {
  return async (scene) => {
    const { config, records, signal } = scene;
    const needs = await followedNeeds(wish, config, { signal, stderr: io.stderr });
    let isFine = true;
    try {
      for (const target of wish.targets) {
        const place = await openPlace(target, wish, config, io);
        const held = heldTags(records, target);
        const own = { ...scene, place, held, needs: needs.of(target) };
        isFine = (await work(own).finally(() => place.close())) && isFine;
      }
    } finally {
      await needs.close();
    }
    return isFine;
  };
}
