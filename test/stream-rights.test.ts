import { type Test, test } from 'tap';
import type { Subject } from '../src/auth/access.ts';
import type { Judge, Verdict } from '../src/auth/clusters/cluster.ts';
import { type Question, questionText } from '../src/auth/question.ts';
import { rulePresets } from '../src/auth/rules/rule-presets.ts';
import { createAuthorizer } from '../src/auth/rules/ruled-access.ts';
import { createRuleBook } from '../src/auth/rules/rules.ts';
import { isRootIn, labelRightsKey } from '../src/auth/rules/stream-paths.ts';
import { type Digest, digestOf } from '../src/oci/digest.ts';
import { parseRepository, parseTag } from '../src/oci/reference.ts';
import { type Cache, type CacheRigOptions, cacheRig } from './support/cache-rig.ts';
import { flatRepository } from './support/flat-repository.ts';
import { memoryStreamIndex } from './support/memory-stream-index.ts';
import { sized } from './support/sized.ts';

const people = ['ann', 'priya', 'mallory', 'rita', 'tom', 'nobody'] as const;
type Person = (typeof people)[number];

/** `<namespace>` or `<namespace>/<name>`. */
const grants: Readonly<Record<Person, readonly string[]>> = {
  ann: ['ocp/4.20'],
  priya: ['ocp-priv'],
  mallory: ['mallory'],
  rita: ['rh'],
  tom: ['team/app'],
  nobody: [],
};

function may(name: Person, { namespace, name: stream }: Question): boolean {
  return grants[name].some((grant) => grant === namespace || grant === `${namespace}/${stream}`);
}

const subjects = Object.fromEntries(
  people.map((name): [string, Subject] => [name, { name, groups: [], cluster: 'app.ci' }]),
) as Record<Person, Subject>;

/** A cluster that remembers what it was asked. */
function remembering() {
  const asked: string[] = [];
  const known = new Map<string, boolean>();
  const key = ({ name }: Subject, question: Question) => `${name} ${questionText(question)}`;
  const verdict = (allowed: boolean | undefined): Verdict | undefined =>
    allowed === undefined ? undefined : { allowed, isRemembered: true };
  const judge: Judge = {
    recall: (subject, question) => verdict(known.get(key(subject, question))),
    ask(subject, question) {
      const recalled = judge.recall(subject, question);
      if (recalled !== undefined) return recalled;
      asked.push(key(subject, question));
      const allowed = may(subject.name as Person, question);
      known.set(key(subject, question), allowed);
      return { allowed };
    },
  };
  return { judge, asked };
}

async function streamRig(t: Test, options: CacheRigOptions = {}, list = rulePresets.imagestream) {
  const index = memoryStreamIndex();
  const rules = createRuleBook(list);
  const rig = await cacheRig(t, {
    isRoot: (place, digest) => isRootIn([index], place, digest),
    scopeOf: (place, tag) => labelRightsKey([rules], [index], [place, tag]),
    ...options,
  });
  const content = flatRepository(rig.double, rig.repository);
  const { judge, asked } = remembering();
  const limited: string[] = [];

  function authorizerOf({ reach }: Pick<Cache, 'reach'>) {
    return createAuthorizer({
      rules,
      judge,
      reach,
      proofs: reach,
      streams: (cluster) => (cluster === index.cluster ? index : undefined),
      events: { searchLimited: ({ cluster }) => void limited.push(cluster) },
    });
  }

  /** As a client: 200 and the content, 403, or 503. */
  function clientOf(cache: Pick<Cache, 'reach' | 'registry'>) {
    const { authorize, visible } = authorizerOf(cache);
    const place = { upstream: 'quay.io', repository: rig.repository };
    async function status(name: Person, digest: Digest, more: object = {}): Promise<number> {
      try {
        const subject = subjects[name];
        const access = { ...place, ...more, reference: { digest }, action: 'pull' } as const;
        return (await authorize(subject, access)).allowed ? 200 : 403;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'UNAVAILABLE') return 503;
        throw error;
      }
    }
    /** A manifest is also answered, as the cache spreads labels then. */
    async function pull(name: Person, digest: Digest): Promise<number> {
      const is = await status(name, digest);
      if (is === 200) await cache.registry.manifests.resolve(rig.repository, { digest });
      return is;
    }
    return { status, pull, authorize, visible };
  }
  return { rig, index, content, asked, limited, clientOf, rules, ...clientOf(rig) };
}

