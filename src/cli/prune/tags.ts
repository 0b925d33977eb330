// Room `cli/prune`: quayside prune: deletes what rules let go. In: flags, settings, files of names.
// Out: a plan or deletions, a report, the exit code. Imports: every room below.

import { whyUnread } from '../../mirror/inspect/gaps.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import { digestDeletion } from '../../prune/images/by-digest.ts';
import { type PayloadEvents, prunePayloads } from '../../prune/payloads.ts';
import { createPruneRecord } from '../../prune/record.ts';
import { TagDeletion, TagLook } from '../../prune/tag-deletion.ts';
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
      const by = wish.deleteBy === 'auto' && place.hasOwnTags ? 'tag' : wish.deleteBy;
      const deletion = new TagDeletion({ place, by, byDigest, signal: scene.signal });
      const own = { ...options, deletion, ...(only === undefined ? {} : { only }) };
      await pruneTags({ ...own, record });
      const { events, isFine } = payloadLines(wish, io);
      const look = new TagLook(own, () => scene.held().catch(() => undefined));
      const otherVerdict = (tag: Tag) => look.verdict(tag);
      if (only === undefined) await prunePayloads({ ...options, deletion, payloads: events, otherVerdict });
      if (!wish.confirm && deletion.by === 'auto') io.stderr.write(dependsText(place.name));
      return isFine();
    });
    return pruned({ wish, job, words: createNamedWords('tags'), io }, work);
  };
}

function dependsText(name: string): string {
  return `info: whether the registry of ${name} deletes tags is known only by trying. Where it deletes manifests alone, as docker-registry 2.8, each line above holds only if every tag of its manifest may go: --delete-by digest shows that plan\n`;
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
