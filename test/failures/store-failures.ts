import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { mock } from 'node:test';
import type { Test } from 'tap';
import { type BadDay, badDay, digestOrCut, temporary } from '../bad-days/rig.ts';
import { overS3, stored } from '../bad-days/s3-rig.ts';
import { listening } from '../support/listening.ts';
import { type Failure, type Played, patient } from './failure.ts';

const requestId = 'pull-1';
const init = { headers: { 'x-request-id': requestId } };
const leftAlone =
  'S3 circuit breaker opened after repeated failures; pulls bypass the store until a probe succeeds';
const written = (cause: string) => `quayside_store_failures_total{operation="write",cause="${cause}"}`;

/** A pull of a layer, which no trouble of the store may end. */
async function pulledLayer(rig: BadDay): Promise<string> {
  const answer = await rig.getLayer(init);
  if ((await digestOrCut(answer)) !== rig.layer.digest) throw new Error('the pull failed');
  return `**${answer.status}**, \`Quayside-Cache: ${answer.headers.get('quayside-cache')}\``;
}

/** An S3 that refuses every request in the same way. */
async function refusingS3(t: Test, status: number, code: string, message: string): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return `http://${host}`;
}

async function overRefusingS3(t: Test, status: number, code: string, message: string): Promise<BadDay> {
  const endpoint = await refusingS3(t, status, code, message);
  const directory = await temporary(t, { id: 'AKIDEXAMPLE', key: 'a-secret-key' });
  const files = { accessKeyIdFile: join(directory, 'id'), secretAccessKeyFile: join(directory, 'key') };
  // A busy machine is no S3 that is slow.
  const s3 = { bucket: 'blobs', endpoint, pathStyle: true, firstByteTimeoutMs: '60s', ...files };
  return badDay(t, { ...patient, settings: { store: { s3 }, spool: { path: join(directory, 'spool') } } });
}

function refusedByS3(
  status: number,
  code: string,
  message: string,
  cause: string,
): (t: Test) => Promise<Played> {
  return async (t) => {
    const rig = await overRefusingS3(t, status, code, message);
    const client = await pulledLayer(rig);
    return { rig, client, requestId, lines: [leftAlone], metrics: [written(cause)] };
  };
}

/** No file takes a byte more, until the scope ends. */
async function diskFull(t: Test): Promise<void> {
  const handle = await open('/dev/null');
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const full = async (): Promise<never> => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  for (const name of ['write', 'writeFile']) {
    const { mock: spy } = mock.method(prototype, name, full);
    t.teardown(() => spy.restore());
  }
}

/** What the store does. No pull fails of it. */
export const storeFailures: readonly Failure[] = [
  {
    name: 'S3 is down',
    next: 'look at the server of the bucket; until it answers, pulls cost upstream traffic',
    async play(t) {
      const { s3, rig } = await overS3(t);
      await stored({ s3, rig });
      s3.switches.down = true;
      const client = await pulledLayer(rig);
      const metrics = ['quayside_store_failures_total{operation="read",cause="unreachable"}'];
      return { rig, client, requestId, lines: [leftAlone], metrics };
    },
  },
  {
    name: 'S3 does not accept the key',
    next: 'correct `accessKeyIdFile` and `secretAccessKeyFile`; `config check --deep` tries them',
    play: refusedByS3(403, 'InvalidAccessKeyId', 'The key does not exist in our records.', 'denied'),
  },
  {
    name: 'the bucket does not exist',
    next: 'correct `store.s3.bucket`, or create it by `quayside bucket ensure`',
    play: refusedByS3(404, 'NoSuchBucket', 'The specified bucket does not exist', 'absent'),
  },
  {
    name: 'the disk is full',
    isAlone: true,
    next: 'free space, or lower `eviction.maxBytes` and `spool.maxBytes`',
    async play(t) {
      const rig = await badDay(t, patient);
      await diskFull(t);
      const client = await pulledLayer(rig);
      return {
        rig,
        client,
        requestId,
        lines: [
          'a download was not stored',
          'the disk of the store is full (ENOSPC); pulls continue and are not stored',
        ],
        metrics: ['quayside_fills_not_kept_total{reason="disk-full"}', written('disk-full')],
      };
    },
  },
];
