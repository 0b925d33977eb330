// Room `cli/prune`: quayside prune: deletes what rules let go. In: flags, settings, files of names.
// Out: a plan or deletions, a report, the exit code. Imports: every room below.

import { whyUnread } from '../../mirror/inspect/gaps.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import { digestDeletion } from '../../prune/images/by-digest.ts';
import { type PayloadEvents, prunePayloads } from '../../prune/payloads.ts';
import { createPruneRecord } from '../../prune/record.ts';
import { pruneTags } from '../../prune/tags.ts';
import type { Io, Run } from '../flags/io.ts';
import { type PruneTagsOptions, parsePruneTagsFlags } from './options.ts';
import { inEachPlace } from './places.ts';
import { pruned, wantedNames } from './session.ts';
import { createNamedWords } from './words.ts';

/**
 * `quayside prune tags`: deletes tags that keep what promotion and the mirror overwrote, and keeps
 * or removes release payloads. Ends with 0 when all is done, or would be, 1 when something failed
 * or could not be read, 130 or 143 at a signal.
 */
export function pruningTags(now: () => number = Date.now): Run {
  return async (args, io) => {
    const wish = parsePruneTagsFlags(args);
    const names = await wantedNames(wish);
    const only = names?.filter((name): name is Tag => isTag(name));
    const [target] = wish.targets;
    const job = `tags ${target?.registry}/${target?.repository}`;
    const work = inEachPlace(wish, io, async (scene) => {
      const options = { ...scene, atOnce: wish.maxPerRegistry, ttlDays: wish.ttlDays, now };
      const record = createPruneRecord(scene.records, job);
      const { place } = scene;
      const byDigest = digestDeletion({
        ...options,
        deleteManifest: (digest, asked) => place.writer.deleteManifest(place.repository, digest, asked),
      });
      await pruneTags({ ...options, ...{ record, byDigest }, ...(only === undefined ? {} : { only }) });
      if (only !== undefined) return true;
      const { events, isFine } = payloadLines(wish, io);
      await prunePayloads({ ...options, payloads: events });
      return isFine();
    });
    return pruned({ wish, job, words: createNamedWords('tags'), io }, work);
  };
}

function payloadLines({ confirm, json }: PruneTagsOptions, { stdout, stderr }: Io) {
  let failures = 0;
  const events: PayloadEvents = {
    preserved(payload) {
      if (json) stdout.write(`${JSON.stringify({ payload, outcome: confirm ? 'preserved' : 'planned' })}\n`);
      else stdout.write(`${confirm ? 'Preserved' : 'Would preserve'} release payload ${payload}\n`);
    },
    notPreserved(payload, error) {
      failures += 1;
      stderr.write(`error: cannot preserve release payload ${payload}: ${whyUnread(error)}\n`);
    },
  };
  return { events, isFine: () => failures === 0 };
}