type StreamRig = Awaited<ReturnType<typeof streamRig>>;

async function statuses(
  { status }: Pick<StreamRig, 'status'>,
  name: Person,
  digests: readonly Digest[],
): Promise<number[]> {
  return Promise.all(digests.map((digest) => status(name, digest)));
}

/** Only those who may: `all` of `yes`, none of the others. */
async function onlyFor(
  t: Test,
  client: Pick<StreamRig, 'status'>,
  yes: readonly Person[],
  digests: readonly Digest[],
  what: string,
): Promise<void> {
  for (const name of people) {
    const expected = digests.map(() => (yes.includes(name) ? 200 : 403));
    t.same(await statuses(client, name, digests), expected, `${what}: ${name}`);
  }
}

function twoPlatforms({ content }: Pick<StreamRig, 'content'>, name: string, ...tags: string[]) {
  const images = ['amd64', 'arm64'].map((platform) => content.image(['base', `${name} ${platform}`]));
  const index = content.index(
    images.map(({ digest }) => digest),
    ...tags,
  );
  const own = images.flatMap(({ digest, config, layers }) => [digest, config, ...layers.slice(1)]);
  return { index, images, own: [index, ...own] };
}

test('what a stream of a trusted namespace names is for its readers, from a cold store, with all below', async (t) => {
  const rig = await streamRig(t);
  const { index, images, own } = twoPlatforms(rig, 'cli');
  rig.index.name('ocp/4.20:cli', index);
  t.equal(await rig.pull('nobody', index), 403);
  t.equal(rig.rig.asked(''), 0, 'and those who may not have it cost the upstream nothing');
  t.equal(await rig.pull('ann', index), 200);
  for (const { digest } of images) t.equal(await rig.pull('ann', digest), 200);
  await onlyFor(t, rig, ['ann'], own, 'all of it');
  await rig.rig.settled();
  await onlyFor(t, rig.clientOf(rig.rig.replica()), ['ann'], own, 'after a restart');
});

test('what only a record says of a stream gives nothing without the stream, or the trust', async (t) => {
  const rig = await streamRig(t);
  const { index, images, own } = twoPlatforms(rig, 'cli');
  rig.index.name('ocp/4.20:cli', index);
  for (const digest of [index, ...images.map((image) => image.digest)])
    t.equal(await rig.pull('ann', digest), 200);
  rig.index.trusted.delete('ocp');
  await onlyFor(t, rig, [], own, 'taken off the list');
  rig.index.trusted.add('ocp');
  await onlyFor(t, rig, ['ann'], own, 'put back');
  rig.index.remove('ocp/4.20');
  await onlyFor(t, rig, [], own, 'the stream is deleted');
  rig.index.name('mallory/4.20:cli', index);
  await onlyFor(t, rig, [], own, 'another has made one');
});

test('a stream of one’s own names a private digest for nothing, before and after its owner pulls it', async (t) => {
  const rig = await streamRig(t);
  const { index, images, own } = twoPlatforms(rig, 'secret', 'ocp-priv_4.20_cli');
  const signature = rig.content.artifact(index, 'a signature');
  const all = [...own, ...signature.all];
  for (const [at, digest] of all.entries()) rig.index.name(`mallory/x:t${at}`, digest);
  const unknown = digestOf(Buffer.from('nowhere'));
  const refusals = async () =>
    Promise.all([...all, unknown].map((digest) => decision(rig, 'mallory', digest)));
  const before = await refusals();
  t.same(new Set(before), new Set([before.at(-1)]), 'as if unknown');
  t.match(before[0], /"allowed":false/);
  const seen = rig.rig.double.requests.map(({ method, path }) => `${method} ${path}`);
  t.ok(
    seen.every((line) => /^HEAD \/v2\/openshift\/ci\/manifests\/mallory_x_t\d+$/.test(line)),
    seen.join('\n'),
  );
  t.equal(new Set(seen).size, seen.length, 'each is asked about once');
  const tag = parseTag('ocp-priv_4.20_cli');
  await rig.rig.registry.manifests.resolve(rig.rig.repository, { tag });
  await rig.rig.registry.listings.referrers(rig.rig.repository, index, '');
  for (const digest of [...images.map((image) => image.digest), signature.digest])
    t.equal(await rig.pull('priya', digest), 200);
  t.same(
    await statuses(rig, 'priya', all),
    all.map(() => 200),
  );
  rig.rig.pass(31_000);
  t.same(await refusals(), before, 'and after');
  await onlyFor(t, rig, ['priya'], all, 'all of it');
  await rig.rig.settled();
  await onlyFor(t, rig.clientOf(rig.rig.replica()), ['priya'], all, 'after a restart');
});

