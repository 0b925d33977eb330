import { test } from 'tap';
import type { ContentTags, Subject } from '../../../src/auth/access.ts';
import type { Judge, Verdict } from '../../../src/auth/clusters/cluster.ts';
import { type Question, questionText } from '../../../src/auth/question.ts';
import { rulePresets } from '../../../src/auth/rules/rule-presets.ts';
import { createAuthorizer } from '../../../src/auth/rules/ruled-access.ts';
import { createRuleBook } from '../../../src/auth/rules/rules.ts';
import type { MaybePromise } from '../../../src/base/flow/maybe-promise.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository, parseTag, type Tag } from '../../../src/oci/reference.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { sized } from '../../support/sized.ts';

const place = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
const ann: Subject = { name: 'ann', groups: [], cluster: 'app.ci' };
const digests = Array.from({ length: 10 }, (_, index) => digestOf(Buffer.from(`content ${index}`)));
const floats = ['a', 'b', 'c'].flatMap((namespace) =>
  ['x', 'y', 'z'].flatMap((name) =>
    ['1', '2'].map((tag) => ({ namespace, name, text: `${namespace}_${name}_${tag}` })),
  ),
);

/** Who may what: a stream, a namespace, or everything, as bindings of roles do. */
interface Grant {
  readonly namespace: string;
  readonly name?: string;
}

interface World {
  readonly grants: readonly Grant[];
  /** What each tag leads to, and which tags only did. */
  readonly holds: ReadonlyMap<Tag, ReadonlySet<Digest>>;
  readonly stale: ReadonlyMap<Tag, ReadonlySet<Digest>>;
  /** Questions that the cluster does not answer. */
  readonly silent: ReadonlySet<string>;
  /** Answers that take a turn of the loop. */
  readonly isLate: () => boolean;
}

function someOf<Item>(random: Random, items: readonly Item[], probability: number): Item[] {
  return items.filter(() => random.isLucky(probability));
}

function world(seed: number): World {
  const random = seeded(seed);
  const naming = someOf(random, digests, 0.3)
    .slice(0, 3)
    .map((digest) => `sha256-${digest.slice(7)}`);
  const tags = [...someOf(random, floats, 0.4).map(({ text }) => text), ...naming, 'other'].map(parseTag);
  const held = () => new Map(tags.map((tag) => [tag, new Set(someOf(random, digests, 0.15))]));
  const grants = someOf<Grant>(random, [...floats, { namespace: 'a' }, { namespace: 'b' }], 0.15);
  return {
    grants: random.isLucky(0.1) ? [...grants, { namespace: '' }] : grants,
    holds: held(),
    stale: held(),
    silent: new Set(
      random.isLucky(0.5)
        ? []
        : someOf(random, floats, 0.2).map(({ namespace, name }) => `${namespace}/${name}`),
    ),
    isLate: () => random.isLucky(0.5),
  };
}

/**
 * Rights by their definition: a tag's, by its stream; a digest's, by any tag that holds it; without
 * any bound or order.
 */
function mayRead({ grants, holds }: World): { tag(tag: Tag): boolean; digest(digest: Digest): boolean } {
  const isGranted = (namespace: string, name?: string): boolean =>
    grants.some(
      (grant) => grant.namespace === '' || (grant.namespace === namespace && (grant.name ?? name) === name),
    );
  const everything = grants.some(({ namespace }) => namespace === '');
  const digest = (wanted: Digest, path: readonly Digest[] = []): boolean =>
    everything ||
    (!path.includes(wanted) &&
      [...holds].some(([tag, held]) => held.has(wanted) && ofTag(tag, [...path, wanted])));
  const ofTag = (tag: Tag, path: readonly Digest[] = []): boolean => {
    const named = digests.find((one) => tag === `sha256-${one.slice(7)}`);
    if (named !== undefined) return digest(named, path);
    const [namespace = '', name] = tag.split('_');
    return everything || (name !== undefined && isGranted(namespace, name));
  };
  return { tag: (tag) => ofTag(tag), digest: (wanted) => digest(wanted) };
}

function sometimesLate<Value>({ isLate }: World, value: Value): MaybePromise<Value> {
  return isLate() ? Promise.resolve(value) : value;
}

function judgeOf(world: World): Judge {
  const memory = new Map<string, Verdict>();
  const may = ({ namespace, name }: Question): boolean =>
    world.grants.some(
      (grant) =>
        grant.namespace === '' ||
        (grant.namespace === namespace && (grant.name === undefined || grant.name === name)),
    );
  return {
    recall: (_subject, question) => memory.get(questionText(question)),
    ask(_subject, question) {
      if (world.silent.has(`${question.namespace}/${question.name}`))
        throw new RegistryError('UNAVAILABLE', 'silent');
      const verdict = { allowed: may(question) };
      memory.set(questionText(question), verdict);
      return sometimesLate(world, verdict);
    },
  };
}

function reachOf(world: World): ContentTags {
  return {
    tagsContaining: (_place, digest) =>
      sometimesLate(
        world,
        [...world.holds, ...world.stale].flatMap(([tag, held]) => (held.has(digest) ? [tag] : [])),
      ),
    unrecordedTags: async () => ({ tags: [], isAll: true }),
    tagContains: (_place, tag, digest) => sometimesLate(world, world.holds.get(tag)?.has(digest) === true),
  };
}

async function outcome(
  decision: () => MaybePromise<{ readonly allowed: boolean }>,
): Promise<'yes' | 'no' | 'unknown'> {
  try {
    return (await decision()).allowed ? 'yes' : 'no';
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UNAVAILABLE') return 'unknown';
    throw error;
  }
}

test('in every world the rights are those of the definition', async (t) => {
  const seen = { yes: 0, no: 0, unknown: 0 };
  const wrong: string[] = [];
  const worlds = sized(100, 200);
  const rules = createRuleBook(rulePresets.imagestream);
  for (let seed = 0; seed < worlds; seed += 1) {
    const here = world(seed);
    const may = mayRead(here);
    const judge = judgeOf(here);
    const { authorize, visible } = createAuthorizer({
      rules,
      judge,
      reach: reachOf(here),
    });
    const check = (what: string, is: 'yes' | 'no' | 'unknown', should: boolean): void => {
      seen[is] += 1;
      const isRight = is === 'unknown' ? here.silent.size > 0 : (is === 'yes') === should;
      if (!isRight) wrong.push(`world ${seed}: ${what} is ${is}, should be ${should}`);
    };
    for (const digest of digests) {
      const decide = () => authorize(ann, { ...place, action: 'pull', reference: { digest } });
      check(digest, await outcome(decide), may.digest(digest));
    }
    for (const tag of here.holds.keys()) {
      const decide = () => authorize(ann, { ...place, action: 'pull', reference: { tag } });
      check(tag, await outcome(decide), may.tag(tag));
    }
    if (here.silent.size > 0) continue;
    const tags = [...here.holds.keys()];
    const shown = await visible(ann, place, tags);
    if (shown.join() !== tags.filter(may.tag).join()) wrong.push(`world ${seed}: shows ${shown.join()}`);
  }
  t.same(wrong, []);
  t.ok(seen.yes > 2 * worlds && seen.no > 2 * worlds && seen.unknown > worlds / 4, JSON.stringify(seen));
});
