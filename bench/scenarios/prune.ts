import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { located } from '../../test/e2e/programs.ts';
import { generatedImage, pushImage } from '../../test/support/images.ts';
import { withEmptyRegistry } from '../mirror/destination.ts';
import { withCounts } from '../mirror/ways.ts';
import { type CommandRun, quaysidePrune, skopeoDelete } from '../prune/commands.ts';
import type { QuayAnswer, QuayQuestion } from '../prune/quay-process.ts';
import type { Findings, OwnGround, OwnScenario, Target, Values } from '../scenario.ts';
import { findProgram, programs } from '../servers/programs.ts';
import { worker } from '../servers/worker.ts';

const sizes = {
  full: { tags: 500_000, old: 100_000, deletes: 500 },
  short: { tags: 20_000, old: 2_000, deletes: 150 },
} as const;
/** Quay lists so many tags a page. */
const pageSize = 100;

/** What it costs to delete tags that have become old, beside a whole listing and skopeo. */
export const prune: OwnScenario = {
  name: 'prune',
  title: 'Deleting old tags',
  async runAlone(ground) {
    const directory = join(ground.directory, 'prune');
    await mkdir(directory);
    const place = { ...ground, directory };
    const quay = await quayRuns(place);
    const deletes = await registryRuns(place);
    return findings(place, quay, deletes);
  },
};

interface QuayRuns {
  readonly first: CommandRun;
  readonly second: CommandRun;
  readonly before: QuayAnswer;
  readonly between: QuayAnswer;
  readonly after: QuayAnswer;
}

/** Deletes what is old while 5 % fail and some requests are throttled; then the rest, and more. */
async function quayRuns({ form, directory, say }: OwnGround): Promise<QuayRuns> {
  const { tags, old } = sizes[form.isSmall ? 'short' : 'full'];
  const quay = worker<QuayQuestion, QuayAnswer>(new URL('../prune/quay-process.ts', import.meta.url));
  try {
    const before = await quay.ask({ kind: 'start', tags, old });
    const folder = join(directory, 'quay');
    await mkdir(folder);
    const run = () => quaysidePrune(folder, `${before.host}/openshift/ci`, true);
    say(`Quay with ${tags} tags: the first run deletes ${before.old - before.failing} of ${before.old}`);
    const first = await run();
    const between = await quay.ask({ kind: 'counts' });
    await quay.ask({ kind: 'mend', more: tags / 100 });
    say(`the second run takes ${between.failing} that failed, and ${tags / 100} new ones`);
    const second = await run();
    return { first, second, before, between, after: await quay.ask({ kind: 'counts' }) };
  } finally {
    quay.close();
  }
}

interface Deletes {
  readonly requests: Values;
  readonly seconds: Values;
}

/** The same deletes in a registry that deletes tags, by one command and by skopeo one by one. */
async function registryRuns({ form, directory, say }: OwnGround): Promise<Deletes> {
  const { deletes } = sizes[form.isSmall ? 'short' : 'full'];
  const found = await located('distribution', say);
  const skopeo = findProgram('skopeo');
  if ('missing' in found) {
    say(found.missing);
    return { requests: {}, seconds: {} };
  }
  const running = programs(directory);
  try {
    return await withEmptyRegistry({ programs: running, directory }, found.path, 'registry-3', (registry) =>
      withCounts([registry.port], async ({ hosts: [host = ''], take }) => {
        const requests: { -readonly [Name in keyof Values]: Values[Name] } = {};
        const seconds: { -readonly [Name in keyof Values]: Values[Name] } = {};
        const own = await pushedTags(registry.origin, 'bench/own', deletes);
        say(`registry 3: quayside deletes ${own.length} tags, and then skopeo as many`);
        await take();
        seconds.quayside = (await quaysidePrune(directory, `${host}/bench/own`)).seconds;
        requests.quayside = (await take()).requests / deletes;
        await assertGone(registry.origin, 'bench/own');
        if (skopeo === undefined) return { requests, seconds };
        const theirs = await pushedTags(registry.origin, 'bench/theirs', deletes);
        await take();
        const startedAt = performance.now();
        for (const tag of theirs) await skopeoDelete(skopeo, directory, `${host}/bench/theirs:${tag}`);
        seconds.skopeo = (performance.now() - startedAt) / 1_000;
        requests.skopeo = (await take()).requests / deletes;
        await assertGone(registry.origin, 'bench/theirs');
        return { requests, seconds };
      }),
    );
  } finally {
    await running.stopAll();
  }
}