async function decision({ authorize, rig }: StreamRig, name: Person, digest: Digest): Promise<string> {
  const access = { upstream: 'quay.io', repository: rig.repository, action: 'pull' } as const;
  const { isRemembered: _, ...rest } = await authorize(subjects[name], { ...access, reference: { digest } });
  return JSON.stringify(rest);
}

test('the flat tag of any stream is a proof, by one HEAD for all who wait', async (t) => {
  const rig = await streamRig(t);
  const { index, images, own } = twoPlatforms(rig, 'app', 'team_app_v1');
  rig.index.name('team/app:v1', index);
  const answers = await Promise.all(Array.from({ length: 50 }, () => rig.status('tom', index)));
  t.same(new Set(answers), new Set([200]));
  t.same(
    rig.rig.double.requests.map(({ method, path }) => `${method} ${path}`),
    ['HEAD /v2/openshift/ci/manifests/team_app_v1'],
  );
  for (const digest of [index, ...images.map((image) => image.digest)])
    t.equal(await rig.pull('tom', digest), 200);
  await onlyFor(t, rig, ['tom'], own, 'all of it');
  t.equal(rig.rig.asked('HEAD /v2/openshift/ci/manifests/team_app_v1'), 1);
  await rig.rig.settled();
  await onlyFor(t, rig.clientOf(rig.rig.replica()), ['tom'], own, 'after a restart');
  t.equal(rig.rig.asked('HEAD /v2/openshift/ci/manifests/team_app_v1'), 1, 'which asks nothing again');
});

test('a stream that imports one platform of an index is proven by the index', async (t) => {
  const rig = await streamRig(t);
  const { images } = twoPlatforms(rig, 'app', 'team_app_v1');
  const [amd64] = images;
  if (amd64 === undefined) throw new Error('no image');
  rig.index.name('team/app:v1', amd64.digest);
  rig.index.name('team/app:v1', amd64.layers[1] as Digest);
  t.equal(await rig.pull('tom', amd64.digest), 200);
  t.equal(await rig.status('tom', amd64.layers[1] as Digest), 200, 'and what is below');
  t.equal(await rig.status('nobody', amd64.digest), 403);
});

test('a flat tag that means something else, or nothing, is no proof; it is asked about twice a minute', async (t) => {
  const rig = await streamRig(t);
  const secret = rig.content.image(['secret']);
  rig.content.image(['app'], 'team_app_v1');
  rig.index.name('team/app:v1', secret.digest);
  rig.index.name('team/app:v2', secret.digest);
  for (let attempt = 0; attempt < 5; attempt += 1) t.equal(await rig.status('tom', secret.digest), 403);
  t.equal(rig.rig.asked('HEAD'), 2);
  rig.rig.pass(31_000);
  t.equal(await rig.status('tom', secret.digest), 403);
  t.equal(rig.rig.asked('HEAD'), 4);
});

