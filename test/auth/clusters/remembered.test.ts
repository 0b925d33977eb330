import { test } from 'tap';
import type { Subject } from '../../../src/auth/access.ts';
import type { Cluster, Verdict } from '../../../src/auth/clusters/cluster.ts';
import { type RememberedOptions, remembered } from '../../../src/auth/clusters/remembered.ts';
import { RegistryError } from '../../../src/oci/errors.ts';

const layers = { verb: 'get', group: 'image.openshift.io', resource: 'imagestreams', subresource: 'layers' };
const cli = { ...layers, namespace: 'ocp', name: 'cli' };
const alice: Subject = { name: 'alice', groups: ['dev', 'ops'], uid: 'u-1', cluster: 'app.ci' };
const down = () => new RegistryError('UNAVAILABLE', 'cluster app.ci cannot be reached');

/**
 * A cluster that knows the tokens of the set, gives the rights of the other, and answers when told
 * to.
 */
function recorded(options: RememberedOptions = {}) {
  const known = new Set(['alices-token']);
  const rights = new Set(['alice']);
  const asked: string[] = [];
  const hits: string[] = [];
  const state = { isDown: false, now: 1_000_000 };
  let answers = Promise.resolve();
  const answer = async <Value>(text: string, value: () => Value): Promise<Value> => {
    asked.push(text);
    await answers;
    if (state.isDown) throw down();
    return value();
  };
  const cluster: Cluster = {
    name: 'app.ci',
    review: (token) => answer(token, () => (known.has(token) ? { ...alice } : undefined)),
    ask: ({ name }, question) =>
      answer(
        `${name} ${'path' in question ? question.path : question.namespace}`,
        (): Verdict => ({ allowed: rights.has(name), reason: 'RBAC' }),
      ),
    close: async () => {},
  };
  const memory = remembered(cluster, {
    now: () => state.now,
    events: { remembered: ({ kind }) => hits.push(kind) },
    ...options,
  });
  const held = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    answers = promise;
    return resolve;
  };
  return { memory, asked, hits, known, rights, state, held };
}

test('500 logins at once are one review, and later ones none', async (t) => {
  const { memory, asked, hits } = recorded();
  const logins = Array.from({ length: 500 }, () => memory.review('alices-token'));
  const subjects = await Promise.all(logins);
  t.equal(new Set(subjects).size, 1);
  t.equal(memory.review('alices-token'), subjects[0], 'at once, and the very same');
  t.same(asked, ['alices-token']);
  t.same(hits, ['token']);
});

test('a token is asked about again when its time is over, a bad one sooner', async (t) => {
  const { memory, asked, state } = recorded();
  await memory.review('alices-token');
  t.equal(await memory.review('other-token'), undefined);
  state.now += 30_000;
  t.match(memory.review('alices-token'), { name: 'alice' });
  await memory.review('other-token');
  state.now += 90_000;
  await memory.review('alices-token');
  t.same(asked, ['alices-token', 'other-token', 'other-token', 'alices-token']);
});

