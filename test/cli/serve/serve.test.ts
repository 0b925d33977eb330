import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import { type Server, type Start, serving } from '../../../src/cli/serve/serve.ts';
import type { Config } from '../../../src/config/load.ts';
import { until } from '../../support/bodies.ts';
import { testAuthority } from '../../support/certificates.ts';
import { recordedIo } from '../io.ts';

const nothing = async () => undefined;

/** Takes over every configuration. */
function taken(take: (config: Config) => void): Server['prepare'] {
  return async (config) => ({ take: () => take(config), discard: nothing });
}

/** A start that succeeds at once, with a server that closes as it is told. */
function startOf(close: Server['close'] = nothing): Start {
  return async () => ({
    address: '127.0.0.1:8400',
    adminAddress: '127.0.0.1:8401',
    prepare: taken(() => undefined),
    forget: () => undefined,
    leave: () => undefined,
    close,
  });
}

function logLines(out: string): { msg: string; level: string }[] {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

test('a server runs until it is told to stop, and is closed then', async (t) => {
  const stop = new AbortController();
  const io = recordedIo(stop.signal);
  let closed = 0;
  const serve = serving(
    startOf(async () => {
      closed += 1;
    }),
  );
  const code = serve([], io);
  t.equal(closed, 0);
  stop.abort();
  t.equal(await code, 0);
  t.equal(closed, 1);
});

test('standard output holds log lines only, and standard error the banner', async (t) => {
  const io = recordedIo(AbortSignal.abort());
  await serving(startOf())([], io);
  t.same(
    logLines(io.out()).map(({ msg }) => msg),
    ['stopping: finishing requests under way within shutdownGraceMs', 'stopped'],
  );
  t.match(io.err(), /^Quayside is up\n {2}listening +http:\/\/127\.0\.0\.1:8400\n/);
});

test('a start whose store cannot work says so in the log and first of all in the banner', async (t) => {
  const io = recordedIo(AbortSignal.abort());
  const fault = 'the directory /data cannot be written (EACCES): give it to the user who runs Quayside';
  const start: Start = async (...args) => ({
    ...(await startOf()(...args)),
    storeFaults: async () => [fault],
  });
  await serving(start)([], io);
  t.match(logLines(io.out())[0], { level: 'error', msg: /^degraded: the store cannot be used/, fault });
  t.match(io.err(), /^Quayside is up and DEGRADED: .*\n!! {2}the directory \/data cannot be written/);
});

test('a file that is not what it must be stops the start', async (t) => {
  const file = join(t.testdir({ 'q.yaml': '', secret: 'hunter2' }), 'q.yaml');
  const pair = join(t.testdirName, 'secret');
  await writeFile(file, `tls: { certFile: ${pair}, keyFile: ${pair} }`);
  const refused = serving(startOf())(['--config', file], recordedIo());
  await t.rejects(refused, {
    name: 'ConfigError',
    message: /:1: tls\.certFile: .* holds no PEM certificate/,
  });
});

test('files that are ended in part, or not filled yet, are told and stop no start', async (t) => {
  const authority = testAuthority();
  const old = authority.issued({ days: -1 });
  const dir = t.testdir({
    ...{
      old: old.cert,
      key: old.key,
      bundle: old.cert + authority.cert,
      htpasswd: '# none yet\n',
      empty: '',
    },
    trusted: authority.cert.replaceAll(' CERTIFICATE', ' TRUSTED CERTIFICATE'),
    auth: '{"auths":{"a.invalid":{},"b.invalid":{"username":"robot","password":"hunter2"}}}',
  });
  const file = join(dir, 'q.yaml');
  const text = `tls: { certFile: DIR/old, keyFile: DIR/key }
upstreams:
  a.invalid: { caFile: DIR/bundle, credentials: { authFile: DIR/auth } }
  b.invalid: { caFile: DIR/trusted, credentials: { authFile: DIR/empty } }
  c.invalid: { credentials: { usernameFile: DIR/empty, passwordFile: DIR/empty } }
hosts:
  a.example: { auth: robots, robots: { htpasswdFile: DIR/htpasswd } }
defaultUpstream: none
`;
  await writeFile(file, text.replaceAll('DIR', dir));
  const io = recordedIo(AbortSignal.abort());
  t.equal(await serving(startOf())(['--config', file], io), 0);
  const err = io.err().replaceAll(dir, 'DIR');
  for (const line of [
    'warning: DIR/q.yaml:1: tls.certFile: DIR/old holds a certificate that ended at',
    'warning: DIR/q.yaml:3: upstreams["a.invalid"].credentials.authFile: DIR/auth has no login for a.invalid',
    'warning: DIR/q.yaml:4: upstreams["b.invalid"].credentials.authFile: DIR/empty is empty',
    'warning: DIR/q.yaml:7: hosts["a.example"].robots.htpasswdFile: DIR/htpasswd holds no login',
  ])
    t.match(err, line);
  t.match(err, /^Quayside is up/m);
  t.notMatch(err, /bundle|trusted|hunter2|login for b/);
});

test('SIGHUP reloads the settings and forgets remembered subjects, until the end', async (t) => {
  const stop = new AbortController();
  const heard = new Set<() => void>();
  const onHangup = (each: () => void) => {
    heard.add(each);
    return () => heard.delete(each);
  };
  const file = join(t.testdir({ 'q.yaml': 'hosts: { a.example: {} }' }), 'q.yaml');
  const did: string[] = [];
  const start: Start = async () => ({
    address: '127.0.0.1:8400',
    prepare: taken(({ hosts }) => void did.push(`blobs ${hosts['a.example']?.blobs}`)),
    forget: () => void did.push('forget'),
    leave: () => undefined,
    close: nothing,
  });
  const code = serving(start)(['--config', file], { ...recordedIo(stop.signal), onHangup });
  await until(() => heard.size === 1);
  await writeFile(file, 'hosts: { a.example: { blobs: bypass } }');
  for (const each of heard) each();
  await until(() => did.length === 2);
  t.same(did, ['forget', 'blobs bypass']);
  stop.abort();
  t.equal(await code, 0);
  t.equal(heard.size, 0);
});

for (const { signal, did } of [
  { signal: 'SIGTERM', did: ['leave', 'timer', 'close'] },
  { signal: 'SIGINT', did: ['leave', 'close'] },
]) {
  test(`after ${signal} readiness falls first, and the listener closes ${did.includes('timer') ? 'later' : 'at once'}`, async (t) => {
    const file = join(t.testdir({ 'q.yaml': 'shutdownDelayMs: 40' }), 'q.yaml');
    const happened: string[] = [];
    const start: Start = async (...args) => ({
      ...(await startOf(async () => void happened.push('close'))(...args)),
      leave() {
        happened.push('leave');
        setTimeout(() => happened.push('timer'), 20);
      },
    });
    const stop = new AbortController();
    const code = serving(start)(['--config', file], recordedIo(stop.signal));
    stop.abort(new Error(signal));
    t.equal(await code, 0);
    t.same(happened, did);
  });
}

test('requests that outlive the grace time do not hold up the end', async (t) => {
  const file = join(t.testdir({ 'q.yaml': 'shutdownGraceMs: 20' }), 'q.yaml');
  const io = recordedIo(AbortSignal.abort());
  const forever = startOf(() => new Promise(() => undefined));
  t.equal(await serving(forever)(['--config', file], io), 1);
  t.match(logLines(io.out()).at(-1), {
    level: 'warn',
    msg: 'stopped with requests unfinished: shutdownGraceMs is over',
  });
});

test('told to stop while it starts, it ends well', async (t) => {
  const stop = new AbortController();
  const start: Start = (_, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const code = serving(start)([], recordedIo(stop.signal));
  setImmediate(() => stop.abort());
  t.equal(await code, 0);
});

test('an address in use is one line that names the address and its setting', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  for (const [key, yaml] of [
    ['listen', `listen: 127.0.0.1:${port}`],
    ['admin.listen', `admin: { listen: 127.0.0.1:${port} }`],
  ] as const) {
    const io = recordedIo();
    const file = join(t.testdir({ 'q.yaml': yaml }), 'q.yaml');
    t.equal(await serving(listensOn(port))(['--config', file], io), 1);
    t.equal(
      io.err(),
      `quayside serve: cannot listen on 127.0.0.1:${port} (setting ${key}): another process listens on this address (EADDRINUSE)\n`,
    );
  }
});

test('a start that fails otherwise is not hidden', async (t) => {
  const start: Start = async () => {
    throw new Error('no room');
  };
  await t.rejects(serving(start)([], recordedIo()), { message: 'no room' });
});

test('a faulty configuration is refused before anything starts', async (t) => {
  const file = join(t.testdir({ 'q.yaml': 'listen: nowhere' }), 'q.yaml');
  const start: Start = () => Promise.reject(new Error('started'));
  await t.rejects(serving(start)(['--config', file], recordedIo()), { name: 'ConfigError' });
});

/** A start that meets the port in use, and wraps the system's error as servers do. */
function listensOn(port: number): Start {
  return async () => {
    const server = createServer().listen(port, '127.0.0.1');
    const [error] = await once(server, 'error');
    throw new Error('cannot start', { cause: error });
  };
}
