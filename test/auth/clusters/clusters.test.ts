import { test } from 'tap';
import type { Subject } from '../../../src/auth/access.ts';
import type { RememberedCluster, Verdict } from '../../../src/auth/clusters/cluster.ts';
import { type ClustersOptions, createClusters } from '../../../src/auth/clusters/clusters.ts';
import type { MaybePromise } from '../../../src/base/flow/maybe-promise.ts';
import { RegistryError } from '../../../src/oci/errors.ts';

const token = 'sha256~alices-token';
const question = { verb: 'get', group: '', resource: 'pods', namespace: 'ci' };
const basic = (password: string, username = 'anybody') => ({ kind: 'basic', username, password }) as const;
const bearer = (value: string) => ({ kind: 'bearer', token: value }) as const;
const jwtOf = (issuer: string) =>
  `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify({ iss: issuer })).toString('base64url')}.c2ln`;

/** A cluster whose reviews are answered by the function; what it was asked stands in `asked`. */
function cluster(name: string, review: (token: string) => MaybePromise<string | undefined>) {
  const asked: string[] = [];
  const subject = (known: string | undefined): Subject | undefined =>
    known === undefined ? undefined : { name: known, groups: [], cluster: name };
  const verdict: Verdict = { allowed: true };
  const made: RememberedCluster = {
    name,
    review(shown) {
      asked.push(shown);
      const answer = review(shown);
      return answer instanceof Promise ? answer.then(subject) : subject(answer);
    },
    ask: () => verdict,
    recall: () => verdict,
    forget: () => void asked.push('forget'),
    close: async () => {},
  };
  return { made, asked };
}

const knows = (name: string, user: string) =>
  cluster(name, async (shown) => (shown === token ? user : undefined));
const isDown = (name: string) =>
  cluster(name, () => Promise.reject(new RegistryError('UNAVAILABLE', `cluster ${name} cannot be reached`)));
const hangs = (name: string) => cluster(name, () => new Promise(() => {}));

function joined(list: readonly { readonly made: RememberedCluster }[], options?: ClustersOptions) {
  return createClusters(
    list.map(({ made }) => made),
    { patienceMs: 5, ...options },
  );
}

test('the token is the password of any user, or the bearer itself', async (t) => {
  const one = knows('app.ci', 'alice');
  const { authenticate } = joined([one]);
  for (const credential of [
    basic(token),
    basic(token, ''),
    basic(`admin:${token}`, 'kube'),
    basic(token, 'kube:admin'),
    bearer(token),
  ])
    t.match(await authenticate(credential), { name: 'alice', cluster: 'app.ci' });
  t.same(new Set(one.asked), new Set([token]));
});

test('what no cluster can have made costs no question', async (t) => {
  const one = knows('app.ci', 'alice');
  const { authenticate } = joined([one]);
  for (const wrong of [
    '',
    'short',
    'has a space in it',
    'größer-als-nichts',
    'x'.repeat(8193),
    'line\nbreaks',
  ])
    t.equal(authenticate(basic(wrong)), undefined);
  t.same(one.asked, []);
  t.equal(await authenticate(basic('x'.repeat(8192))), undefined);
  t.equal(one.asked.length, 1);
});

test('clusters are asked in order, and no further than to the one that knows', async (t) => {
  const list = [knows('build01', 'never'), knows('app.ci', 'alice'), knows('build02', 'other')];
  const [first, second, third] = list;
  const { authenticate } = joined([cluster('build01', async () => undefined), ...list.slice(1)]);
  t.match(await authenticate(basic(token)), { name: 'alice', cluster: 'app.ci' });
  t.same([first?.asked, second?.asked, third?.asked], [[], [token], []]);
  t.equal(await joined(list).authenticate(basic('nobodys-token')), undefined);
});

test('what is remembered is answered at once', (t) => {
  const { authenticate } = joined([cluster('build01', () => undefined), cluster('app.ci', () => 'alice')]);
  t.match(authenticate(basic(token)), { name: 'alice' });
  t.end();
});

test('a cluster that is down or silent does not block subjects of another', async (t) => {
  for (const broken of [isDown('build01'), hangs('build01')])
    for (const list of [
      [broken, knows('app.ci', 'alice')],
      [knows('app.ci', 'alice'), broken],
    ])
      t.match(await joined(list).authenticate(basic(token)), { name: 'alice' });
});

test('no subject is refused while a cluster that may know it does not answer', async (t) => {
  const list = [isDown('build01'), knows('app.ci', 'alice')];
  await t.rejects(Promise.resolve(joined(list).authenticate(basic('nobodys-token'))), {
    code: 'UNAVAILABLE',
    message: 'cluster build01 cannot be reached',
  });
  await t.rejects(Promise.resolve(joined([...list].reverse()).authenticate(basic('nobodys-token'))), {
    code: 'UNAVAILABLE',
  });
});

test('who knew a token is asked first the next time', async (t) => {
  const silent = hangs('build01');
  const both = joined([silent, knows('app.ci', 'alice')]);
  await both.authenticate(basic(token));
  t.match(await both.authenticate(basic(token)), { name: 'alice' });
  t.equal(silent.asked.length, 1);
});

test('a token of a known issuer is shown to its cluster alone', async (t) => {
  const issuers = { build01: 'https://build01', 'app.ci': 'https://app.ci' };
  const list = [cluster('build01', async () => undefined), cluster('app.ci', async () => undefined)] as const;
  const { authenticate } = joined(list, { issuers });
  await authenticate(bearer(jwtOf('https://app.ci')));
  t.same([list[0].asked.length, list[1].asked.length], [0, 1]);
  await authenticate(bearer(jwtOf('https://elsewhere')));
  t.same([list[0].asked.length, list[1].asked.length], [1, 2]);
  const same = { build01: 'https://app.ci', 'app.ci': 'https://app.ci' };
  await joined(list, { issuers: same }).authenticate(bearer(jwtOf('https://app.ci')));
  t.same([list[0].asked.length, list[1].asked.length], [2, 3], 'an issuer of two is of both');
  t.equal(joined([list[0]], { issuers }).authenticate(bearer(jwtOf('https://app.ci'))), undefined);
  t.equal(list[0].asked.length, 2, 'also where its cluster is not in the list');
});

test('a subject is judged by its own cluster, and by none that is not in the list', (t) => {
  const { ask, recall } = joined([knows('app.ci', 'alice')]);
  const alice = { name: 'alice', groups: [], cluster: 'app.ci' };
  t.same(ask(alice, question), { allowed: true });
  t.same(recall(alice, question), { allowed: true });
  for (const stranger of [
    { ...alice, cluster: 'gone' },
    { name: 'robot', groups: [] },
  ]) {
    t.same(ask(stranger, question), { allowed: false });
    t.equal(recall(stranger, question), undefined);
  }
  t.end();
});

test('all are forgotten together', (t) => {
  const list = [knows('app.ci', 'alice'), knows('build01', 'bob')];
  joined(list).forget();
  t.same(
    list.map(({ asked }) => asked),
    [['forget'], ['forget']],
  );
  t.end();
});