test('no token is remembered past its own end', async (t) => {
  const { memory, asked, known, state } = recorded();
  const claims = { exp: state.now / 1000 + 10 };
  const token = `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
  known.add(token);
  await memory.review(token);
  state.now += 9_999;
  t.match(memory.review(token), { name: 'alice' });
  state.now += 1;
  known.delete(token);
  t.equal(await memory.review(token), undefined);
  t.equal(asked.length, 2);
});

test('a right is remembered for its subject only', async (t) => {
  const { memory, asked, hits } = recorded();
  t.same(await memory.ask(alice, cli), { allowed: true, reason: 'RBAC', isRemembered: false });
  t.same(memory.ask(alice, cli), { allowed: true, reason: 'RBAC', isRemembered: true });
  const sameAgain = { ...alice, groups: ['ops', 'dev'] };
  t.match(memory.ask(sameAgain, cli), { allowed: true }, 'who they are counts, not which token said so');
  t.same(hits, ['access', 'access']);
  const others: readonly Subject[] = [
    { ...alice, name: 'bob' },
    { ...alice, groups: ['dev'] },
    { ...alice, uid: 'u-2' },
    { ...alice, extra: { scopes: ['user:info'] } },
    { ...alice, cluster: 'build01' },
  ];
  for (const other of others) t.equal(memory.recall(other, cli), undefined);
  const { name: _, ...everyName } = cli;
  for (const question of [
    { ...cli, namespace: 'ocp-priv' },
    { ...cli, name: 'tools' },
    everyName,
    { ...cli, name: '' },
    { ...cli, verb: 'update' },
    { ...cli, group: '' },
    { ...cli, version: 'v1' },
    { ...cli, resource: 'imagestreams/layers', subresource: '' },
  ])
    t.equal(memory.recall(alice, question), undefined);
  t.same(asked, ['alice ocp']);
});

test('a right that was taken away works no longer than it is remembered, and a new one shows sooner', async (t) => {
  const { memory, rights, state } = recorded();
  await memory.ask(alice, cli);
  await memory.ask({ ...alice, name: 'bob' }, cli);
  rights.delete('alice');
  rights.add('bob');
  state.now += 29_999;
  t.match(memory.recall({ ...alice, name: 'bob' }, cli), { allowed: false, isRemembered: true });
  state.now += 1;
  t.match(await memory.ask({ ...alice, name: 'bob' }, cli), { allowed: true, isRemembered: false });
  state.now += 269_999;
  t.match(memory.recall(alice, cli), { allowed: true });
  state.now += 1;
  t.equal(memory.recall(alice, cli), undefined);
  t.match(await memory.ask(alice, cli), { allowed: false });
});

test('that something was allowed is known until the cluster says no, as a hint and not as a right', async (t) => {
  const { memory, rights, state } = recorded();
  t.equal(memory.wasAllowed?.(alice, cli), false);
  await memory.ask(alice, cli);
  state.now += 300_000;
  t.equal(memory.recall(alice, cli), undefined);
  t.equal(memory.wasAllowed?.(alice, cli), true);
  rights.clear();
  t.match(await memory.ask(alice, cli), { allowed: false });
  t.equal(memory.wasAllowed?.(alice, cli), false);
});

test('what is remembered counts while the cluster is down, and no failure is remembered', async (t) => {
  const { memory, asked, state } = recorded();
  await memory.review('alices-token');
  await memory.ask(alice, cli);
  state.isDown = true;
  t.match(memory.review('alices-token'), { name: 'alice' });
  t.match(memory.ask(alice, cli), { allowed: true });
  const both = [memory.review('other-token'), memory.review('other-token')];
  t.match(await Promise.allSettled(both), [
    { reason: { code: 'UNAVAILABLE' } },
    { reason: { code: 'UNAVAILABLE' } },
  ]);
  await t.rejects(Promise.resolve(memory.ask(alice, { ...cli, namespace: 'ci' })), { code: 'UNAVAILABLE' });
  t.equal(asked.filter((text) => text === 'other-token').length, 1, 'but all who wait share it');
  state.isDown = false;
  t.equal(await memory.review('other-token'), undefined);
  t.match(await memory.ask(alice, { ...cli, namespace: 'ci' }), { allowed: true });
});

test('guesses push out neither what works nor a right', async (t) => {
  const { memory } = recorded({ maxEntries: 2 });
  await memory.review('alices-token');
  await memory.ask(alice, cli);
  for (const guess of ['guess-1', 'guess-2', 'guess-3']) {
    await memory.review(guess);
    await memory.ask({ ...alice, name: 'bob' }, { ...cli, name: guess });
  }
  t.match(memory.review('alices-token'), { name: 'alice' });
  t.match(memory.recall(alice, cli), { allowed: true });
});

test('what is forgotten is asked again, and what was under way is not remembered', async (t) => {
  const { memory, asked, known, held } = recorded();
  await memory.review('alices-token');
  await memory.ask(alice, cli);
  memory.forget();
  t.equal(memory.recall(alice, cli), undefined);
  const release = held();
  const early = memory.review('alices-token');
  await Promise.resolve();
  memory.forget();
  const late = memory.review('alices-token');
  release();
  t.match(await Promise.all([early, late]), [{ name: 'alice' }, { name: 'alice' }]);
  t.equal(
    asked.filter((text) => text === 'alices-token').length,
    3,
    'no later caller gets an earlier answer',
  );
  known.clear();
  t.match(memory.review('alices-token'), { name: 'alice' }, 'the answer to the later question is kept');
});

test('where a subject was allowed something is known, also when that has lapsed, until it is forgotten', async (t) => {
  const { memory, state } = recorded();
  t.equal(memory.wasAllowedIn?.(alice, 'ocp'), false);
  await memory.ask(alice, cli);
  await memory.ask({ ...alice, name: 'bob' }, cli);
  state.now += 3_600_000;
  t.equal(memory.wasAllowedIn?.(alice, 'ocp'), true);
  t.equal(memory.wasAllowedIn?.(alice, 'ocp-priv'), false);
  t.equal(memory.wasAllowedIn?.({ ...alice, name: 'bob' }, 'ocp'), false);
  memory.forget();
  t.equal(memory.wasAllowedIn?.(alice, 'ocp'), false);
});