test('a list of tags asks the upstream about no hint, and knows those that are proven', async (t) => {
  const rig = await streamRig(t);
  const place = { upstream: 'quay.io', repository: rig.rig.repository };
  const images = Array.from({ length: 20 }, (_, at) => rig.content.image([`app ${at}`], `team_app_v${at}`));
  for (const [at, { digest }] of images.entries()) rig.index.name(`team/app:v${at}`, digest);
  const signatures = images.map(({ digest }) => parseTag(`${digest.replace(':', '-')}.sig`));
  t.same(await rig.visible(subjects.tom, place, signatures), []);
  t.equal(rig.rig.asked('HEAD'), 0);
  t.equal(await rig.status('tom', (images[3] as (typeof images)[number]).digest), 200);
  t.same(await rig.visible(subjects.tom, place, signatures), [signatures[3]]);
  t.same(await rig.visible(subjects.nobody, place, signatures), []);
  t.equal(rig.rig.asked('HEAD'), 1);
});

test('an image that a flat tag meant before is proven for `formerMs`', async (t) => {
  const rig = await streamRig(t, { formerMs: 3_600_000 });
  const old = rig.content.image(['old'], 'team_app_v1');
  rig.index.name('team/app:v1', old.digest);
  t.equal(await rig.status('tom', old.digest), 200);
  const next = rig.content.image(['new'], 'team_app_v1');
  rig.index.name('team/app:v1', next.digest);
  rig.rig.pass(6_000);
  t.equal(await rig.status('tom', next.digest), 200, 'the new one at once');
  t.equal(await rig.status('tom', old.digest), 200);
  rig.rig.pass(3_600_000);
  t.equal(await rig.status('tom', old.digest), 403);
});

test('while the upstream cannot be asked there is no proof, and no refusal', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['app'], 'team_app_v1');
  rig.index.name('team/app:v1', digest);
  rig.rig.double.switches.down = true;
  t.equal(await rig.status('tom', digest), 503);
  t.equal(await rig.status('nobody', digest), 403, 'but to those for whom it would prove nothing');
});

test('a flat tag that may stand for several streams proves nothing for one of them', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['private of rh_ee'], 'rh_ee_abc_aro_v1.0');
  grantsOf('rita', ['rh/ee_abc_aro']);
  t.teardown(() => grantsOf('rita', ['rh']));
  rig.index.name('rh/ee_abc_aro:v1.0', digest);
  t.equal(await rig.status('rita', digest), 403);
});

function grantsOf(name: Person, streams: readonly string[]): void {
  (grants as Record<Person, readonly string[]>)[name] = streams;
}

test('a rule before that of image streams decides for their flat tags, also by digest', async (t) => {
  const repositories = { source: String.raw`quay\.io/openshift/ci` };
  const rig = await streamRig(t, {}, [
    { name: 'embargo', repositories, tags: { source: 'ocp_4\\.20_embargo.*' }, refuse: true },
    { name: 'special', repositories, tags: { source: 'ocp_4\\.20_special' }, ask: { namespace: 'ocp-priv' } },
    ...rulePresets.imagestream,
  ]);
  const [embargoed, special, plain, both] = ['e', 's', 'p', 'b'].map((text) => rig.content.image([text]));
  if (!(embargoed && special && plain && both)) throw new Error('no images');
  rig.index.name('ocp/4.20:embargo-1', embargoed.digest);
  rig.index.name('ocp/4.20:special', special.digest);
  rig.index.name('ocp/4.20:cli', plain.digest);
  rig.index.name('ocp/4.20:embargo-2', both.digest);
  rig.index.name('ocp/4.20:cli', both.digest);
  await onlyFor(t, rig, [], [embargoed.digest], 'refused to all');
  await onlyFor(t, rig, ['priya'], [special.digest], 'asked about something else');
  await onlyFor(t, rig, ['ann'], [plain.digest, both.digest], 'as ever');
  t.equal(await rig.pull('ann', both.digest), 200);
  await onlyFor(t, rig, ['ann'], both.all, 'what is below');
});

test('a digest that a public and a private stream name is for the readers of both', async (t) => {
  const rig = await streamRig(t);
  const { digest, all } = rig.content.image(['shared']);
  rig.index.name('ocp-priv/4.20:cli', digest);
  t.equal(await rig.pull('priya', digest), 200);
  await onlyFor(t, rig, ['priya'], all, 'private');
  rig.index.name('ocp/4.20:cli', digest);
  t.equal(await rig.pull('ann', digest), 200);
  await onlyFor(t, rig, ['priya', 'ann'], all, 'published');
});

