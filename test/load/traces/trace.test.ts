import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { openTrace } from '../../../src/load/traces/trace.ts';
import type { Arrival } from '../../../src/load/work.ts';
import { ibmRecords, nginxLines, ownLines, registryJsonLine, registryLines } from './samples.ts';

type TraceOptions = Parameters<typeof openTrace>[1];

async function fileOf(t: Test, content: string | Uint8Array): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-trace-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'trace');
  await writeFile(file, content);
  return file;
}

async function readWhole(t: Test, content: string | Uint8Array, options?: TraceOptions) {
  const trace = await openTrace(await fileOf(t, content), options);
  const arrivals: Arrival[] = [];
  for await (const arrival of trace.arrivals) arrivals.push(arrival);
  return { arrivals, summary: trace.summary() };
}

/** An arrival in one line. */
function shown({ atMs, node, work }: Arrival): string {
  if (work.kind !== 'request') return work.kind;
  const { method, path, bytes, range } = work;
  const part = range === undefined ? '' : ` ${range.start}-${range.end}`;
  return `${Math.round(atMs)} ${node} ${method} ${path.replace(/[0-9a-f]{60}$/, '…')} ${bytes ?? '-'}${part}`;
}

test('our own log arrives in the order in which requests came, not in that of their ends', async (t) => {
  const { arrivals, summary } = await readWhole(t, ownLines.join('\n'));
  t.same(arrivals.map(shown), [
    '0 10.0.0.7 GET /v2/team/app/manifests/v1 666',
    '50 10.0.0.7 GET /v2/team/app/blobs/sha256:a4a4… 7832',
    '1199 10.0.0.7 HEAD /v2/team/app/manifests/v1 -',
  ]);
  t.match(summary, { format: 'quayside', records: 4, requests: 3, otherLines: 1, bad: 0, spanMs: 1199 });
});

test('docker-registry writes each request twice, and it arrives once', async (t) => {
  const { arrivals, summary } = await readWhole(t, registryLines.join('\n'));
  t.same(arrivals.map(shown), [
    '0 10.0.0.7 GET /v2/ 2',
    '21 10.0.0.7 HEAD /v2/team/app/manifests/v1 -',
    '22 10.0.0.7 GET /v2/team/app/blobs/sha256:a4a4… 7832',
  ]);
  t.match(summary, { format: 'docker-registry', leftOut: { write: 1, login: 1 }, otherLines: 6 });
});

test('docker-registry is read as JSON, and as the second kind of line alone', async (t) => {
  const json = await readWhole(t, registryJsonLine);
  t.same(json.arrivals.map(shown), ['0 [fd00::7] GET /v2/team/app/blobs/sha256:a4a4… 7832']);
  const access = registryLines.filter((line) => !line.startsWith('time='));
  const second = await readWhole(t, access.join('\n'), { format: 'docker-registry' });
  t.equal(second.summary.requests, 3);
});

test('a log with whole seconds is spread over each of them', async (t) => {
  const { arrivals, summary } = await readWhole(t, nginxLines.join('\n'));
  t.same(arrivals.map(shown), [
    '0 10.0.0.7 GET /v2/ 2',
    '333 10.0.0.7 GET /v2/team/app/manifests/v1?ns=quay.io 666',
    '667 10.0.0.7 GET /v2/team/app/blobs/sha256:a4a4… 100 0-99',
    '2000 10.0.0.7 GET /v2/team/app/tags/list 34',
  ]);
  t.match(summary, { format: 'access-log', leftOut: { write: 1, 'other path': 1 }, otherLines: 1, bad: 0 });
});

for (const [form, text] of Object.entries({
  'a list on one line': JSON.stringify(ibmRecords),
  'a list on many lines': JSON.stringify(ibmRecords, undefined, 4),
  'records, one a line': ibmRecords.map((record) => JSON.stringify(record)).join('\n'),
})) {
  test(`the traces of IBM are read as ${form}`, async (t) => {
    const { arrivals, summary } = await readWhole(t, text);
    t.same(arrivals.map(shown), [
      '0 0ee76ffa GET /v2/4715bf52/437c49db/manifests/aa054319 9576',
      '501 0ee76ffa GET /v2/00000001/00000002/manifests/bb054319 500',
      '601 0ee76ffa GET /v2/4715bf52/437c49db/blobs/93054319 30000000',
    ]);
    t.match(summary, { format: 'ibm', records: 4, leftOut: { write: 1 }, bad: 0 });
  });
}

test('what a container engine writes around a line does not matter', async (t) => {
  const [, own = ''] = ownLines;
  const wrapped = [
    `2026-11-29T20:43:26.480Z stdout F ${own}`,
    JSON.stringify({ log: `${own}\n`, stream: 'stdout', time: '2026-11-29T20:43:26Z' }),
  ];
  t.equal((await readWhole(t, wrapped.join('\n'))).summary.requests, 2);
  const access = nginxLines.map((line) => `proxy-1  | ${line}`);
  t.match((await readWhole(t, access.join('\n'))).arrivals[0], { node: '10.0.0.7' });
});

test('a gzipped trace is told by its first bytes', async (t) => {
  t.equal((await readWhole(t, gzipSync(ownLines.join('\n')))).summary.requests, 3);
});

test('a gzipped trace that is cut is an error', async (t) => {
  const cut = gzipSync(JSON.stringify(ibmRecords)).subarray(0, -12);
  await t.rejects(readWhole(t, cut, { format: 'ibm' }), /unexpected end of file/);
});

test('bad lines are counted, and the first is shown', async (t) => {
  const [, first = '', second = ''] = ownLines;
  const { summary } = await readWhole(t, [first, '{"msg":"requ', '', 'torn\tline', second].join('\n'));
  t.match(summary, { requests: 2, bad: 2, firstBad: { number: 2, text: '{"msg":"requ' } });
});

test('a trace without one good record is an error that shows the first', async (t) => {
  await t.rejects(readWhole(t, 'one\ntwo\n', { format: 'quayside' }), /2 records .* record 1: one/);
  await t.rejects(readWhole(t, 'one\ntwo\n'), /no known format; name it with --trace-format/);
});

test('a record that never ends costs one record, and the rest is read', async (t) => {
  const [record] = ibmRecords;
  const torn = `[\n${JSON.stringify(record)},\n{"id": "${'x'.repeat(200_000)}\n${JSON.stringify(record)}]`;
  const { summary } = await readWhole(t, torn);
  t.match(summary, { requests: 2, bad: 1 });
});

test('requests within 10,000 lines are put in order, later ones are due at once', async (t) => {
  const line = (second: number): string => {
    const time = new Date(Date.UTC(2026, 10, 29) + second * 1000).toISOString();
    return JSON.stringify({
      time,
      component: 'proxy',
      msg: 'request',
      method: 'GET',
      path: '/v2/',
      status: 200,
    });
  };
  const lines = [...Array.from({ length: 10_050 }, (_, index) => line(index + 10)), line(5), line(45)];
  const { arrivals, summary } = await readWhole(t, lines.join('\n'));
  const times = arrivals.map(({ atMs }) => atMs);
  t.same(
    times,
    times.toSorted((a, b) => a - b),
  );
  t.match(summary, { requests: 10_052, late: 2 });
});
