import { type Test, test } from 'tap';
import { type AccessRig, accessRig, ciHost, ciRepository, sharingImage } from '../support/access-rig.ts';
import { until } from '../support/bodies.ts';

const tokens = {
  ann: 'sha256~ann-may-pull-4.5-and-nothing-else-here',
  bob: 'sha256~bob-may-pull-nothing-at-all-in-this-test',
  olga: 'sha256~olga-operates-and-may-impersonate-nobody',
  root: 'sha256~root-operates-and-may-impersonate-people',
} as const;

type Who = keyof typeof tokens;

interface Told {
  readonly status: number;
  readonly text: string;
  readonly verdict?: string;
  readonly notes: readonly string[];
  readonly steps: readonly {
    readonly title: string;
    readonly mark: string;
    readonly found: readonly string[];
  }[];
}

interface Stage extends AccessRig {
  /** Asks the admin port: as a user, or from the host itself, or from elsewhere without a login. */
  explain(
    who: Who | 'local' | 'elsewhere' | 'stranger',
    query: Readonly<Record<string, string>>,
  ): Promise<Told>;
  /** A pull by the user; resolves to its status and the id of the answer. */
  pull(who: Who, tag: string, ...lines: readonly string[]): Promise<{ status: number; id: string }>;
}

/** Ann may pull `ocp/4.5`; olga and root are operators, and root may impersonate. */
async function stage(t: Test): Promise<Stage> {
  const users = Object.fromEntries(
    Object.entries(tokens).map(([name, token]) => [token, { username: name }]),
  );
  const rig = await accessRig(t, {
    people: {
      users,
      bindings: [
        { to: 'ann', namespace: 'ocp', name: '4.5' },
        { to: 'root', verb: 'impersonate', group: '', resource: 'users', name: 'ann' },
        { to: 'root', verb: 'impersonate', group: '', resource: 'groups', name: 'readers' },
        {
          to: 'root',
          verb: 'impersonate',
          group: '',
          resource: 'serviceaccounts',
          namespace: 'ci',
          name: 'puller',
        },
      ],
      pathRights: [
        { to: 'olga', verbs: ['get'], prefix: '/quayside/' },
        { to: 'root', verbs: ['get'], prefix: '/quayside/' },
      ],
    },
    settings: { admin: { listen: '127.0.0.1:0', cluster: 'app.ci' } },
  });
  const login = new Map<Who, string>();
  return {
    ...rig,
    get log() {
      return rig.log;
    },
    async explain(who, query) {
      const token = who === 'stranger' ? 'sha256~a-token-that-no-cluster-knows-at-all' : tokens[who as Who];
      const answer = await fetch(`http://${rig.service.adminAddress}/explain?${new URLSearchParams(query)}`, {
        headers: {
          accept: 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(who === 'elsewhere' ? { 'x-forwarded-for': '10.0.0.7' } : {}),
        },
      });
      const text = await answer.text();
      const { verdict, notes = [], steps = [] } = JSON.parse(text) as Partial<Told>;
      return { status: answer.status, text, notes, steps, ...(verdict === undefined ? {} : { verdict }) };
    },
    async pull(who, tag, ...lines) {
      const token = login.get(who) ?? (await rig.login(tokens[who]));
      login.set(who, token);
      const answer = await rig.get(`/v2/${ciRepository}/manifests/${tag}`, token, ...lines);
      await answer.arrayBuffer();
      return { status: answer.status, id: answer.headers.get('x-request-id') ?? '' };
    },
  };
}

function marks({ steps }: Told): Readonly<Record<string, string>> {
  return Object.fromEntries(steps.map(({ title, mark }) => [title, mark]));
}

const base = { input: 'ocp/4.5:base' };

test('from the host itself all steps are shown, without a user', async (t) => {
  const { explain, double } = await stage(t);
  const { digest } = sharingImage(double, 'ocp_4.5_base');
  const told = await explain('local', base);
  t.equal(told.status, 200, told.text);
  t.equal(told.verdict, 'well', told.text);
  t.equal(marks(told)['rights'], 'unknown');
  t.match(told.text, digest);
  t.match(told.text, /with the configured login/);
  t.match(told.text, /circuit breaker closed/);
});

