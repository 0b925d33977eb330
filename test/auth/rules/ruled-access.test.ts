import { test } from 'tap';
import type { Access, ContentTags, Decision, Subject } from '../../../src/auth/access.ts';
import type { Judge, Verdict } from '../../../src/auth/clusters/cluster.ts';
import { questionText } from '../../../src/auth/question.ts';
import { rulePresets } from '../../../src/auth/rules/rule-presets.ts';
import { createAuthorizer } from '../../../src/auth/rules/ruled-access.ts';
import { createRuleBook, type Rule } from '../../../src/auth/rules/rules.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository, parseTag, type Tag } from '../../../src/oci/reference.ts';

const place = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
const ann: Subject = { name: 'ann', groups: ['system:authenticated'], cluster: 'app.ci' };
const account: Subject = {
  name: 'system:serviceaccount:ci:bot',
  groups: ['system:serviceaccounts'],
  cluster: 'app.ci',
};
const robot: Subject = { name: 'system:serviceaccount:ci:robot', groups: ['system:serviceaccounts'] };
const everything = 'get imagestreams.image.openshift.io/layers --all-namespaces';

function digest(text: string): Digest {
  return digestOf(Buffer.from(text));
}

function layers(name: string, namespace: string): string {
  return `get imagestreams.image.openshift.io/layers ${name} -n ${namespace}`;
}

function down(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'cluster app.ci does not answer', { retryAfterSeconds: 5 });
}

/**
 * A cluster that allows these questions, remembers them once they are asked, and writes down which
 * those were.
 */
function cluster({
  allows = [],
  fails = () => false,
}: {
  allows?: string[];
  fails?: (text: string) => boolean;
}) {
  const asked: string[] = [];
  const memory = new Map<string, boolean>();
  const judge: Judge = {
    ask(subject, question) {
      const known = judge.recall(subject, question);
      if (known !== undefined) return known;
      const text = questionText(question);
      asked.push(text);
      return answer(text);
    },
    recall(_subject, question): Verdict | undefined {
      const allowed = memory.get(questionText(question));
      return allowed === undefined ? undefined : { allowed, isRemembered: true };
    },
  };
  async function answer(text: string): Promise<Verdict> {
    if (fails(text)) throw down();
    memory.set(text, allows.includes(text));
    return { allowed: allows.includes(text) };
  }
  return { judge, asked };
}

/** Which tags lead to which digests; `stale` tags are still named and lead nowhere. */
function graph(
  tags: Readonly<Record<string, readonly Digest[]>>,
  stale: Readonly<Record<string, readonly Digest[]>> = {},
) {
  const calls = { leadsTo: 0, tagsTowards: 0 };
  const towards = (held: Readonly<Record<string, readonly Digest[]>>, to: Digest): Tag[] =>
    Object.entries(held).flatMap(([tag, digests]) => (digests.includes(to) ? [parseTag(tag)] : []));
  const reach: ContentTags = {
    tagsContaining(_place, to) {
      calls.tagsTowards += 1;
      return [...towards(stale, to), ...towards(tags, to)];
    },
    unrecordedTags: async () => ({ tags: [], isAll: true }),
    tagContains(_place, tag, to) {
      calls.leadsTo += 1;
      return tags[tag]?.includes(to) === true;
    },
  };
  return { reach, calls };
}

function access(wanted: { tag?: string; digest?: Digest }): Access {
  const { tag, digest: named } = wanted;
  if (named !== undefined)
    return {
      ...place,
      action: 'pull',
      reference: { digest: named, ...(tag === undefined ? {} : { tag: parseTag(tag) }) },
    };
  return tag === undefined
    ? { ...place, action: 'pull' }
    : { ...place, action: 'pull', reference: { tag: parseTag(tag) } };
}

