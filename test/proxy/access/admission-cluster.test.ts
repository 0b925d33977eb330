import type { IncomingHttpHeaders } from 'node:http';
import { test } from 'tap';
import type { Decision, Subject } from '../../../src/auth/access.ts';
import { createGuard } from '../../../src/auth/guards/guard.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRequest } from '../../../src/oci/request.ts';
import { createAdmission } from '../../../src/proxy/access/admission.ts';
import { FailedLogin } from '../../../src/proxy/access/auth-errors.ts';
import { createHosts } from '../../../src/proxy/access/hosts.ts';
import { createRouter } from '../../../src/proxy/access/route.ts';
import type { RequestFacts } from '../../../src/proxy/http/exchange.ts';

const name = 'quay-proxy.example';
const person: Subject = { name: 'person', groups: [], cluster: 'app.ci' };
const nobody: Subject = { name: 'system:anonymous', groups: ['system:unauthenticated'], cluster: 'app.ci' };
const question = 'get imagestreams.image.openshift.io/layers cli -n ocp';
const path = '/v2/openshift/ci/manifests/ocp_4.22_cli';
const basic = (password: string) => `Basic ${Buffer.from(`any:${password}`).toString('base64')}`;
const plain = `Bearer realm="https://${name}/v2/auth",service="${name}"`;

interface Door {
  readonly decision?: Decision;
  readonly subject?: Subject;
  readonly isDown?: boolean;
}

/** Admission of one host as `auth: cluster` makes it. */
function door({ decision = { allowed: true }, subject = person, isDown = false }: Door = {}) {
  const keys = randomTokenKeys();
  const clock = { aheadMs: 0 };
  const now = () => Date.now() + clock.aheadMs;
  const host = createGuard({
    authenticator: {
      authenticate: (shown) =>
        (shown.kind === 'basic' ? shown.password : shown.token) === 'sha256~good' ? subject : undefined,
    },
    authorizer: {
      authorize() {
        if (isDown) throw new RegistryError('UNAVAILABLE', 'cluster app.ci is slow');
        return decision;
      },
      visible: async (_subject, _place, tags) => tags,
    },
    tokens: createTokens({ keys: () => keys, audience: name, now }),
    anonymous: nobody,
  });
  const admit = createAdmission({
    hosts: createHosts([{ name, guard: host, challenge: 'plain' }]),
    route: createRouter(new Map([['quay.io', {}]]), 'quay.io'),
    isTls: true,
  });
  const log: RequestFacts = {};
  return {
    clock,
    log,
    host,
    at: (url: string, headers: IncomingHttpHeaders, rawHeaders?: readonly string[]) =>
      admit(
        { headers: { host: name, ...headers }, ...(rawHeaders === undefined ? {} : { rawHeaders }) },
        parseRequest('GET', url),
        log,
      ),
    async token(login: string | undefined, ...scopes: string[]): Promise<string> {
      const granted = await host.grant({ authorization: login }, scopes, () => undefined);
      return `Bearer ${'token' in granted ? granted.token : ''}`;
    },
  };
}

async function refusal(ask: () => unknown): Promise<RegistryError> {
  try {
    await ask();
  } catch (error) {
    if (error instanceof RegistryError) return error;
  }
  throw new Error('was admitted');
}

test('without a credential the challenge is the plain one, for a ping and for a repository', async (t) => {
  const { at } = door();
  for (const url of ['/v2/', path, '/v2/openshift/ci/tags/list']) {
    for (const headers of [{}, { authorization: 'Basic Og==' }]) {
      const error = await refusal(() => at(url, headers));
      t.equal(error.status, 401);
      t.equal(error.headers['www-authenticate'], plain);
    }
  }
});

test('a bad credential is answered with the reason', async (t) => {
  const { at } = door();
  for (const [authorization, description] of [
    ['Bearer sha256~unknown', 'the credential is not accepted'],
    [basic('sha256~unknown'), 'the credential is not accepted'],
    ['Bearer', 'the Authorization field is malformed'],
    [`Bearer ${'a'.repeat(9000)}`, 'the Authorization field is malformed'],
  ] as const) {
    const error = await refusal(() => at(path, { authorization }));
    const reason = `error="invalid_token",error_description="${description}"`;
    t.equal(error.headers['www-authenticate'], `${plain},${reason}`);
  }
});

test('a token that was good once leads to a new one: with another reason clients fail the pull', async (t) => {
  const { at, clock, token } = door();
  const expired = await token(basic('sha256~good'));
  const ofAnotherKey = await door().token(basic('sha256~good'));
  clock.aheadMs = 7 * 3_600_000;
  for (const [authorization, description] of [
    [expired, 'the token has expired; log in again'],
    [ofAnotherKey, 'the token is signed with a key that is not in use; log in again'],
  ] as const) {
    const error = await refusal(() => at(path, { authorization }));
    const scope = 'scope="repository:openshift/ci:pull"';
    const reason = `error="insufficient_scope",error_description="${description}"`;
    t.equal(error.headers['www-authenticate'], `${plain},${scope},${reason}`);
  }
});

test('only what may be a guess counts as a failed login', async (t) => {
  const { at, token } = door();
  const foreign = await door().token(basic('sha256~good'));
  const lacking = await token(basic('sha256~good'), 'repository:other:pull');
  for (const authorization of [undefined, foreign, lacking, 'Basic']) {
    const headers = authorization === undefined ? {} : { authorization };
    t.notOk((await refusal(() => at(path, headers))) instanceof FailedLogin, authorization ?? 'none');
  }
  for (const authorization of ['Bearer sha256~unknown', basic('sha256~unknown')]) {
    t.ok((await refusal(() => at(path, { authorization }))) instanceof FailedLogin);
  }
});

