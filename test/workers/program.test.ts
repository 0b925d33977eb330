import { readdir, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { freePort, type Program, stage, until } from '../support/program.ts';
import { registryDouble } from '../support/registry-double.ts';

const script = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));

/** The program with two workers, over an upstream of its own. */
async function twoWorkers() {
  const double = await registryDouble();
  const { start, directory, close } = await stage('workers');
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(directory, 'q.yaml');
  const config = {
    ...{ workers: 2, listen: `127.0.0.1:${port}`, admin: { listen: `127.0.0.1:${adminPort}` } },
    ...{ shutdownDelayMs: 0, store: { filesystem: { path: join(directory, 'store') } } },
    ...{ upstreams: { 'quay.io': { url: double.url, allowPrivateAddresses: true } } },
  };
  await writeFile(file, JSON.stringify(config));
  const begin = (name: string): Promise<Program> =>
    start(process.execPath, [script, 'serve', '--config', file], { name, env: { TMPDIR: directory } });
  const program = await begin('quayside');
  await program.said('Quayside is up');
  return {
    ...{ double, directory, program, begin },
    async close(): Promise<void> {
      await close();
      await double.close();
    },
    /** Writes other settings over the first ones, and says so. */
    async change(settings: object | string): Promise<void> {
      const text = typeof settings === 'string' ? settings : JSON.stringify({ ...config, ...settings });
      await writeFile(file, text);
      process.kill(program.pid, 'SIGHUP');
    },
    url: `http://127.0.0.1:${port}`,
    admin: `http://127.0.0.1:${adminPort}`,
    metric: async (name: string): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    },
    /** The process of a worker. */
    pidOf: async (worker: number): Promise<number> => {
      const lines = (await program.output()).split('\n').filter((line) => line.includes('a worker serves'));
      return lines
        .map((line) => JSON.parse(line))
        .filter((line) => line.worker === worker)
        .at(-1)?.pid;
    },
  };
}

/** What the first facts share: three processes take time to start. The last fact ends it. */
let shared: ReturnType<typeof twoWorkers> | undefined;
function sharedWorkers(): ReturnType<typeof twoWorkers> {
  shared ??= twoWorkers();
  return shared;
}

/** One request on its own connection, within 5 s: its status, or why there is none. */
function ping(url: string): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get(
      `${url}/v2/`,
      { agent: new Agent({ keepAlive: false }), timeout: 5_000 },
      (answer) => {
        answer.resume();
        answer.once('close', () => resolve(answer.statusCode ?? 'none'));
      },
    );
    request.once('timeout', () => {
      resolve('hung');
      request.destroy();
    });
    request.once('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
}

/** The digest of a whole body, or `cut`. */
async function digestIn(answer: Response): Promise<string> {
  try {
    return digestOf(new Uint8Array(await answer.arrayBuffer()));
  } catch (error) {
    return error instanceof Error && error.name === 'TimeoutError' ? 'hung' : 'cut';
  }
}

function opened(url: string): Promise<Response> {
  return fetch(url, { headers: { connection: 'close' }, signal: AbortSignal.timeout(20_000) });
}

/** Pulls that have begun, at least so many, by clients of both workers. */
async function openedAtBoth(url: string, least: number): Promise<readonly Response[]> {
  const answers: Response[] = [];
  const workers = new Set<string | undefined>();
  while (workers.size < 2 || answers.length < least) {
    const answer = await opened(url);
    answers.push(answer);
    workers.add(answer.headers.get('x-request-id')?.split('-')[0]);
  }
  return answers;
}

test('two workers serve one socket, with one log and one page of metrics', async (t) => {
  const { program, url, admin, metric, begin } = await sharedWorkers();
  let pings = 0;
  const workersSeen = async (): Promise<Set<number>> => {
    const lines = (await program.output()).split('\n').filter((line) => line.includes('"msg":"request"'));
    return new Set(lines.map((line) => JSON.parse(line).worker));
  };
  await until('requests at both workers', async () => {
    t.equal(await ping(url), 200);
    pings += 1;
    return (await workersSeen()).size === 2;
  });
  t.equal(await metric('quayside_requests_total{kind="ping",status="200"}'), pings);
  t.equal(await metric('quayside_workers'), 2);
  t.equal((await fetch(`${admin}/readyz`)).status, 200);
  const second = await begin('second');
  const said = await second.said('cannot listen on');
  t.match(said, /setting listen\): another process listens on this address \(EADDRINUSE\)/);
  t.match(await second.stop(), { code: 1 });
});

test('a cold blob that clients of both workers pull crosses the link once, and is served by both', async (t) => {
  const { program, url, double, metric } = await sharedWorkers();
  const [layer] = double.addImage('team/app', 'v1', { layers: [1_000_000] }).layers;
  const path = `/v2/team/app/blobs/${layer?.digest}`;
  double.switches.bytesPerSecond = 1_000_000;
  const pulled = async (heat: string): Promise<void> => {
    const answers = await openedAtBoth(url + path, 20);
    for (const answer of answers) t.equal(await digestIn(answer), layer?.digest, heat);
  };
  await pulled('cold');
  t.equal(await metric('quayside_worker_bytes_total{direction="received"}'), 1_000_000);
  // Perhaps while the one worker stores it still: the other one then reads it from there again.
  await pulled('warm');
  t.equal(double.seen(`GET ${path}`).length, 1);
  const log = await program.output();
  t.notMatch(log, /"level":"(?:warn|error)"/);
});