function authorizer(parts: {
  allows?: string[];
  fails?: (text: string) => boolean;
  tags?: Readonly<Record<string, readonly Digest[]>>;
  stale?: Readonly<Record<string, readonly Digest[]>>;
  rules?: readonly Rule[];
  listings?: 'filter' | 'refuse';
}) {
  const { judge, asked } = cluster(parts);
  const { reach, calls } = graph(parts.tags ?? {}, parts.stale);
  const rules = createRuleBook(parts.rules ?? rulePresets.imagestream);
  const { listings = 'filter' } = parts;
  return { ...createAuthorizer({ rules, judge, reach, listings }), judge, reach, asked, calls };
}

const shared = digest('shared layer');
const secret = digest('secret layer');
const two = { 'ocp_4.5_cli': [digest('cli'), shared], 'ocp-priv_4.5_cli': [digest('priv'), shared, secret] };

test('a tag is decided by its image stream', async (t) => {
  const { authorize } = authorizer({ allows: [layers('4.5', 'ocp')] });
  t.same(await authorize(ann, access({ tag: 'ocp_4.5_cli' })), {
    allowed: true,
    rule: 'imagestream: tag',
    question: layers('4.5', 'ocp'),
    cluster: 'app.ci',
  });
  t.match(await authorize(ann, access({ tag: 'ocp-priv_4.5_cli' })), {
    allowed: false,
    question: layers('4.5', 'ocp-priv'),
    reason:
      /ask for a role that allows `get imagestreams.image.openshift.io\/layers 4.5 -n ocp-priv` on cluster app.ci/,
  });
});

test('of a tag that may stand for several image streams the right to each is needed', async (t) => {
  const [one, other] = [layers('x', 'ci'), layers('x_a', 'ci')];
  const asked = async (...allows: string[]) =>
    authorizer({ allows }).authorize(ann, access({ tag: 'ci_x_a_b' }));
  t.match(await asked(one, other), { allowed: true, question: `${one} and ${other}` });
  for (const allows of [[one], [other], []]) {
    t.match(await asked(...allows), { allowed: false, reason: `role that allows \`${one} and ${other}\`` });
  }
  const { authorize } = authorizer({ allows: [one, other], fails: (text) => text === other });
  await t.rejects(Promise.resolve(authorize(ann, access({ tag: 'ci_x_a_b' }))), { code: 'UNAVAILABLE' });
});

test('several rights are remembered as one, and a missing one is enough for a no', async (t) => {
  const tag = 'ci_x_a_b';
  const both = authorizer({ allows: [layers('x', 'ci'), layers('x_a', 'ci')], tags: { [tag]: [shared] } });
  t.match(await both.authorize(ann, access({ tag })), { allowed: true, isRemembered: undefined });
  const again = both.authorize(ann, access({ tag }));
  t.notOk(again instanceof Promise);
  t.match(again, { allowed: true, isRemembered: true });
  t.match(both.authorize(ann, access({ digest: shared })), { allowed: true });
  t.equal(both.asked.length, 2);
  const half = authorizer({ allows: [layers('x_a', 'ci')], tags: { [tag]: [shared] } });
  t.match(await half.authorize(ann, access({ digest: shared })), { allowed: false });
  t.same(await half.visible(ann, place, [parseTag(tag)]), []);
});

test('what is remembered is decided at once, without a promise', async (t) => {
  const { authorize, asked } = authorizer({ allows: [layers('4.5', 'ocp')], tags: two });
  await authorize(ann, access({ tag: 'ocp_4.5_cli' }));
  t.match(authorize(ann, access({ tag: 'ocp_4.5_cli' })), { allowed: true, isRemembered: true });
  t.match(authorize(ann, access({ digest: shared })), {
    allowed: true,
    rule: 'imagestream: tag',
    question: layers('4.5', 'ocp'),
    isRemembered: true,
  });
  t.same(asked, [layers('4.5', 'ocp')]);
});

test('a digest has the rights of the tags that lead to it', async (t) => {
  const { authorize } = authorizer({ allows: [layers('4.5', 'ocp')], tags: two });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true });
  t.match(await authorize(ann, access({ digest: digest('cli') })), { allowed: true });
  t.match(await authorize(ann, access({ digest: secret })), { allowed: false });
});

