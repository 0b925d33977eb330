import assert from 'node:assert/strict';
import type { Passed, Trouble, Weather } from '../fixtures/front.ts';
import { front } from '../fixtures/front.ts';
import { largest } from '../fixtures/images.ts';
import {
  type NodeClient,
  type NodeImage,
  type NodeStand,
  nodeClients,
  nodeImage,
  nodeStand,
  type Pulled,
} from '../fixtures/node-stand.ts';
import { first, unknownBlob } from '../fixtures/weather.ts';
import type { Scenario } from '../scenario.ts';

/** What goes wrong between Quayside and its upstream, and for which of the requests. */
interface Row {
  readonly name: string;
  readonly of: 'manifest' | 'child' | 'blob';
  readonly trouble: Trouble;
  /** Only so many requests meet it. Default: all. */
  readonly times?: number;
}

const html = { 'content-type': 'text/html' };
const step = 500_000;

const rows: readonly Row[] = [
  { name: 'manifest 503', of: 'manifest', trouble: { status: 503 } },
  { name: 'manifest reset', of: 'manifest', trouble: { instead: 'reset' } },
  { name: 'manifest 404', of: 'manifest', trouble: { status: 404 } },
  { name: 'manifest 401', of: 'manifest', trouble: { status: 401 } },
  { name: 'manifest 403', of: 'manifest', trouble: { status: 403 } },
  { name: 'manifest 429', of: 'manifest', trouble: { status: 429 } },
  {
    name: 'manifest 429, Retry-After 30',
    of: 'manifest',
    trouble: { status: 429, headers: { 'retry-after': '30' } },
  },
  { name: 'manifest hangs', of: 'manifest', trouble: { instead: 'silence' } },
  { name: 'child manifest 503', of: 'child', trouble: { status: 503 }, times: 4 },
  { name: 'blob 503', of: 'blob', trouble: { status: 503 } },
  { name: 'blob reset', of: 'blob', trouble: { instead: 'reset' } },
  { name: 'blob 404', of: 'blob', trouble: unknownBlob },
  { name: 'blob 404 in HTML', of: 'blob', trouble: { status: 404, headers: html, body: '<p>none' } },
  { name: 'blob 401', of: 'blob', trouble: { status: 401 } },
  { name: 'blob 403', of: 'blob', trouble: { status: 403 } },
  { name: 'blob 302 to storage that answers 403', of: 'blob', trouble: { status: 302 } },
  { name: 'blob 429', of: 'blob', trouble: { status: 429 } },
  {
    name: 'blob 429, Retry-After 3',
    of: 'blob',
    trouble: { status: 429, headers: { 'retry-after': '3' } },
  },
  { name: 'blob hangs', of: 'blob', trouble: { instead: 'silence' } },
  { name: 'blob cut once', of: 'blob', trouble: { cut: 'answer', after: step }, times: 1 },
  { name: 'blob cut at each 500 KB', of: 'blob', trouble: { cut: 'answer', after: step } },
  { name: 'blob stalls at each 500 KB', of: 'blob', trouble: { stall: 'answer', after: step } },
];

const longestSeconds = 20;

/** A client that pulls an image of its own while its row is true. */
interface Case {
  readonly client: NodeClient;
  readonly row: Row;
  readonly target: NodeImage;
}

/**
 * A node is never stranded: whatever Quayside's upstream does, a cold pull ends whole, from
 * Quayside or from QCI, and never from the source. The clients of each row run side by side.
 */
export const nodesOnBadDays: Scenario = {
  name: 'nodes-on-bad-days',
  needs: ['docker-registry', 'containerd', 'ctr', 'puller', 'puller-crio-1.37'],
  async play(scene) {
    const storage = await front(scene.stage, 'http://127.0.0.1:1', () => ({
      status: 403,
      body: '<Error><Code>AccessDenied</Code></Error>',
    }));
    const cases = await allCases();
    const weathers = new Map(cases.map((each) => [each.target.repository, weatherOf(each, storage.url)]));
    const stand = await nodeStand(scene, {
      targets: cases.map(({ target }) => target),
      upstream: (request) => weathers.get(repositoryIn(request))?.(request),
    });
    for (const client of nodeClients) {
      const pulls = cases.filter((each) => each.client === client).map((each) => pulledInTurn(each, stand));
      for (const { row, pulled } of await Promise.all(pulls))
        await scene.fact(`${client}, ${row.name}: ${told(pulled)}`, () => {
          const last = pulled.at(-1);
          if (last?.isWhole !== true) assert.fail(last?.said);
          assert.ok(secondsOf(pulled) < longestSeconds);
          assert.ok(!last.askedSource, 'the source was asked');
        });
    }
  },
};

/**
 * What fails of a pod's pull is tried again by the kubelet: a client that stays with its mirror for
 * the blobs needs that.
 */
async function pulledInTurn(
  { client, row, target }: Case,
  stand: NodeStand,
): Promise<{ readonly row: Row; readonly pulled: readonly Pulled[] }> {
  const first = await stand.pull(client, target);
  if (first.isWhole || client !== 'library of CRI-O 1.37') return { row, pulled: [first] };
  return { row, pulled: [first, await stand.pull(client, target)] };
}

function secondsOf(pulled: readonly Pulled[]): number {
  return pulled.reduce((sum, { seconds }) => sum + seconds, 0);
}

function told(pulled: readonly Pulled[]): string {
  const from = pulled.at(-1)?.askedQci === true ? 'QCI' : 'Quayside alone';
  const tries = pulled.length === 1 ? '' : ', in the second pull';
  return `whole from ${from} after ${secondsOf(pulled).toFixed(1)} s${tries}`;
}

async function allCases(): Promise<Case[]> {
  let number = 0;
  const cases: Case[] = [];
  for (const client of nodeClients)
    for (const row of rows) {
      number += 1;
      const platforms = row.of === 'child' ? { platforms: ['linux/amd64', 'linux/arm64'] } : {};
      cases.push({
        client,
        row,
        target: await nodeImage(number, { layers: [3_000, 4 * step + 1], ...platforms }),
      });
    }
  return cases;
}

function weatherOf({ row, target: { image } }: Case, storage: string): Weather {
  const { digest } =
    row.of === 'blob' ? largest(image).descriptor : (image.manifests[0]?.descriptor ?? image.root.descriptor);
  const concerns = ({ path }: Passed): boolean =>
    row.of === 'manifest' ? path.includes('/manifests/') : path.endsWith(digest);
  const trouble =
    'status' in row.trouble && row.trouble.status === 302
      ? { ...row.trouble, headers: { location: `${storage}/signed` } }
      : row.trouble;
  const meets = first(row.times ?? Number.POSITIVE_INFINITY, trouble);
  return (request) => (concerns(request) ? meets(request) : undefined);
}

function repositoryIn({ path }: Passed): string {
  return /^\/v2\/(openshift\/ci-\d+)\//.exec(path)?.[1] ?? '';
}