/** Old tags, each of an image of its own: skopeo deletes by digest. */
async function pushedTags(origin: string, repository: string, count: number): Promise<readonly string[]> {
  const tags: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const image = await generatedImage({ seed: `${repository} ${index}`, layers: [512], mediaTypes: 'oci' });
    const at = new Date(Date.UTC(2024, 0, 1) + index * 1_000);
    const tag = `${at.toISOString().replace(/\D/g, '').slice(0, 14)}_prune_tool-${index}`;
    await pushImage(origin, repository, tag, image);
    tags.push(tag);
  }
  return tags;
}

async function assertGone(origin: string, repository: string): Promise<void> {
  const answer = await fetch(`${origin}/v2/${repository}/tags/list`);
  const { tags } = (await answer.json()) as { readonly tags?: readonly string[] | null };
  if ((tags ?? []).length > 0) throw new Error(`${repository} still has ${tags?.length} tags`);
}

function findings({ form }: OwnGround, quay: QuayRuns, { requests, seconds }: Deletes): Findings {
  const { tags } = sizes[form.isSmall ? 'short' : 'full'];
  const { first, second, before, between, after } = quay;
  const listing = Math.ceil((after.others + after.old) / pageSize);
  const pages = after.requests['list'] ?? 0;
  const own = (value: number) => ({ values: { quayside: value } });
  const named = (what: string) => `${tags} tags at Quay: ${what}`;
  const target = (what: string, value: number | undefined, bound: number, unit: Target['unit']): Target => ({
    ...{ what, value, bound, unit },
    sense: 'at most',
  });
  return {
    measures: [
      { what: named(`${before.old} old ones, 5 % fail, 429s`), unit: 's', ...own(first.seconds) },
      { what: named(`later, with 1 % new old ones`), unit: 's', ...own(second.seconds) },
      { what: named('pages listed by the later run'), unit: 'requests', ...own(pages) },
      { what: 'registry 3: requests a deleted tag', unit: 'requests', values: requests },
      { what: 'registry 3: all tags', unit: 's', values: seconds },
    ],
    targets: [
      {
        what: 'a whole listing × the pages that the later run listed',
        value: listing / pages,
        ...{ sense: 'at least', bound: 10, unit: '×' },
      },
      target(
        'old tags left by the first run, but for failing ones',
        between.old - before.failing,
        0,
        'errors',
      ),
      target('old tags left by the later run', after.old, 0, 'errors'),
      target('tags deleted that are not old', before.others - after.others, 0, 'errors'),
      target('registry 3: requests × skopeo’s', besideSkopeo(requests), 1.05, '×'),
      target('registry 3: time × skopeo’s, one by one', besideSkopeo(seconds), 0.5, '×'),
    ],
    notes: [
      `Quay is a double in a process of its own, which answers 429 to one request of 97. The first run deleted ${before.old - between.old} tags by ${between.requests['delete'] ?? 0} DELETEs and ${between.requests['read'] ?? 0} HEADs.`,
      'Quayside reads a tag when it plans, and again right before it deletes it; skopeo reads it once, and deletes the manifest.',
    ],
  };
}

/** Undefined where one of the two is missing. */
function besideSkopeo({ quayside, skopeo }: Values): number | undefined {
  return quayside === undefined || skopeo === undefined ? undefined : quayside / skopeo;
}