test('a refused digest looks the same as an unknown one', async (t) => {
  const { authorize } = authorizer({ tags: two });
  const known = await authorize(ann, access({ digest: secret }));
  const { authorize: elsewhere } = authorizer({ tags: two });
  t.same(known, await elsewhere(ann, access({ digest: digest('unknown') })));
  t.match(known, {
    allowed: false,
    question: everything,
    reason: /no tag that you may pull.*--all-namespaces/,
  });
});

test('a digest that no tag leads to is for those who may read everything', async (t) => {
  const { authorize, calls } = authorizer({ allows: [everything] });
  t.match(await authorize(ann, access({ digest: secret })), {
    allowed: true,
    rule: 'imagestream: everything',
  });
  t.equal(calls.tagsTowards, 1);
  t.match(authorize(ann, access({ digest: secret })), { allowed: true });
  t.equal(calls.tagsTowards, 1, 'a remembered right to everything asks for no tag');
});

test('a tag that no longer leads to the digest gives no right', async (t) => {
  const parts = { allows: [layers('4.5', 'ocp')], stale: { 'ocp_4.5_cli': [secret] } };
  t.match(await authorizer(parts).authorize(ann, access({ digest: secret })), { allowed: false });
  const other = authorizer({ ...parts, tags: { 'ocp_4.5_new': [secret] } });
  t.match(
    await other.authorize(ann, access({ digest: secret })),
    { allowed: true },
    'another tag of the same question does',
  );
});