test('no login from elsewhere and an unknown token are refused, and nothing is asked', async (t) => {
  const { explain, double } = await stage(t);
  t.equal((await explain('elsewhere', base)).status, 401);
  t.equal((await explain('stranger', base)).status, 401);
  t.same(double.seen('/v2/openshift'), []);
});

test('a user sees what it may pull, and nothing of the mirror, of settings, of what was', async (t) => {
  const { explain, double, pull } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  t.equal((await pull('ann', 'ocp_4.5_base')).status, 200);
  const told = await explain('ann', base);
  t.equal(told.status, 200, told.text);
  t.match(marks(told), {
    rights: 'ok',
    tag: 'ok',
    upstream: 'ok',
    mirror: 'unknown',
    source: 'unknown',
    maker: 'unknown',
  });
  t.match(marks(told), { 'image stream': 'unknown' });
  t.notMatch(told.text, double.url);
  t.notMatch(told.text, /circuit breaker|configured login|was sha256/);
});

test('who may not pull it learns nothing: there or not is the same answer, and nothing is asked', async (t) => {
  const { explain, double, pull } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  t.equal((await pull('ann', 'ocp_4.5_base')).status, 200);
  const before = double.requests.length;
  const there = await explain('bob', base);
  const absent = await explain('bob', { input: 'ocp/4.5:nope' });
  t.equal(there.verdict, 'wrong');
  t.equal(there.text.replaceAll('ocp_4.5_base', 'X'), absent.text.replaceAll('ocp_4.5_nope', 'X'));
  for (const title of [
    'image stream',
    'tag',
    'content',
    'upstream',
    'sources',
    'mirror',
    'source',
    'maker',
    'pruner',
  ])
    t.equal(marks(there)[title], 'unknown', title);
  t.equal(double.requests.length, before);
});

test('a private digest by a user without the right is as unknown as any other', async (t) => {
  const { explain, double, pull } = await stage(t);
  const { digest, layer } = sharingImage(double, 'ocp_4.5_base');
  await pull('ann', 'ocp_4.5_base');
  for (const known of [digest, layer]) {
    const told = await explain('bob', { input: `quay.io/openshift/ci@${known}` });
    const other = `sha256:${'0'.repeat(64)}`;
    const unknown = await explain('bob', { input: `quay.io/openshift/ci@${other}` });
    t.equal(told.text.replaceAll(known, 'X'), unknown.text.replaceAll(other, 'X'));
    t.notMatch(told.text, 'ocp_4.5_base');
  }
});

test('as takes the right to impersonate, asked of the cluster', async (t) => {
  const rig = await stage(t);
  const { explain, double, cluster } = rig;
  sharingImage(double, 'ocp_4.5_base');
  const asked = { ...base, as: 'ann' };
  for (const who of ['local', 'bob', 'olga'] as const) t.equal((await explain(who, asked)).status, 403, who);
  const told = await explain('root', asked);
  t.equal(told.status, 200, told.text);
  t.match(told.text, 'ann may pull it');
  t.match(
    rig.log.find(({ verb }) => verb === 'impersonate'),
    { operator: 'root' },
  );
  t.equal((await explain('root', { ...asked, as: 'bob' })).status, 403);
  t.equal((await explain('root', { ...asked, groups: 'readers' })).status, 200);
  t.equal((await explain('root', { ...asked, groups: 'readers,system:masters' })).status, 403);
  t.equal((await explain('root', { ...asked, as: 'system:serviceaccount:ci:puller' })).status, 200);
  t.equal((await explain('root', { ...asked, as: 'system:serviceaccount:ci:other' })).status, 403);
  t.equal((await explain('root', { ...asked, cluster: 'another' })).status, 403);
  cluster.switches.isDown = true;
  t.equal(
    (await explain('root', { ...asked, groups: 'new' })).status,
    503,
    'a cluster that is down is no yes',
  );
});

