import { test } from 'tap';
import { run } from '../../../src/cli/commands/run.ts';
import { byteRate } from '../../../src/cli/simulate/page.ts';
import { recordedIo } from '../io.ts';

async function simulated(...args: string[]) {
  const io = recordedIo();
  const code = await run(['simulate', ...args], io);
  return { code, out: io.out(), err: io.err() };
}

const small = ['--images', '40', '--layers', '3', '--sizes', 'p0=1kB,p100=4MB', '--duration', '10m'];

test('each size is a column, and what it saves is a sentence', async (t) => {
  const { code, out } = await simulated(...small, '--replicas', '3', '--disk', '20MB,1GB', '--moves', '20s');
  t.equal(code, 0);
  t.match(out, /disk of a replica +19\.1 MiB +954 MiB/);
  t.match(out, /hit rate +\d+\.\d % +\d+\.\d %/);
  t.match(out, /954 MiB for 19\.1 MiB saves \$[\d,.]+ a month/);
  t.match(out, /What breaks first: the .+, at [\d,.]+ times this load\./);
});

test('a rate of nothing is a mistake', async (t) => {
  for (const rate of ['0', '0Gbit/s', '0.1B/s']) t.throws(() => byteRate(rate), { message: /above 0/ }, rate);
});

test('nothing where something must be is a mistake that says what to do', async (t) => {
  const wrong = { bucket: '0', rate: '0', moves: '0s', herd: '0s', 'node-life': '0ms' };
  for (const [name, value] of Object.entries(wrong)) {
    const { code, err } = await simulated(`--${name}`, value);
    t.equal(code, 2, name);
    t.match(err, new RegExp(`--${name} must be above 0: (leave it out|name)`));
  }
});

test('a month that is reckoned from little load says so', async (t) => {
  const sentence = /A month is reckoned from only 10\.0 min of load/;
  t.match((await simulated(...small)).out, sentence);
  t.notMatch((await simulated(...small, '--duration', '1h')).out, /reckoned/);
});

test('the same seed gives the same report, another seed another one', async (t) => {
  const first = await simulated(...small, '-o', 'json');
  t.equal((await simulated(...small, '-o', 'json')).out, first.out);
  t.not((await simulated(...small, '--random', '2', '-o', 'json')).out, first.out);
});

test('a trace is simulated by its own requests', async (t) => {
  const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
  const line = (second: number, client: string, path: string, bytes: number) =>
    JSON.stringify({
      ...{ component: 'proxy', msg: 'request' },
      time: new Date(Date.UTC(2026, 10, 1, 0, 0, second)).toISOString(),
      ...{ method: 'GET', path, status: 200, client, bytes, totalMs: 1 },
    });
  const pull = (second: number, client: string) => [
    line(second, client, '/v2/team/app/manifests/v1', 700),
    line(second, client, `/v2/team/app/blobs/${digest('a')}`, 5_000),
    line(second, client, `/v2/team/app/blobs/${digest('b')}`, 9_000_000),
  ];
  const text = [...pull(1, 'one'), ...pull(20, 'two'), line(30, 'two', '/v2/', 2)].join('\n');
  const trace = `${t.testdir({ trace: text })}/trace`;
  const { code, out } = await simulated('--trace', trace, '-o', 'json');
  t.equal(code, 0);
  const { reports, trace: rest } = JSON.parse(out);
  t.match(reports[0], { reads: 6, pulls: 0, hitRate: 0.5, upstream: { bytes: 9_005_700, requests: 3 } });
  t.same(rest, { others: 1, unanswered: 0 });
  t.match((await simulated('--trace', trace)).out, /Left out of the trace: 1 without content/);
});

test('a configuration gives the limits, and a mistake says what is wrong', async (t) => {
  const config = `${t.testdir({ config: 'eviction: { maxBytes: 30MB }\nupstreams: { quay.io: { requestsPerSecond: 1 } }' })}/config`;
  const { out } = await simulated(...small, '--config', config, '-o', 'json');
  const [report] = JSON.parse(out).reports;
  t.match(report, { diskBytes: 30_000_000, s3: { reads: 0 } });
  t.ok(report.upstream.peakRequests <= 2);
  t.match((await simulated('trace.log')).err, /name a trace by --trace/);
  t.match((await simulated('--trace', '/nowhere')).err, /--trace: \/nowhere cannot be read/);
  t.match((await simulated('--warm-up', '25h')).err, /--warm-up must be shorter/);
  t.match((await simulated('--upstream', 'no.such')).err, /has no upstream no\.such/);
  t.match((await simulated('--link', 'much')).err, /must be a size/);
});

test('a signal ends a simulation', async (t) => {
  const stop = new AbortController();
  const io = recordedIo(stop.signal);
  const running = run(['simulate', ...small, '--duration', '720h'], io);
  setImmediate(() => stop.abort(new Error('SIGINT')));
  t.equal(await running, 130);
  t.equal(io.out(), '');
});

test('rates are bits or bytes a second', (t) => {
  t.equal(byteRate('10Gbit/s'), 1.25e9);
  t.equal(byteRate('2.5GB/s'), 2.5e9);
  t.equal(byteRate('64KiB'), 65_536);
  t.end();
});