test('a token for another repository is told which one to ask for', async (t) => {
  const { at, token } = door();
  const authorization = await token(basic('sha256~good'), 'repository:openshift/other:pull');
  const error = await refusal(() => at(path, { authorization }));
  t.match(
    error.headers['www-authenticate'],
    'scope="repository:openshift/ci:pull",error="insufficient_scope"',
  );
});

test('a token for another repository does not open this one, however it names it', async (t) => {
  const { at, token } = door();
  for (const scope of [
    'repository:openshift/ci-priv:pull',
    'repository:openshift/ci/:pull',
    'repository:OPENSHIFT/ci:pull',
    'repository:openshift/ci:push',
    'repository:openshift//ci:pull',
    'repository:openshift/%63i:pull',
    'repository:*:pull',
    'registry:catalog:*',
    'repository(plugin):openshift/ci:pull',
  ]) {
    const authorization = await token(basic('sha256~good'), scope);
    t.match(
      (await refusal(() => at(path, { authorization }))).headers,
      { 'www-authenticate': /insufficient_scope/ },
      scope,
    );
  }
});

test('a field that comes twice is no credential, whichever of the two is good', async (t) => {
  const { at } = door();
  const good = 'Bearer sha256~good';
  t.match(await at(path, { authorization: good }, ['Host', name, 'Authorization', good]), {
    subject: person,
  });
  for (const second of [good, 'Bearer other', '']) {
    const raw = ['Authorization', good, 'Host', name, 'aUTHORIZATION', second];
    const error = await refusal(() => at(path, { authorization: good }, raw));
    t.match(error, { status: 401, message: /malformed/ });
  }
});

test('a credential counts in its field only', async (t) => {
  const { at } = door();
  for (const [url, headers] of [
    [`${path}?access_token=sha256~good`, {}],
    [`${path}?authorization=Bearer%20sha256~good`, {}],
    [path, { cookie: 'authorization=sha256~good' }],
    [path, { 'proxy-authorization': 'Bearer sha256~good' }],
    [path, { 'x-forwarded-user': 'person', 'x-remote-user': 'person', 'impersonate-user': 'person' }],
  ] as const) {
    t.equal((await refusal(() => at(url, headers))).headers['www-authenticate'], plain, url);
  }
  const named = { authorization: 'Bearer sha256~good', connection: 'authorization' };
  t.match(await at(path, named), { subject: person }, 'and a Connection field does not remove it');
});

test('who has no login and no right is sent to log in, not told off', async (t) => {
  const { at, token, log } = door({
    decision: { allowed: false, reason: 'no', question, cluster: 'app.ci' },
  });
  const authorization = await token(undefined, 'repository:openshift/ci:pull');
  const error = await refusal(() => at(path, { authorization }));
  t.equal(error.status, 401);
  t.match(
    error.headers['www-authenticate'],
    /error="insufficient_scope",error_description="a login is required/,
  );
  t.match(log, { subject: 'system:anonymous', verdict: 'refused', question });
});

test('the log says who, what was asked of whom, and the verdict, also of a refusal', async (t) => {
  const authorization = 'Bearer sha256~good';
  const asked = { rule: 'imagestream', question, cluster: 'app.ci' };
  const facts = { ...asked, subject: 'person', upstream: 'quay.io' };
  const yes = door({ decision: { allowed: true, isRemembered: true, ...asked } });
  t.match(await yes.at(path, { authorization }), { decision: { allowed: true, question } });
  t.same(yes.log, { ...facts, verdict: 'allowed', asked: 'remembered' });
  const no = door({ decision: { allowed: false, reason: 'not yours', ...asked } });
  t.match(await refusal(() => no.at(path, { authorization })), { code: 'DENIED', message: 'not yours' });
  t.same(no.log, { ...facts, verdict: 'refused', asked: 'asked' });
  const unasked = door({ decision: { allowed: true, rule: 'open' } });
  await unasked.at(path, { authorization });
  t.match(unasked.log, { rule: 'open', verdict: 'allowed', asked: 'none', question: undefined });
  const dark = door({ isDown: true });
  t.equal((await refusal(() => dark.at(path, { authorization }))).status, 503);
  t.same(dark.log, { subject: 'person', cluster: 'app.ci', upstream: 'quay.io' }, 'without a verdict');
});

test('what a cluster says is one line of printable text', async (t) => {
  const { at } = door({
    decision: { allowed: false, reason: `a\r\nSet-Cookie: b\u001b[2Jü${'x'.repeat(2000)}` },
  });
  const { message } = await refusal(() => at(path, { authorization: 'Bearer sha256~good' }));
  t.match(message, /^a Set-Cookie: b\?\[2J\?x+\.\.\.$/);
  t.equal(message.length, 1000);
});

test('who is remembered is admitted without a turn of the loop', async (t) => {
  const { at, token } = door();
  const authorization = await token(basic('sha256~good'), 'repository:openshift/ci:pull');
  t.ok(at(path, { authorization }) instanceof Promise, 'the first time the signature is checked');
  await at(path, { authorization });
  t.notOk(at(path, { authorization }) instanceof Promise);
});
