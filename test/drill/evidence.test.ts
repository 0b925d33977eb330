import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'tap';
import { clockAheadMs, samplesOf } from '../../src/drill/table/evidence.ts';
import { listening } from '../support/listening.ts';

const page = `# TYPE quayside_fills_not_kept_total counter
quayside_fills_not_kept_total{reason="disk-full"} 3
quayside_fills_not_kept_total{reason="store"} 40
quayside_store_failures_total{operation="write",cause="disk-full"} 2
quayside_other_total{reason="disk-full"} 100
`;
const wanted = {
  names: ['quayside_fills_not_kept_total', 'quayside_store_failures_total'],
  values: ['disk-full', 'unwritable'],
};

test('what a replica counts of a disk that is full is summed', async (t) => {
  const server = createServer((_request, response) => response.end(page));
  const { host, close } = await listening(server);
  t.equal(await samplesOf({ admin: `http://${host}` }, wanted), 5);
  await close();
  t.equal(await samplesOf({ admin: `http://${host}` }, wanted), undefined);
});

test('the clock of a replica is read from its last log line', async (t) => {
  const at = (ms: number): string =>
    `{"level":"info","time":"${new Date(Date.now() + ms).toISOString()}","msg":"x"}`;
  const folder = t.testdir({ log: `${at(0)}\n${at(86_400_000)}\n`, empty: '' });
  const aheadMs = await clockAheadMs({ log: join(folder, 'log') });
  t.ok(Math.abs(aheadMs - 86_400_000) < 60_000);
  t.equal(await clockAheadMs({ log: join(folder, 'empty') }), 0);
});