test('a stream counts for the repository, the upstream and the cluster that it is of', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['app']);
  rig.index.name('ocp/4.20:cli', digest, 'other/repository');
  t.equal(await rig.status('ann', digest), 403);
  rig.index.name('ocp/4.20:cli', digest);
  t.equal(await rig.status('ann', digest), 200);
  t.equal(await rig.status('ann', digest, { upstream: 'registry.example.com' }), 403);
  t.equal(await rig.status('ann', digest, { repository: parseRepository('other/repository') }), 403);
  const { authorize } = rig;
  const access = { upstream: 'quay.io', repository: rig.rig.repository, action: 'pull' } as const;
  const elsewhere = { ...subjects.ann, cluster: 'build01' };
  t.match(await authorize(elsewhere, { ...access, reference: { digest } }), { allowed: false });
});

test('a cluster that lies in its index gives its own subjects what it could grant them anyway, and no other', async (t) => {
  const rig = await streamRig(t);
  const { digest, all } = rig.content.image(['secret'], 'ocp-priv_4.20_cli');
  const liar = memoryStreamIndex({ cluster: 'build01' });
  for (const each of all) liar.name('ocp/4.20:cli', each);
  const { judge } = remembering();
  const { reach } = rig.rig;
  const { authorize } = createAuthorizer({
    ...{ rules: rig.rules, judge, reach, proofs: reach },
    streams: (cluster) => (cluster === 'build01' ? liar : rig.index),
  });
  const tag = parseTag('ocp-priv_4.20_cli');
  await rig.rig.registry.manifests.resolve(rig.rig.repository, { tag });
  for (const each of all) {
    t.equal((await authorize(subjects.ann, layer(rig, each))).allowed, false);
    t.equal((await authorize(subjects.mallory, layer(rig, each))).allowed, false);
  }
  liar.state = 'syncing';
  t.equal((await authorize(subjects.ann, layer(rig, digest))).allowed, false, 'nor a wait');
});

test('while streams are not known there is no refusal, and what is known counts', async (t) => {
  const rig = await streamRig(t);
  const known = rig.content.image(['known']);
  const other = rig.content.image(['other'], 'ocp_4.20_other');
  rig.index.name('ocp/4.20:cli', known.digest);
  for (const [state, status] of [
    ['syncing', 200],
    ['stale', 200],
    ['synced', 200],
    ['expired', 503],
  ] as const) {
    rig.index.state = state;
    t.equal(await rig.status('ann', known.digest), status, state);
    t.equal(await rig.status('ann', other.digest), state === 'synced' ? 403 : 503, state);
    t.equal(await rig.status('nobody', known.digest), state === 'synced' ? 403 : 503, state);
  }
  await rig.rig.registry.manifests.resolve(rig.rig.repository, { tag: parseTag('ocp_4.20_other') });
  t.equal(await rig.status('ann', other.digest), 200, 'a tag that leads there is enough');
});

test('while some streams had no room there is no refusal', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['app'], 'ocp_4.20_cli');
  rig.index.name('ocp/4.20:cli', digest);
  rig.index.lacks = 'the image streams are more than this process keeps';
  t.equal(await rig.status('ann', digest), 200);
  t.equal(await rig.status('nobody', digest), 503);
  rig.index.lacks = undefined;
  t.equal(await rig.status('nobody', digest), 403);
});

test('an unknown digest is looked for once among the streams before the refusal', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['app']);
  rig.index.nameLater('ocp/4.20:cli', digest);
  t.equal(await rig.status('ann', digest), 200);
  t.same(rig.index.looks, [digest]);
  t.equal(await rig.status('ann', digest), 200);
  t.same(rig.index.looks, [digest], 'and not for what is known');
});

test('`parity` asks what the original asks, whatever streams say', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['app']);
  rig.index.name('ocp/4.20:cli', digest);
  rig.index.state = 'syncing';
  const { judge, asked } = remembering();
  const { authorize } = createAuthorizer({
    ...{ rules: createRuleBook(rulePresets.parity), judge, reach: rig.rig.reach, proofs: rig.rig.reach },
    streams: () => rig.index,
  });
  const access = { upstream: 'quay.io', repository: rig.rig.repository, action: 'pull' } as const;
  t.match(await authorize(subjects.nobody, { ...access, reference: { digest } }), { allowed: false });
  t.same(asked, ['nobody get imagestreams.image.openshift.io/layers -n ocp']);
  t.same(rig.index.looks, []);
});

