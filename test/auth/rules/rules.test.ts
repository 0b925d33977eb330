import { test } from 'tap';
import { createRuleBook, type Rule, rightsKey } from '../../../src/auth/rules/rules.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';

const place = { upstream: 'quay.io', repository: parseRepository('ours/app') };
const tag = parseTag('dev_1');

function rule(parts: Partial<Rule>): Rule {
  return { name: 'r', repositories: /.+/, ...parts };
}

test('the first rule that fits decides', async (t) => {
  const rules = createRuleBook([
    rule({ name: 'elsewhere', repositories: /ghcr\.io\/.+/, refuse: true }),
    rule({ name: 'other tags', tags: /prod_.+/, refuse: true }),
    rule({ name: 'these', tags: /dev_.+/, allow: true }),
    rule({ name: 'rest', refuse: true, reason: 'no' }),
  ]);
  t.same(rules.ofTag(place, tag), { kind: 'allow', rule: 'these' });
  t.same(rules.ofTag(place, parseTag('x')), { kind: 'refuse', rule: 'rest', reason: 'no' });
  t.same(rules.ofRepository(place), { kind: 'refuse', rule: 'rest', reason: 'no' });
  t.equal(rules.dependsOnTag(place), true);
});

test('a rule without tags that comes first leaves nothing to the tag', async (t) => {
  const rules = createRuleBook([rule({ allow: true }), rule({ tags: /.+/, refuse: true })]);
  t.equal(rules.dependsOnTag(place), false);
  t.equal(rules.ofTag(place, tag).kind, 'allow');
});

test('what no rule names is refused', async (t) => {
  const rules = createRuleBook([rule({ tags: /prod/, allow: true })]);
  t.match(rules.ofTag(place, tag), { kind: 'refuse', reason: /no access rule/ });
  t.match(rules.ofRepository(place), { kind: 'refuse' });
  t.match(createRuleBook([]).ofTag(place, tag), { kind: 'refuse' });
});

test('a question takes the groups of both expressions', async (t) => {
  const rules = createRuleBook([
    rule({
      repositories: /[^/]+\/(?<owner>[^/]+)\/.+/,
      tags: /(?<stage>[a-z]+)_.+/,
      ask: {
        namespace: '$<owner>-$<stage>',
        name: 'app',
        verb: 'list',
        group: '',
        resource: 'pods',
        subresource: '',
      },
    }),
  ]);
  t.match(rules.ofTag(place, tag), {
    text: 'list pods app -n ours-dev',
    questions: [{ verb: 'list', group: '', resource: 'pods', namespace: 'ours-dev', name: 'app' }],
  });
});

test('a group without a text asks for more, never for less', async (t) => {
  const ask = { namespace: '$<namespace>', name: '$<name>' };
  const rules = createRuleBook([rule({ tags: /(?:(?<namespace>n)|(?<name>x)|.+)/, ask })]);
  t.match(rules.ofTag(place, parseTag('n')), { text: /layers -n n$/ });
  t.match(rules.ofTag(place, parseTag('x')), { text: /layers x --all-namespaces$/ });
  t.match(rules.ofTag(place, parseTag('else')), { text: /layers --all-namespaces$/ });
});

test('a question without a verb or a resource refuses', async (t) => {
  const rules = createRuleBook([rule({ tags: /(?<verb>x)?.+/, ask: { namespace: 'a', verb: '$<verb>' } })]);
  t.equal(rules.ofTag(place, tag).kind, 'refuse');
});

test('expressions fit whole names, whatever their flags', async (t) => {
  const rules = createRuleBook([
    rule({ repositories: /quay.io\/ours/gm, refuse: true }),
    rule({ allow: true }),
  ]);
  t.equal(rules.ofTag(place, tag).kind, 'allow');
  const stateful = createRuleBook([rule({ tags: /dev_\d|x/gy, allow: true })], { maxEntries: 1 });
  for (const text of ['dev_1', 'dev_2', 'dev_1'])
    t.equal(stateful.ofTag(place, parseTag(text)).kind, 'allow');
  t.equal(stateful.ofTag(place, parseTag('dev_12')).kind, 'refuse');
});

test('equal questions are one object, and so is a ruling', async (t) => {
  const rules = createRuleBook([rule({ tags: /(?<ns>[a-z]+)_.+/, ask: { namespace: '$<ns>' } })]);
  t.equal(rules.ofTag(place, parseTag('dev_1')), rules.ofTag(place, parseTag('dev_2')));
  t.not(rules.ofTag(place, parseTag('dev_1')), rules.ofTag(place, parseTag('prod_2')));
});

test('tags with the same rights in all lists have the same key', async (t) => {
  const one = createRuleBook([rule({ tags: /(?<ns>[a-z]+)_.+/, ask: { namespace: '$<ns>' } })]);
  const other = createRuleBook([rule({ tags: /.+_1/, allow: true })]);
  const key = (text: string) => rightsKey([one, other], place, parseTag(text));
  t.equal(key('dev_2'), key('dev_3'));
  t.not(key('dev_1'), key('dev_2'));
  t.not(key('dev_2'), key('prod_2'));
});

test('a tag that names no digest is refused', async (t) => {
  const rules = createRuleBook([
    rule({ tags: /(?:(?<algorithm>sha512)-)?(?<hex>[0-9a-f]+)/, followDigest: true }),
  ]);
  t.match(rules.ofTag(place, parseTag('a'.repeat(64))), {
    kind: 'follow',
    digest: `sha256:${'a'.repeat(64)}`,
  });
  t.equal(rules.ofTag(place, parseTag('abc')).kind, 'refuse');
  t.equal(rules.ofTag(place, parseTag(`sha512-${'a'.repeat(64)}`)).kind, 'refuse');
});

test('a rule that says nothing, or too much, is refused by name', async (t) => {
  t.throws(() => createRuleBook([rule({ name: 'idle' })]), { message: /^rule idle: .*not none$/ });
  t.throws(() => createRuleBook([rule({ allow: true, refuse: true })]), { message: /not allow and refuse$/ });
  t.throws(() => createRuleBook([rule({ ask: { namespace: '$<nowhere>' } })]), {
    message: /^rule r: .*group nowhere/,
  });
  t.throws(() => createRuleBook([rule({ followDigest: true })]), {
    message: /^rule r: tags must have a group hex/,
  });
  t.throws(() => createRuleBook([rule({ repositories: /(?<hex>.+)/, tags: /.+/, followDigest: true })]));
});
