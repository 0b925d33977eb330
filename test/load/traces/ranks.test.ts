import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { mappedTo, ranksOf, type StandIn } from '../../../src/load/traces/ranks.ts';
import { openTrace } from '../../../src/load/traces/trace.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { ibmRecord } from './samples.ts';

const digest = (digit: string) => parseDigest(`sha256:${digit.repeat(64)}`);

function image(name: string, sizes: Readonly<Record<string, number>>): StandIn {
  return {
    repository: parseRepository(name),
    reference: parseReference('v1'),
    blobs: Object.entries(sizes).map(([digit, size]) => ({ digest: digest(digit), size })),
  };
}

test('the most wanted repository of a trace becomes the first image, its blobs the nearest in size', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-ranks-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'trace');
  const records = [
    ibmRecord({ uri: 'v2/rare/x/manifests/1', written: 9576, at: '18.0' }),
    ibmRecord({ uri: 'v2/rare/x/blobs/2', written: 3000, at: '18.1' }),
    ibmRecord({ uri: 'v2/much/y/manifests/3', written: 800, at: '18.2' }),
    ibmRecord({ uri: 'v2/much/y/blobs/4', written: 400_000, at: '18.3' }),
    ibmRecord({ uri: 'v2/much/y/blobs/5', written: 90_000_000, at: '18.4' }),
    ibmRecord({ uri: 'v2/', at: '18.5' }),
    ibmRecord({ uri: 'v2/much/y/referrers/sha256:1', at: '18.6' }),
  ];
  await writeFile(file, JSON.stringify(records));
  const ranks = await ranksOf(file);
  t.match(ranks, { repositories: 2, summary: { requests: 7 } });
  const images = [
    image('model/0', { a: 1000, b: 500_000, c: 20_000_000 }),
    image('model/1', { d: 2000, e: 7_000_000 }),
  ];
  const paths: string[] = [];
  for await (const { work } of mappedTo(images, ranks)((await openTrace(file)).arrivals))
    if (work.kind === 'request') paths.push(work.path);
  t.same(paths, [
    '/v2/model/1/manifests/v1',
    `/v2/model/1/blobs/${digest('d')}`,
    '/v2/model/0/manifests/v1',
    `/v2/model/0/blobs/${digest('b')}`,
    `/v2/model/0/blobs/${digest('c')}`,
    '/v2/',
  ]);
});
