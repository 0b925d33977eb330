import { test } from 'tap';
import type { ContentProofs, ContentTags, Subject } from '../../../src/auth/access.ts';
import type { Judge, Verdict } from '../../../src/auth/clusters/cluster.ts';
import { type Question, questionText } from '../../../src/auth/question.ts';
import { rulePresets } from '../../../src/auth/rules/rule-presets.ts';
import { createAuthorizer } from '../../../src/auth/rules/ruled-access.ts';
import { createRuleBook } from '../../../src/auth/rules/rules.ts';
import type { MaybePromise } from '../../../src/base/flow/maybe-promise.ts';
import { flatTag } from '../../../src/image-streams/flat-tags.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag, type Tag } from '../../../src/oci/reference.ts';
import { rootLabel } from '../../../src/oci/root-label.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { memoryStreamIndex } from '../../support/memory-stream-index.ts';
import { sized } from '../../support/sized.ts';

const place = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
const ann: Subject = { name: 'ann', groups: [], cluster: 'app.ci' };
const digests = Array.from({ length: 10 }, (_, index) => digestOf(Buffer.from(`content ${index}`)));
const streamTags = ['a', 'b', 'c'].flatMap((namespace) =>
  ['x', 'y'].flatMap((name) => ['1', '2'].map((tag) => ({ namespace, name, tag }))),
);
type StreamTag = (typeof streamTags)[number];

/** What streams say, what is true, and who may what; `b` and `c` may be trusted. */
interface World {
  readonly grants: readonly { readonly namespace: string; readonly name?: string }[];
  readonly trusted: readonly string[];
  readonly named: readonly (readonly [StreamTag, Digest])[];
  /** What hangs below each manifest. */
  readonly below: ReadonlyMap<Digest, ReadonlySet<Digest>>;
  /** What each flat tag leads to at the upstream. */
  readonly holds: ReadonlyMap<Tag, ReadonlySet<Digest>>;
  /** Flat tags of which records say nothing. */
  readonly hidden: ReadonlySet<Tag>;
  /** Labels of records that lie: the content says otherwise. */
  readonly mislabelled: ReadonlyMap<Digest, ReadonlySet<Digest>>;
  readonly isLate: () => boolean;
}

function someOf<Item>(random: Random, items: readonly Item[], probability: number): Item[] {
  return items.filter(() => random.isLucky(probability));
}

function world(seed: number): World {
  const random = seeded(seed);
  const some = (probability: number) => new Set(someOf(random, digests, probability));
  const tags = someOf(random, streamTags, 0.5).map((tag) => parseTag(flatTag(tag)));
  return {
    grants: someOf(random, [...streamTags, { namespace: 'a' }, { namespace: 'c' }], 0.15),
    trusted: someOf(random, ['b', 'c'], 0.6),
    named: streamTags.flatMap((tag) => someOf(random, digests, 0.12).map((digest) => [tag, digest] as const)),
    below: new Map(digests.map((digest) => [digest, some(0.15)])),
    holds: new Map(tags.map((tag) => [tag, some(0.2)])),
    hidden: new Set(someOf(random, tags, 0.5)),
    mislabelled: new Map(digests.map((digest) => [digest, some(0.1)])),
    isLate: () => random.isLucky(0.5),
  };
}

function isGranted({ grants }: World, { namespace, name }: Pick<Question, 'namespace' | 'name'>): boolean {
  return grants.some((grant) => grant.namespace === namespace && (grant.name ?? name) === name);
}

/** The right to a digest by its definition, without an order or a limit. */
function mayRead(here: World, digest: Digest): boolean {
  const byTag = [...here.holds].some(([tag, held]) => {
    const [namespace = '', name] = tag.split('_');
    const hints = here.named.some(
      ([stream, named]) =>
        named === digest && flatTag(stream) === tag && !here.trusted.includes(stream.namespace),
    );
    const isKnown = !here.hidden.has(tag) || hints;
    return held.has(digest) && isKnown && isGranted(here, { namespace, name: name ?? '' });
  });
  const byStream = here.named.some(
    ([stream, root]) =>
      here.trusted.includes(stream.namespace) &&
      isGranted(here, stream) &&
      (root === digest || here.below.get(root)?.has(digest) === true),
  );
  return byTag || byStream;
}

function judgeOf(here: World): Judge {
  const memory = new Map<string, Verdict>();
  return {
    recall: (_subject, question) => memory.get(questionText(question)),
    ask(_subject, question) {
      const verdict = { allowed: isGranted(here, question) };
      memory.set(questionText(question), verdict);
      return late(here, verdict);
    },
  };
}

function late<Value>({ isLate }: World, value: Value): MaybePromise<Value> {
  return isLate() ? Promise.resolve(value) : value;
}

function contentOf(here: World): ContentTags & ContentProofs {
  const labels = (digest: Digest): Tag[] =>
    digests
      .filter((root) => here.below.get(root)?.has(digest) || here.mislabelled.get(root)?.has(digest))
      .flatMap((root) => rootLabel(root) ?? []);
  return {
    tagsContaining: (_place, digest) =>
      late(here, [
        ...[...here.holds].flatMap(([tag, held]) => (held.has(digest) && !here.hidden.has(tag) ? [tag] : [])),
        ...labels(digest),
      ]),
    unrecordedTags: async () => ({ tags: [], isAll: true }),
    tagContains: (_place, tag, digest) =>
      late(here, !here.hidden.has(tag) && here.holds.get(tag)?.has(digest) === true),
    manifestContains: (_place, root, digest) => late(here, here.below.get(root)?.has(digest) === true),
    tagLeadsNow: (_place, tag, digest) => late(here, here.holds.get(tag)?.has(digest) === true),
  };
}

test('in every world of streams the rights are those of the definition', async (t) => {
  const wrong: string[] = [];
  const seen = { yes: 0, no: 0 };
  const worlds = sized(150, 400);
  const rules = createRuleBook(rulePresets.imagestream);
  for (let seed = 0; seed < worlds; seed += 1) {
    const here = world(seed);
    const index = memoryStreamIndex({ trusted: here.trusted });
    for (const [{ namespace, name, tag }, digest] of here.named)
      index.name(`${namespace}/${name}:${tag}`, digest);
    const content = contentOf(here);
    const { authorize } = createAuthorizer({
      rules,
      judge: judgeOf(here),
      reach: content,
      proofs: content,
      streams: () => index,
    });
    for (const digest of digests) {
      const { allowed } = await authorize(ann, { ...place, action: 'pull', reference: { digest } });
      seen[allowed ? 'yes' : 'no'] += 1;
      if (allowed !== mayRead(here, digest)) wrong.push(`world ${seed}: ${digest} is ${allowed}`);
    }
  }
  t.same(wrong, []);
  t.ok(seen.yes > worlds && seen.no > worlds, JSON.stringify(seen));
});
