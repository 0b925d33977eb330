import { test } from 'tap';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseTag, type Tag } from '../../../src/oci/reference.ts';
import { imagesPlan, type ListedManifest } from '../../../src/prune/images/images-plan.ts';
import { digestFor, numbers } from '../memory-place.ts';

const now = Date.parse('2026-11-29T12:00:00Z');
const dayMs = 86_400_000;
const nothingNeeds = { inSync: true, namedBy: () => undefined };

interface Wanted {
  readonly days?: number;
  readonly children?: readonly string[];
  readonly blobs?: Readonly<Record<string, number>>;
  readonly tags?: readonly string[];
}

/** Manifests by name; without days it is not known when they were built. */
function repository(images: Readonly<Record<string, Wanted>>, unread: readonly string[] = []) {
  const tags = new Map<Tag, Digest>();
  const manifests = new Map<Digest, ListedManifest>();
  for (const [name, { days, children = [], blobs = {}, tags: own = [] }] of Object.entries(images)) {
    const digest = digestFor(name);
    manifests.set(digest, {
      ...{ digest, size: 1, children: children.map(digestFor) },
      blobs: Object.entries(blobs).map(([blob, size]) => ({ digest: digestFor(blob), size })),
      builtAt: days === undefined ? undefined : now - days * dayMs,
    });
    for (const tag of own) tags.set(parseTag(tag), digest);
  }
  return { tags, manifests, unread };
}

const rules = { matches: () => true, keepYoungerThanMs: 7 * dayMs, keepRevisions: 0, now };

test('an image goes only with every tag of it, and of those that match the oldest', (t) => {
  const facts = repository({
    a: { days: 30, tags: ['pr-1', 'pr-2'] },
    b: { days: 20, tags: ['pr-3', 'release'] },
    c: { days: 10, tags: ['pr-4'] },
    d: { days: 1, tags: ['pr-5'] },
    e: { tags: ['pr-6'] },
  });
  const own = { ...rules, matches: (tag: string) => tag.startsWith('pr-'), keepRevisions: 2 };
  const plan = imagesPlan({ facts, rules: own, needs: nothingNeeds, held: [] });
  t.same(
    plan.deletions.map(({ id, reason }) => [id, reason]),
    [[digestFor('a'), 'built 30 days ago: pr-1, pr-2']],
  );
  t.match(
    plan.kept.find(({ id }) => id === digestFor('b')),
    { kept: 'shared', why: 'release names it too, and stays' },
  );
  t.match(
    plan.kept.find(({ id }) => id === digestFor('e')),
    { kept: 'age unknown' },
  );
  t.end();
});

test('the bytes are those that nothing else needs, and children come after their index', (t) => {
  const facts = repository({
    index: { days: 30, tags: ['old'], children: ['amd64', 'arm64'] },
    amd64: { days: 30, blobs: { base: 1_000, x: 50 } },
    arm64: { days: 30, blobs: { arm: 70 } },
    kept: { days: 1, tags: ['new'], blobs: { base: 1_000 } },
  });
  const { deletions } = imagesPlan({ facts, rules, needs: nothingNeeds, held: [] });
  t.same(
    deletions.map(({ id, bytes, after }) => [id, bytes, after]),
    [
      [digestFor('index'), 1, []],
      [digestFor('amd64'), 51, [digestFor('index')]],
      [digestFor('arm64'), 71, [digestFor('index')]],
    ],
  );
  t.end();
});

test('signatures go with what they are for, and stay with what stays', (t) => {
  const prefix = (name: string) => digestFor(name).replace(':', '-');
  const facts = repository({
    a: { days: 30, tags: ['a'] },
    aSig: { days: 30, tags: [`${prefix('a')}.sig`] },
    aList: { tags: [prefix('a')], children: ['aRef'] },
    aRef: { days: 30 },
    b: { days: 1, tags: ['b'] },
    bSig: { days: 30, tags: [`${prefix('b')}.sig`] },
  });
  const { deletions } = imagesPlan({ facts, rules, needs: nothingNeeds, held: [] });
  t.same(new Set(deletions.map(({ id }) => id)), new Set(['a', 'aSig', 'aList', 'aRef'].map(digestFor)));
  t.end();
});