test('a referrer is for the readers of the stream that names its subject, and for no other', async (t) => {
  const rig = await streamRig(t);
  const image = rig.content.image(['app']);
  const signature = rig.content.artifact(image.digest, 'signature');
  rig.index.name('ocp/4.20:cli', image.digest);
  t.equal(await rig.pull('ann', image.digest), 200);
  await rig.rig.registry.listings.referrers(rig.rig.repository, image.digest, '');
  t.equal(await rig.pull('ann', signature.digest), 200);
  await onlyFor(t, rig, ['ann'], [...image.all, ...signature.all], 'image and signature');
});

test('a base layer under many trusted images of many streams is for the readers of each stream', async (t) => {
  const rig = await streamRig(t);
  const images = Array.from({ length: sized(200, 2_000) }, (_, at) =>
    rig.content.image(['base', `app ${at}`]),
  );
  const streamCount = sized(100, 300);
  const streamOf = (at: number) => `ocp/s${at % streamCount}`;
  for (const [at, { digest }] of images.entries()) rig.index.name(`${streamOf(at)}:t${at}`, digest);
  const base = images[0]?.layers[0] as Digest;
  grantsOf('nobody', ['ocp']);
  for (const { digest } of images) await rig.pull('nobody', digest);
  grantsOf('nobody', []);
  for (const at of [0, streamCount / 2, streamCount - 1]) {
    grantsOf('tom', [streamOf(at)]);
    const later = rig.clientOf(rig.rig);
    const fresh = { ...subjects.tom, uid: `${at}` };
    t.equal((await later.authorize(fresh, layer(rig, base))).allowed, true, streamOf(at));
  }
  grantsOf('tom', ['team/app']);
});

function layer({ rig }: StreamRig, digest: Digest) {
  const access = { upstream: 'quay.io', repository: rig.repository, action: 'pull' } as const;
  return { ...access, reference: { digest } };
}

test('of thousands of streams that share a digest the cluster is asked about few, and the limit is counted', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['base']);
  for (let at = 0; at < sized(1_500, 5_000); at += 1) rig.index.name(`ocp/s${at}:x`, digest);
  t.equal(await rig.status('nobody', digest), 503, 'not refused out of ignorance');
  t.ok(rig.asked.length <= 1_026, `${rig.asked.length}`);
  t.same(rig.limited, ['app.ci']);
  const before = rig.asked.length;
  grantsOf('tom', ['ocp']);
  t.equal(await rig.status('tom', digest), 200);
  t.equal(rig.asked.length - before, 2, 'the namespace, and one stream of it');
  grantsOf('tom', ['team/app']);
});

test('hints of a stranger do not keep a reader from a stream that is proven', async (t) => {
  const rig = await streamRig(t);
  const { digest } = rig.content.image(['base']);
  for (let at = 0; at < sized(1_500, 5_000); at += 1) rig.index.name(`mallory/s${at}:x`, digest);
  rig.index.name('ocp/4.20:cli', digest);
  t.equal(await rig.status('ann', digest), 200);
  t.ok(rig.asked.length <= 2, rig.asked.join('\n'));
  t.equal(await rig.status('mallory', digest), 503, 'more hints than are proven at once');
  t.ok(rig.rig.asked('HEAD') <= 8, `${rig.rig.asked('HEAD')}`);
});

test('what was decided is decided again at once, without a look at anything', async (t) => {
  const rig = await streamRig(t);
  const image = rig.content.image(['layer']);
  rig.index.name('ocp/4.20:cli', image.digest);
  await rig.pull('ann', image.digest);
  await rig.rig.settled();
  for (const digest of image.all) {
    await rig.authorize(subjects.ann, layer(rig, digest));
    const again = rig.authorize(subjects.ann, layer(rig, digest));
    t.match(again, { allowed: true, isRemembered: true, question: /layers 4\.20 -n ocp$/ });
    t.notOk(again instanceof Promise);
  }
});
