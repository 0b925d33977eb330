import { pruneImages } from '../../prune/images/images.ts';
import type { PruneEvents } from '../../prune/place.ts';
import type { Run } from '../flags/io.ts';
import { pruneIntegratedRegistry } from './integrated.ts';
import { parsePruneImagesFlags } from './options.ts';
import { type PruneScene, pruned } from './session.ts';

/**
 * `quayside prune images`: deletes old images of the integrated registry, or of repositories. Ends
 * with 0 when all that should be deleted is, or would be, 1 when something failed or could not be
 * read, 130 or 143 at a signal.
 */
export function pruningImages(now: () => number = Date.now): Run {
  return async (args, io) => {
    const parsed = parsePruneImagesFlags(args);
    if ('integrated' in parsed) return pruneIntegratedRegistry(parsed.integrated, io, now());
    const wish = parsed.repositories;
    const names = wish.targets.map(({ registry, repository }) => `${registry}/${repository}`).sort();
    const call = { wish, job: `images ${names.join(' ')}`, noun: 'images', io };
    return pruned(call, async (scene: PruneScene) => {
      const { place } = scene;
      await pruneImages({
        ...scene,
        events: named(place.name, scene.events),
        atOnce: wish.maxPerRegistry,
        now,
        rules: {
          matches: (tag) => wish.match.test(tag),
          keepYoungerThanMs: wish.keepYoungerThanMs,
          keepRevisions: wish.keepRevisions,
        },
        deleteManifest: ({ digest }, signal) =>
          place.writer.deleteManifest(place.repository, digest, { signal }),
      });
      return true;
    });
  };
}

/** The same events, whose digests say where they are. */
function named(place: string, events: PruneEvents): PruneEvents {
  const whole = <Object extends { readonly id: string }>(object: Object): Object => ({
    ...object,
    id: `${place}@${object.id}`,
  });
  return {
    ...events,
    planned: ({ deletions, kept }) =>
      events.planned({ deletions: deletions.map(whole), kept: kept.map(whole) }),
    ended: (outcome) => events.ended(whole(outcome)),
  };
}