test('a failed request is for operators and for its own subject, by the id that we made', async (t) => {
  const { explain, double, pull } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  const { status, id } = await pull('bob', 'ocp_4.5_base');
  t.equal(status, 403);
  for (const who of ['local', 'olga', 'bob'] as const) {
    const told = await explain(who, { input: id });
    t.equal(told.status, 200, told.text);
    t.match(
      told.notes[0],
      new RegExp(`^request ${id} at .*: GET /v2/openshift/ci/manifests/ocp_4.5_base: 403 DENIED$`),
    );
    t.equal(marks(told)['rights'], 'wrong', who);
  }
  const foreign = await explain('ann', { input: id });
  const unknown = await explain('ann', { input: 'AAAAAAAA-zz' });
  t.equal(foreign.status, 404);
  t.equal(unknown.status, 404);
  const without = (text: string): string => text.replace(/\(request [^)]*\)|"requestId":"[^"]*"/g, '');
  t.equal(without(foreign.text), without(unknown.text));
});

test('an id of a client is shown, and never looked up by', async (t) => {
  const rig = await stage(t);
  const { explain, double, pull } = rig;
  sharingImage(double, 'ocp_4.5_base');
  const chosen = 'AAAAAAAA-1';
  const { status, id } = await pull('bob', 'ocp_4.5_base', `X-Request-Id: ${chosen}`);
  t.equal(status, 403);
  t.equal(id, chosen);
  t.equal((await explain('local', { input: chosen })).status, 404);
  await until(() => rig.log.some(({ ownRequestId }) => typeof ownRequestId === 'string'));
  const own = String(rig.log.find(({ ownRequestId }) => typeof ownRequestId === 'string')?.['ownRequestId']);
  const told = await explain('bob', { input: own });
  t.equal(told.status, 200, told.text);
  t.ok(told.notes.includes(`the client named it ${chosen}`), told.text);
});

test('a success, and the first 401 of a login, are not remembered', async (t) => {
  const { explain, double, pull, get } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  const { id } = await pull('ann', 'ocp_4.5_base');
  t.equal((await explain('local', { input: id })).status, 404);
  const first = await get(`/v2/${ciRepository}/manifests/ocp_4.5_base`);
  t.equal(first.status, 401);
  t.equal((await explain('local', { input: first.headers.get('x-request-id') ?? '' })).status, 404);
});

test('only configured upstreams are asked, and not often', async (t) => {
  const { explain, double } = await stage(t);
  double.requests.length = 0;
  const foreign = await explain('local', { input: `${double.host}/team/app:v1` });
  t.match(foreign.text, /neither an upstream nor a host here/);
  t.same(double.requests, []);
  for (let tag = 0; tag < 40; tag += 1) await explain('local', { input: `ocp/4.5:t${tag}` });
  const asked = double.seen('/manifests/').length;
  t.ok(asked >= 20 && asked < 30, `${asked} requests`);
  const last = await explain('local', { input: 'ocp/4.5:one-more' });
  t.equal(marks(last)['upstream'], 'unknown');
  t.match(last.text, /was asked often/);
});

test('an answer within 5 s is repeated without a request', async (t) => {
  const { explain, double } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  await explain('local', base);
  const before = double.requests.length;
  await explain('olga', base);
  t.equal(double.requests.length, before);
});

test('explanations of users are two at a time, so that operators are not kept waiting', async (t) => {
  const { explain, double } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  double.switches.delayMs = 200;
  const many = Array.from({ length: 6 }, (_, index) => explain('ann', { input: `ocp/4.5:slow-${index}` }));
  const statuses = (await Promise.all(many)).map(({ status }) => status);
  t.ok(statuses.filter((status) => status === 429).length >= 1, String(statuses));
});

test('one user has one explanation at a time, and keeps no other user waiting', async (t) => {
  const { explain, double } = await stage(t);
  double.switches.delayMs = 2_000;
  const slow = [1, 2, 3].map((index) => explain('ann', { input: `ocp/4.5:slow-${index}` }));
  await until(() => double.seen('/manifests/').length > 0);
  t.equal((await explain('bob', base)).status, 200);
  const statuses = (await Promise.all(slow)).map(({ status }) => status);
  t.same(statuses.sort(), [200, 429, 429]);
});