test('a worker that is killed under short connections lets none hang, and another one comes; all end and leave nothing', async (t) => {
  const { program, url, admin, metric, pidOf, double, directory, close } = await sharedWorkers();
  t.teardown(close);
  const before = await pidOf(1);
  const [layer] = double.addImage('team/app', 'v2', { layers: [1_000_000] }).layers;
  const blob = `${url}/v2/team/app/blobs/${layer?.digest}`;
  double.switches.bytesPerSecond = 400_000;
  const slow = (await openedAtBoth(blob, 8)).map(digestIn);
  let isOver = false;
  const results: (number | string)[] = [];
  const clients = Array.from({ length: 8 }, async () => {
    while (!isOver) results.push(await ping(url));
  });
  await until('some requests', () => results.length > 50);
  await until('a part of the blob', () => (double.requests.at(-1)?.bytesSent ?? 0) > 100_000);
  process.kill(before, 'SIGKILL');
  await program.said('a worker serves in place of one that ended');
  const { length } = results;
  await until('more requests', () => results.length > length + 50);
  isOver = true;
  await Promise.all(clients);
  const pulls = await Promise.all(slow);
  const whole = pulls.filter((each) => each === layer?.digest).length;
  t.ok(whole > 0, 'pulls of the other worker go on');
  t.same(new Set(pulls.filter((each) => each !== layer?.digest)), new Set(['cut']), 'its own are cut');
  t.equal(await digestIn(await opened(blob)), layer?.digest);
  const asked = double.seen(`GET /v2/team/app/blobs/${layer?.digest}`).map(({ headers }) => headers['range']);
  t.ok(
    asked.length <= 2 && !asked.slice(1).includes(undefined),
    'the rest is asked for from the byte reached',
  );
  const failed = results.filter((each) => each !== 200);
  t.notOk(failed.includes('hung'));
  t.ok(failed.length < results.length / 10, `${failed.length} of ${results.length}: ${new Set(failed)}`);
  t.not(await pidOf(1), before);
  t.equal((await fetch(`${admin}/readyz`)).status, 200, 'the other worker has the admin port');
  t.equal(await metric('quayside_worker_crashes_total'), 1);
  const killed = /"level":"error".*"component":"workers".*"signal":"SIGKILL","worker":1/;
  t.match(await program.said('"signal":"SIGKILL","worker":1'), killed);
  t.same(await program.stop('SIGTERM'), { code: 0, signal: null });
  t.same(
    (await readdir(directory)).filter((name) => name.startsWith('quayside-workers')),
    [],
    'the sockets are gone',
  );
});

test('all workers have the same settings, also one that comes when the file is faulty, and one end', async (t) => {
  const { program, url, directory, change, pidOf, double, close } = await twoWorkers();
  t.teardown(close);
  double.addImage('team/app', 'v1');
  const path = `${url}/v2/team/app/manifests/v1`;
  const htpasswdFile = join(directory, 'htpasswd');
  await writeFile(htpasswdFile, 'robot:$2y$04$cnJm8yK8pGvPQVbAFDRFMeBqyIxGUiVKsMtGnbTMmfwjVz1oXHMaG\n');
  /** What each worker says to a stranger. */
  async function statuses(): Promise<readonly number[]> {
    const found = new Map<string | undefined, number>();
    while (found.size < 2)
      for (const answer of await Promise.all(Array.from({ length: 8 }, () => opened(path)))) {
        await answer.arrayBuffer();
        found.set(answer.headers.get('x-request-id')?.split('-')[0], answer.status);
      }
    return [...found.values()];
  }
  t.same(await statuses(), [200, 200]);
  const closed = { hosts: { '*': { auth: 'robots', robots: { htpasswdFile } } } };
  await change(closed);
  await program.said('configuration reloaded');
  t.same(await statuses(), [401, 401]);

  await change({ clusters: { there: {} } });
  await program.said('cannot reload the configuration');
  t.same(await statuses(), [401, 401]);
  await change('hosts: [');
  process.kill(await pidOf(1), 'SIGKILL');
  await program.said('a worker serves in place of one that ended');
  t.same(await statuses(), [401, 401]);
  const log = (await program.output()).split('\n').filter((line) => line.includes('"component":"serve"'));
  t.equal(log.filter((line) => line.includes('configuration reloaded')).length, 1, 'said once');

  process.kill(program.pid, 'SIGKILL');
  await until('the end of the workers', async () => (await ping(url)) === 'ECONNREFUSED');
  const sockets = async () =>
    (await readdir(directory)).filter((name) => name.startsWith('quayside-workers'));
  await until('no socket', async () => (await sockets()).length === 0);
});
