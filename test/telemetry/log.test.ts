import { test } from 'tap';
import { RegistryError } from '../../src/oci/errors.ts';
import { type Log, logger, plainLines } from '../../src/telemetry/log.ts';
import { finished } from '../support/run-command.ts';

/** The lines that `act` logs, as they are written. */
function linesOf(act: (log: Log) => void, level: 'info' | 'warn' = 'info'): string[] {
  const lines: string[] = [];
  act(logger({ level, destination: { write: (line) => lines.push(line) } }));
  return lines;
}

function lineOf(act: (log: Log) => void): Record<string, unknown> {
  return JSON.parse(linesOf(act)[0] ?? '{}');
}

test('a line says its level as a word, its time in ISO 8601, its component and its message', async (t) => {
  const line = lineOf((log) => log.child({ component: 'cache' }).info({ bytes: 3 }, 'stored'));
  t.same(new Set(Object.keys(line)), new Set(['level', 'time', 'component', 'bytes', 'msg']));
  t.match(line, {
    level: 'info',
    time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
    component: 'cache',
    bytes: 3,
    msg: 'stored',
  });
});

test('lines below the level are not written', async (t) => {
  t.same(
    linesOf((log) => log.info('quiet'), 'warn'),
    [],
  );
});

test('an error is told with its code and its causes', async (t) => {
  const cause = Object.assign(new TypeError('socket closed'), { code: 'ECONNRESET' });
  const error = new RegistryError('UNAVAILABLE', 'the upstream does not answer', { cause });
  t.match(
    lineOf((log) => log.error(error, 'failed')),
    {
      err: {
        type: 'RegistryError',
        code: 'UNAVAILABLE',
        message: 'the upstream does not answer',
        stack: /log\.test\.ts/,
        cause: { type: 'TypeError', code: 'ECONNRESET', message: 'socket closed' },
      },
      msg: 'failed',
    },
  );
});

test('every error of several is told', async (t) => {
  const errors = [new Error('v4'), new Error('v6')];
  t.match(
    lineOf((log) => log.error({ err: new AggregateError(errors) }, 'failed')),
    {
      err: { errors: [{ message: 'v4' }, { message: 'v6' }] },
    },
  );
});

test("an error's other fields are not told", async (t) => {
  const error = Object.assign(new Error('refused'), { request: { headers: { 'x-key': 'hunter2' } } });
  t.notMatch(linesOf((log) => log.error(error))[0], /hunter2/);
});

test('an error that causes itself is told once and the line ends', async (t) => {
  const error = new Error('round');
  error.cause = error;
  t.match(
    lineOf((log) => log.error(error)),
    { err: { message: 'round' } },
  );
});

const secret = 'hunter2hunter2';
const signed = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyb2JvdCJ9.c2lnbmF0dXJl';

/** Ways in which a credential might reach the log. */
const leaks: Readonly<Record<string, (log: Log) => void>> = {
  'an Authorization header': (log) => log.info({ headers: { authorization: `Basic ${secret}` } }),
  'a header in capitals': (log) => log.info({ headers: { 'Proxy-Authorization': secret } }),
  'cookies set': (log) => log.info({ headers: { 'set-cookie': [`session=${secret}`] } }),
  'a token field': (log) => log.info({ token: secret }),
  'an access_token deep inside': (log) => log.info({ a: { b: [{ access_token: secret }] } }),
  'a password field': (log) => log.info({ credentials: { password: secret } }),
  'a secret key of S3': (log) => log.info({ secretAccessKey: secret }),
  "a child's own field": (log) => log.child({ password: secret }).info('x'),
  'a bearer token in a message': (log) => log.info(`sent Bearer ${secret}`),
  'a basic pair in a message': (log) => log.info(`sent basic ${secret}`),
  'a formatted message': (log) => log.info('got %s', signed),
  'a signed token in a field': (log) => log.info({ subject: signed }),
  'an OpenShift token': (log) => log.info({ text: `sha256~${secret}` }),
  'a URL with a password': (log) => log.info({ url: `https://robot:${secret}@quay.io/v2/` }),
  'a password with an @': (log) => log.info({ url: `https://robot:p@${secret}@quay.io/v2/` }),
  'a signed URL': (log) => log.info({ url: `https://b.s3.example/k?X-Amz-Signature=${secret}&x=1` }),
  'a URL with a token': (log) => log.info(`GET /v2/auth?access_token=${secret}`),
  'an error message': (log) => log.error(new Error(`GET https://u:${secret}@quay.io failed`)),
  "a cause's message": (log) => log.error(new Error('failed', { cause: new Error(`Bearer ${secret}`) })),
  'an answer quoted in an error': (log) => log.error(new Error(`answered {"token": "${secret}"}`)),
  'an answer quoted in a field': (log) => log.info({ body: JSON.stringify({ refresh_token: secret }) }),
};