test('reviews of impersonation count among the thirty explanations a minute', async (t) => {
  const { explain } = await stage(t);
  const statuses: number[] = [];
  for (let n = 0; n < 31; n += 1) statuses.push((await explain('bob', { ...base, as: `u${n}` })).status);
  t.same([...new Set(statuses.slice(0, 30))], [403]);
  t.equal(statuses[30], 429);
});

test('what users ask of an upstream leaves operators their own questions', async (t) => {
  const { explain, double } = await stage(t);
  for (let tag = 0; tag < 14; tag += 1) await explain('ann', { input: `ocp/4.5:t${tag}` });
  t.match((await explain('ann', { input: 'ocp/4.5:last' })).text, /was asked often/);
  const before = double.seen('/manifests/').length;
  for (let tag = 0; tag < 19; tag += 1) await explain('local', { input: `ocp/4.5:o${tag}` });
  t.equal(double.seen('/manifests/').length, before + 19);
});

for (const query of [
  {},
  { input: '' },
  { input: 'a:b:c/d' },
  { input: 'x'.repeat(1_100) },
  { input: 'ocp/4.5:base', groups: 'a' },
  { input: 'ocp/4.5:base', nope: '1' },
  { input: 'ocp/4.5:base', format: 'xml' },
  { input: 'ocp/4.5:base', host: 'a\u0007b' },
] as readonly Readonly<Record<string, string>>[])
  test(`the query ${JSON.stringify(query).slice(0, 60)} is refused`, async (t) => {
    const { explain } = await stage(t);
    const { status, text } = await explain('local', query);
    t.match(String(status), /^40[04]$/, text);
  });

test('no explanation holds a credential', async (t) => {
  const { explain, double } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  for (const who of ['local', 'root', 'ann', 'bob'] as const) {
    const { text } = await explain(who, { ...base, host: ciHost });
    t.notMatch(text, /robots-own-password|sha256~|Bearer/, who);
  }
});

test('insides of a failure are for operators: words of the registry, errors, paths', async (t) => {
  const { explain, double, pull, service } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  double.switches.status = { of: 'manifests', code: 500, times: 9 };
  const { status, id } = await pull('ann', 'ocp_4.5_base');
  t.equal(status, 503);
  const operator = await explain('local', { input: id });
  t.match(operator.text, 'as the switch says');
  t.match(operator.text, /store, \//);
  const own = await explain('ann', { input: id });
  t.equal(own.status, 200, own.text);
  t.match(own.text, 'answers with status 500');
  t.notMatch(own.text, /as the switch says|store, \/|127\.0\.0\.1/);
  t.ok(service.adminAddress);
});

test('a user gets thirty explanations a minute', async (t) => {
  const { explain } = await stage(t);
  const statuses: number[] = [];
  for (let n = 0; n < 32; n += 1) statuses.push((await explain('bob', base)).status);
  t.same([...new Set(statuses.slice(0, 30))], [200]);
  t.same(statuses.slice(30), [429, 429]);
  t.equal((await explain('local', base)).status, 200);
});

test('a right that cannot be told shows as little as none', async (t) => {
  const { explain, double, cluster, pull } = await stage(t);
  sharingImage(double, 'ocp_4.5_base');
  await pull('ann', 'ocp_4.5_base');
  t.equal((await explain('bob', { input: 'ocp-priv/4.5:base' })).status, 200, 'the login is remembered');
  cluster.switches.isDown = true;
  const told = await explain('bob', base);
  t.equal(told.status, 200, told.text);
  t.equal(marks(told)['rights'], 'unknown');
  t.equal(told.verdict, 'unknown');
  for (const title of ['tag', 'content', 'upstream', 'sources'])
    t.equal(marks(told)[title], 'unknown', title);
  t.notMatch(told.text, /sha256:[0-9a-f]{64}/);
});