test('of a tag and a digest the digest decides', async (t) => {
  const { authorize } = authorizer({ allows: [layers('4.5', 'ocp')], tags: two });
  t.match(await authorize(ann, access({ tag: 'ocp_4.5_cli', digest: secret })), {
    allowed: false,
    reason: /layers 4.5 -n ocp`/,
  });
  t.match(await authorize(ann, access({ tag: 'ocp-priv_4.5_cli', digest: shared })), { allowed: true });
});

test('a tag that the client names is tried though nothing else names it', async (t) => {
  const tags = { 'ocp_4.5_cli': [shared] };
  const { judge } = cluster({ allows: [layers('4.5', 'ocp')] });
  const reach: ContentTags = { ...graph(tags).reach, tagsContaining: () => [] };
  const { authorize } = createAuthorizer({ rules: createRuleBook(rulePresets.imagestream), judge, reach });
  t.match(await authorize(ann, access({ tag: 'ocp_4.5_cli', digest: shared })), { allowed: true });
});

test('one question for each namespace comes before the second for any', async (t) => {
  const tags = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`ns${index % 50}_s${index}_x`, [shared]]),
  );
  const { authorize, asked } = authorizer({ tags });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: false });
  t.equal(asked.length, 101, 'and the last resort');
  t.equal(new Set(asked.slice(0, 50).map((text) => text.split(' -n ')[1])).size, 50);
  t.equal(asked.at(-1), everything);
});

test('the right to one of a thousand streams that share a layer is found', async (t) => {
  const streams = Array.from({ length: 1000 }, (_, index) => `ns${index}_s_x`);
  const tags = Object.fromEntries(streams.map((tag) => [tag, [shared]]));
  const { authorize } = authorizer({ tags, allows: [layers('s', 'ns999')] });
  t.match(await authorize(ann, access({ digest: shared })), {
    allowed: true,
    question: layers('s', 'ns999'),
  });
});

test('what was allowed before is asked first, and alone, when it has lapsed', async (t) => {
  const tags = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`ns${index}_s_x`, [shared]]));
  const { judge, asked } = cluster({ allows: [layers('s', 'ns400')] });
  const wasAllowed: Judge['wasAllowed'] = (_subject, { namespace }) => namespace === 'ns400';
  const { authorize } = createAuthorizer({
    rules: createRuleBook(rulePresets.imagestream),
    judge: { ...judge, wasAllowed },
    reach: graph(tags).reach,
  });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true });
  t.same(asked, [layers('s', 'ns400')]);
});

test('a cluster that falls silent in the middle of many questions is not waited for at each', async (t) => {
  const tags = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`ns${index}_s_x`, [shared]]));
  const { authorize, asked } = authorizer({ tags, fails: (text) => !/ns[0-9]$/.test(text) });
  await t.rejects(Promise.resolve(authorize(ann, access({ digest: shared }))), { code: 'UNAVAILABLE' });
  t.ok(asked.length < 40, `${asked.length}`);
});

test('before a refusal it looks at what other replicas have learned, but not for each tag of a list', async (t) => {
  const { judge } = cluster({ allows: [layers('4.5', 'ocp')] });
  const later = graph({ 'ocp_4.5_cli': [shared], [`sha256-${shared.slice(7)}`]: [digest('signature')] });
  const reach: ContentTags = {
    ...later.reach,
    tagsContaining: (where, to, { afresh = false } = {}) =>
      afresh ? later.reach.tagsContaining(where, to) : [],
  };
  const { authorize, visible } = createAuthorizer({
    rules: createRuleBook(rulePresets.imagestream),
    judge,
    reach,
  });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true, rule: 'imagestream: tag' });
  t.same(await visible(ann, place, [parseTag(`sha256-${shared.slice(7)}`)]), []);
  t.match(await authorize(ann, access({ digest: secret })), { allowed: false });
});

test('a tag that another replica has named, and is about to say where it leads, is tried again', async (t) => {
  const { judge } = cluster({ allows: [layers('4.5', 'ocp')] });
  const { reach: inTheEnd } = graph({ 'ocp_4.5_cli': [shared] });
  let isWritten = false;
  const reach: ContentTags = {
    ...inTheEnd,
    tagsContaining(where, to, { afresh = false } = {}) {
      isWritten ||= afresh;
      return inTheEnd.tagsContaining(where, to);
    },
    tagContains: (...asked) => isWritten && inTheEnd.tagContains(...asked),
  };
  const { authorize } = createAuthorizer({ rules: createRuleBook(rulePresets.imagestream), judge, reach });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true, rule: 'imagestream: tag' });
});

test('a right that is remembered counts for a tag that another replica has named meanwhile', async (t) => {
  const { judge } = cluster({ allows: [layers('4.5', 'ocp')] });
  const { reach: inTheEnd } = graph({ 'ocp_4.5_cli': [shared] });
  const reach: ContentTags = {
    ...inTheEnd,
    tagsContaining: (where, to, { afresh = false } = {}) =>
      afresh ? inTheEnd.tagsContaining(where, to) : [],
  };
  const { authorize } = createAuthorizer({ rules: createRuleBook(rulePresets.imagestream), judge, reach });
  t.match(await authorize(ann, access({ tag: 'ocp_4.5_other' })), { allowed: true });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true, rule: 'imagestream: tag' });
});

test('a right that another request learns in the middle of a search counts for both', async (t) => {
  const { judge } = cluster({ allows: [layers('4.5', 'ocp')] });
  const signature = `sha256-${digest('cli').slice(7)}.sig`;
  const { reach: content } = graph({ 'ocp_4.5_cli': [shared], [signature]: [shared] });
  const { authorize } = createAuthorizer({
    rules: createRuleBook(rulePresets.imagestream),
    judge,
    reach: {
      ...content,
      async tagContains(where, tag, to) {
        if (tag === signature) await authorize(ann, access({ tag: 'ocp_4.5_other' }));
        return content.tagContains(where, tag, to);
      },
    },
  });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true, rule: 'imagestream: tag' });
});

test('the right to an image covers its signatures', async (t) => {
  const signed = digest('cli');
  const tag = `sha256-${signed.slice(7)}.sig`;
  const signature = digest('signature');
  const tags = { ...two, [tag]: [signature] };
  const { authorize } = authorizer({ allows: [layers('4.5', 'ocp')], tags });
  t.match(await authorize(ann, access({ tag })), { allowed: true, rule: 'imagestream: signature' });
  t.match(await authorize(ann, access({ digest: signature })), { allowed: true });
  const other = authorizer({ allows: [layers('4.5', 'ocp-priv')], tags });
  t.match(await other.authorize(ann, access({ tag })), { allowed: false });
  t.match(await other.authorize(ann, access({ digest: signature })), { allowed: false });
});

test('a config that the signatures of two hundred streams share is for the readers of each', async (t) => {
  const signed = Array.from({ length: 200 }, (_, index) => digest(`image ${index}`));
  const tags = Object.fromEntries(
    signed.flatMap((image, index) => [
      [`sha256-${image.slice(7)}.sig`, [shared]],
      [`ns${index}_s_x`, [image]],
    ]),
  );
  for (const stream of ['ns0', 'ns199']) {
    const { authorize } = authorizer({ allows: [layers('s', stream)], tags });
    t.match(await authorize(ann, access({ digest: shared })), { allowed: true });
  }
  t.match(await authorizer({ tags }).authorize(ann, access({ digest: shared })), { allowed: false });
});

test('the empty config of all artifacts is public, and grants nothing else', async (t) => {
  const { authorize } = authorizer({
    tags: { [`sha256-${digest('cli').slice(7)}`]: [digest('{}'), secret] },
  });
  t.match(await authorize(ann, access({ digest: digest('{}') })), { allowed: true, rule: 'empty config' });
  t.match(await authorize(ann, access({ digest: secret })), { allowed: false });
  const elsewhere = { ...access({ digest: digest('{}') }), repository: parseRepository('other/repository') };
  t.match(await authorize(ann, elsewhere), { allowed: false });
  t.match(await authorize(robot, access({ digest: digest('{}') })), { allowed: false });
});

test('digests that name each other in a circle end', async (t) => {
  const [a, b] = [digest('a'), digest('b')];
  const tags = { [`sha256-${a.slice(7)}`]: [b], [`sha256-${b.slice(7)}`]: [a] };
  const { authorize, calls } = authorizer({ tags });
  t.match(await authorize(ann, access({ digest: a })), { allowed: false });
  t.ok(calls.tagsTowards <= 6);
});

test('a cluster that does not answer is neither a yes nor a no', async (t) => {
  const { authorize, visible } = authorizer({ fails: () => true, tags: two });
  const unavailable = { code: 'UNAVAILABLE' };
  await t.rejects(Promise.resolve(authorize(ann, access({ tag: 'ocp_4.5_cli' }))), unavailable);
  await t.rejects(Promise.resolve(authorize(ann, access({ digest: shared }))), unavailable);
  await t.rejects(visible(ann, place, [parseTag('ocp_4.5_cli')]), unavailable);
});

test('a question that fails does not stand in the way of another that is allowed', async (t) => {
  const fails = (text: string) => text === layers('4.5', 'ocp-priv');
  const { authorize } = authorizer({ fails, allows: [layers('4.5', 'ocp')], tags: two });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true });
  await t.rejects(Promise.resolve(authorize(ann, access({ digest: secret }))), { code: 'UNAVAILABLE' });
});

test('a cluster that is silent is asked about the namespace and eight streams, not a thousand', async (t) => {
  const tags = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`n_s${index}_x`, [shared]]));
  const { authorize, asked } = authorizer({ tags, fails: () => true });
  await t.rejects(Promise.resolve(authorize(ann, access({ digest: shared }))), { code: 'UNAVAILABLE' });
  t.equal(asked.length, 9);
});

test('what cannot be told of the content is UNAVAILABLE, unless something else gives the right', async (t) => {
  const rules = createRuleBook(rulePresets.imagestream);
  const { judge } = cluster({ allows: [layers('4.5', 'ocp'), layers('4.5', 'ocp-priv')] });
  const reach: ContentTags = {
    ...graph(two).reach,
    tagContains: async (_place, tag) => {
      if (tag === 'ocp-priv_4.5_cli') throw down();
      return true;
    },
  };
  const { authorize } = createAuthorizer({ rules, judge, reach });
  await t.rejects(Promise.resolve(authorize(ann, access({ digest: secret }))), { code: 'UNAVAILABLE' });
  t.match(await authorize(ann, access({ digest: shared })), { allowed: true });
});

test('a list shows the tags that may be pulled, in their order', async (t) => {
  const { authorize, visible, asked } = authorizer({ allows: [layers('4.5', 'ocp')], tags: two });
  const signature = `sha256-${digest('cli').slice(7)}.sig`;
  const tags = ['ocp_4.5_cli', 'ocp-priv_4.5_cli', signature, 'ocp_4.5_base', 'other'].map(parseTag);
  t.same(authorize(ann, access({})), { allowed: true, isPartial: true });
  t.same(await visible(ann, place, tags), ['ocp_4.5_cli', signature, 'ocp_4.5_base']);
  t.equal(new Set(asked).size, asked.length, 'each question is asked once');
});

test('a list can be refused where it would show a part', async (t) => {
  const { authorize } = authorizer({ listings: 'refuse' });
  t.match(authorize(ann, access({})), { allowed: false, isPartial: true, reason: /not listed/ });
});

test('a list that does not depend on tags is decided like a pull', async (t) => {
  const { authorize, visible } = authorizer({ rules: rulePresets.open });
  t.same(authorize(ann, access({})), { allowed: true, rule: 'open' });
  t.same(await visible(ann, place, [parseTag('x')]), ['x']);
});

test('service accounts pass where the rule exempts them, people do not', async (t) => {
  const { authorize, asked } = authorizer({ rules: rulePresets.parity });
  t.same(authorize(account, access({ digest: secret })), { allowed: true, rule: 'parity' });
  t.match(await authorize(ann, access({ digest: secret })), { allowed: false });
  t.equal(asked.length, 1);
});

test('a robot has no rights here, whatever it is called', async (t) => {
  for (const rules of Object.values(rulePresets)) {
    const { authorize, visible } = authorizer({ rules, tags: two, allows: [everything] });
    for (const wanted of [{ tag: 'ocp_4.5_cli' }, { digest: shared }, {}])
      t.match(await authorize(robot, access(wanted)), {
        allowed: rules === rulePresets.imagestream && false,
      });
    t.same(await visible(robot, place, [parseTag('ocp_4.5_cli')]), []);
  }
});

test('a cluster that is not among those that decide here gives no rights, not even exemptions', async (t) => {
  const { judge } = cluster({ allows: [everything] });
  const { reach } = graph(two);
  for (const rules of [rulePresets.parity, rulePresets.open, rulePresets.imagestream]) {
    const options = { rules: createRuleBook(rules), judge, reach };
    const here = createAuthorizer({ ...options, clusters: ['app.ci'] });
    const elsewhere = createAuthorizer({ ...options, clusters: ['build01'] });
    t.match(await here.authorize(account, access({ tag: 'ocp_4.5_cli' })), {
      allowed: rules !== rulePresets.imagestream,
    });
    t.match(await elsewhere.authorize(account, access({ tag: 'ocp_4.5_cli' })), { allowed: false });
    t.same(await elsewhere.visible(account, place, [parseTag('ocp_4.5_cli')]), []);
  }
});

test('an exemption means a user, or a group of the cluster itself', async (t) => {
  const rules = [
    { name: 'r', repositories: /.+/, ask: { namespace: 'x' }, exempt: ['ops', 'system:admins'] },
  ];
  const { authorize } = authorizer({ rules });
  const allowed = async (subject: Subject): Promise<boolean> =>
    ((await authorize(subject, access({ tag: 'x' }))) satisfies Decision).allowed;
  t.equal(await allowed({ ...ann, name: 'ops' }), true);
  t.equal(await allowed({ ...ann, name: 'ops-too' }), false);
  t.equal(await allowed({ ...ann, groups: ['ops'] }), false);
  t.equal(await allowed({ ...ann, groups: ['system:admins'] }), true);
});

test('an exemption of one rule is none of another that has its name and its question', async (t) => {
  const ask = { namespace: 'x' };
  const rules = [
    { name: 'r', repositories: /.+/, tags: /a/, ask, exempt: ['ann'] },
    { name: 'r', repositories: /.+/, tags: /b/, ask },
  ];
  t.same(await authorizer({ rules }).visible(ann, place, ['a', 'b'].map(parseTag)), ['a']);
});