for (const [way, act] of Object.entries(leaks)) {
  test(`a credential is not logged by ${way}`, async (t) => {
    const [line = ''] = linesOf(act);
    t.ok(line.includes('[redacted]'));
    t.notMatch(line, secret);
    t.notMatch(line, signed.slice(0, 30));
    t.ok(JSON.parse(line));
  });
}

test('what is no credential is told whole', async (t) => {
  const fields = {
    digest: `sha256:${'ab'.repeat(32)}`,
    url: '/v2/quay.io/openshift/ci/manifests/ocp_4.20_cli?ns=quay.io',
    passwordFile: '/etc/quayside/password',
    tokenValiditySeconds: 3600,
    challenge: 'Bearer realm="https://quay.io/v2/auth",service="quay.io"',
    words: 'Replacing bearer token ..., Failed to get basic auth',
    image: 'docker://quay.io/openshift/ci@sha256:abc',
  };
  t.match(
    lineOf((log) => log.info(fields, 'plain')),
    fields,
  );
});

test('plain lines are those of a child at level info, scrubbed alike, and none below its level', async (t) => {
  const written: string[] = [];
  const destination = { write: (line: string) => void written.push(line) };
  const log = logger({ destination });
  const fields = { path: '/v2/', bytes: 2, hit: undefined, userAgent: 'a "quoted" one Bearer abcdef.ghi' };
  log.child({ component: 'proxy' }).info(fields, 'request');
  plainLines(log, 'proxy').info(fields, 'request');
  const [child, plain] = written.map((line) => ({ ...JSON.parse(line), time: '' }));
  t.same(plain, child);
  t.match(JSON.parse(written[1] ?? '').time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  plainLines(logger({ level: 'warn', destination }), 'proxy').info(fields, 'request');
  t.equal(written.length, 2);
});

test('gathered lines are written at a flush, in order, be it one line or many', async (t) => {
  const log = JSON.stringify(new URL('../../src/telemetry/log.ts', import.meta.url));
  const written = async (...lines: string[]) => {
    const writes = lines.map((line) => `output.write('${line}\\n');`).join('');
    const script = `import { createBufferedOutput } from ${log}; const output = createBufferedOutput(1); ${writes} output.flush(); process.exit();`;
    return (await finished(process.execPath, ['--input-type=module', '--eval', script])).stdout;
  };
  t.equal(await written('one'), 'one\n');
  t.equal(await written('one', 'two', 'three'), 'one\ntwo\nthree\n');
});

test('the parts of a log follow its level, but for those with one of their own', (t) => {
  const lines: string[] = [];
  const log = logger({ level: 'warn', destination: { write: (line) => lines.push(JSON.parse(line).msg) } });
  const part = log.child({ component: 'cache' });
  const own = log.child({ component: 'own' }, { level: 'trace' });
  const requests = plainLines(log, 'proxy');
  const write = (): void => {
    part.info('part');
    own.debug('own');
    requests.info({ status: 200 }, 'request');
  };
  write();
  t.same(lines.splice(0), ['own']);
  log.level = 'info';
  write();
  t.same(lines.splice(0), ['part', 'own', 'request']);
  log.level = 'warn';
  write();
  t.same(lines, ['own']);
  t.end();
});