test('what an earlier run left goes, unless a tag or a manifest leads to it', (t) => {
  const sig = `${digestFor('gone').replace(':', '-')}.sig`;
  const facts = repository({
    lost: { days: 30 },
    sig: { tags: [sig] },
    tagged: { days: 1, tags: ['new'] },
    index: { days: 1, tags: ['many'], children: ['listed'] },
    listed: { days: 30 },
    aSig: { tags: [`${digestFor('tagged').replace(':', '-')}.sig`] },
  });
  const left = ['lost', 'sig', 'tagged', 'listed', 'aSig', 'gone'].map(digestFor);
  const plan = (more: object) => imagesPlan({ facts, rules, needs: nothingNeeds, held: [], left, ...more });
  t.same(
    plan({}).deletions.map(({ id }) => id),
    ['lost', 'sig'].map(digestFor),
  );
  t.same(plan({ needs: { ...nothingNeeds, inSync: false } }).deletions, []);
  t.same(plan({ facts: { ...facts, unread: ['x cannot be read'] } }).deletions, []);
  t.end();
});

test('what cannot be read, or told of streams, keeps everything', (t) => {
  const images = { a: { days: 30, tags: ['a'] } };
  const planned = (facts: ReturnType<typeof repository>, inSync: boolean) =>
    imagesPlan({ facts, rules, needs: { ...nothingNeeds, inSync }, held: [] });
  t.match(planned(repository(images, ['x cannot be read']), true), {
    deletions: [],
    kept: [{ kept: 'unread' }],
  });
  t.match(planned(repository(images), false), {
    deletions: [],
    kept: [{ kept: 'image streams not in sync' }],
  });
  t.equal(planned(repository(images), true).deletions.length, 1);
  t.end();
});

test('whatever the references, nothing that is reachable is ever in the plan', (t) => {
  const next = numbers(11);
  let deleted = 0;
  for (let round = 0; round < 3_000; round += 1) {
    const count = 2 + next(10);
    const names = Array.from({ length: count }, (_, index) => `m${index}`);
    const images = Object.fromEntries(
      names.map((name, index) => [
        name,
        {
          ...(next(8) === 0 ? {} : { days: next(20) }),
          children: names.slice(index + 1).filter(() => next(4) === 0),
          tags: Array.from({ length: next(3) }, (_, number) =>
            next(5) === 0 && number === 0
              ? `${digestFor(`m${next(count)}`).replace(':', '-')}.sig`
              : `t${index}-${number}`,
          ),
        },
      ]),
    );
    const facts = repository(images);
    const named = digestFor(`m${next(count)}`);
    const held = [`t${next(count)}-0`];
    const needs = { inSync: true, namedBy: (digest: Digest) => (digest === named ? 'ns/a:b' : undefined) };
    const own = { ...rules, keepRevisions: next(3), matches: (tag: string) => !tag.endsWith('-1') };
    const any = () => Array.from({ length: next(4) }, () => digestFor(`m${next(count)}`));
    const [left, only] = [any(), next(3) === 0 ? new Set(any()) : undefined];
    const { deletions } = imagesPlan({ facts, rules: own, needs, held, left, only });
    const going = new Set(deletions.map(({ digest }) => digest));
    deleted += going.size;
    const roots = [named, ...facts.manifests.keys()].filter((digest) => !going.has(digest));
    const isYoung = (digest: Digest) => {
      const builtAt = facts.manifests.get(digest)?.builtAt;
      return builtAt === undefined || now - builtAt <= rules.keepYoungerThanMs;
    };
    for (const [tag, digest] of facts.tags) {
      const mustStay =
        tag.endsWith('-1') || held.includes(tag) || (!tag.startsWith('sha256-') && isYoung(digest));
      if (only !== undefined && going.has(digest) && !only.has(digest)) t.fail(`round ${round}: ${digest}`);
      if (mustStay && going.has(digest)) t.fail(`round ${round}: ${tag} loses ${digest}`);
    }
    for (const [tag, digest] of facts.tags) {
      const [subject] = [...facts.manifests.keys()].filter((each) => tag.startsWith(each.replace(':', '-')));
      if (subject !== undefined && !going.has(subject) && going.has(digest))
        t.fail(`round ${round}: ${subject} stays and loses ${tag}`);
    }
    if (going.has(named)) t.fail(`round ${round}: a stream loses ${named}`);
    for (const root of roots)
      for (const child of facts.manifests.get(root)?.children ?? [])
        if (going.has(child)) t.fail(`round ${round}: ${root} stays and loses ${child}`);
  }
  t.ok(deleted > 500, `${deleted}`);
  t.end();
});
