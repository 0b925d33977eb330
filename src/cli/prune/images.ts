import { type Digest, isDigest } from '../../oci/digest.ts';
import { pruneImages } from '../../prune/images/images.ts';
import type { PruneEvents } from '../../prune/place.ts';
import { createPruneRecord } from '../../prune/record.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Run } from '../flags/io.ts';
import { pruningIntegrated } from './integrated.ts';
import { type PruneImagesOptions, parsePruneImagesFlags } from './options.ts';
import { inEachPlace } from './places.ts';
import { pruned, wantedNames } from './session.ts';
import { createNamedWords } from './words.ts';

/**
 * `quayside prune images`: deletes old images of the integrated registry, or of repositories. Ends
 * with 0 when all that should be deleted is, or would be, 1 when something failed or could not be
 * read, 130 or 143 at a signal.
 */
export function pruningImages(now: () => number = Date.now): Run {
  return async (args, io) => {
    const parsed = parsePruneImagesFlags(args);
    if ('integrated' in parsed) return pruningIntegrated(parsed.integrated, io, now);
    const wish = parsed.repositories;
    const names = wish.targets.map(nameOf).sort();
    const only = wantedDigests(await wantedNames(wish), names);
    const work = inEachPlace(wish, io, async (scene) => {
      const { place, records } = scene;
      await pruneImages({
        ...scene,
        events: named(place.name, scene.events),
        record: createPruneRecord(records, `images ${place.name}`),
        only: only?.get(place.name),
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
    return pruned({ wish, job: `images ${names.join(' ')}`, words: createNamedWords('images'), io }, work);
  };
}

function nameOf({ registry, repository }: PruneImagesOptions['targets'][number]): string {
  return `${registry}/${repository}`;
}

/** `REGISTRY/REPOSITORY@DIGEST` by repository. Throws `UsageError`. */
function wantedDigests(
  names: readonly string[] | undefined,
  places: readonly string[],
): ReadonlyMap<string, ReadonlySet<Digest>> | undefined {
  if (names === undefined) return undefined;
  const wanted = new Map(places.map((place) => [place, new Set<Digest>()]));
  for (const name of names) {
    const [place = '', digest, ...rest] = name.split('@');
    const digests = wanted.get(place);
    if (digests === undefined || !isDigest(digest) || rest.length > 0)
      throw new UsageError(
        `-f: ${name} is no REGISTRY/REPOSITORY@DIGEST with one of --repository, as --failed-file has them`,
      );
    digests.add(digest);
  }
  return wanted;
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
    began: (deletion) => events.began(whole(deletion)),
    ended: (outcome) => events.ended(whole(outcome)),
  };
}
