import assert from 'node:assert/strict';
import type { Passed, Trouble, Weather } from '../fixtures/front.ts';
import { largest } from '../fixtures/images.ts';
import { type NodeImage, nodeImage, nodeStand, type Pulled } from '../fixtures/node-stand.ts';
import { first, unknownBlob } from '../fixtures/weather.ts';
import type { Scenario } from '../scenario.ts';

/** From the cache alone; from QCI; or not at all. */
type Outcome = 'cache' | 'QCI' | 'FAIL';

/** What a mirror answers, and what each library makes of it. */
interface Row {
  readonly name: string;
  readonly of: 'manifest' | 'child' | 'blob' | 'resume';
  readonly trouble: Trouble;
  readonly times?: number;
  readonly newest: Outcome;
  /** CRI-O 1.37's. */
  readonly older: Outcome;
}

const soon = { 'retry-after': '1' };
const json = { 'content-type': 'application/json' };
const tooMany: Trouble = {
  status: 429,
  headers: { ...soon, ...json },
  body: JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }),
};
const always = Number.POSITIVE_INFINITY;

const rows: readonly Row[] = [
  ...[503, 404, 403, 401].map(
    (status): Row => ({
      name: `manifest ${status}`,
      of: 'manifest',
      trouble: { status },
      newest: 'QCI',
      older: 'QCI',
    }),
  ),
  { name: 'manifest reset', of: 'manifest', trouble: { instead: 'reset' }, newest: 'QCI', older: 'QCI' },
  { name: 'manifest 429', of: 'manifest', trouble: tooMany, newest: 'QCI', older: 'QCI' },
  { name: 'child 503', of: 'child', trouble: { status: 503 }, times: 1, newest: 'FAIL', older: 'FAIL' },
  { name: 'child 429 twice', of: 'child', trouble: tooMany, times: 2, newest: 'cache', older: 'cache' },
  { name: 'child 404', of: 'child', trouble: { status: 404 }, newest: 'FAIL', older: 'FAIL' },
  { name: 'blob 503 once', of: 'blob', trouble: { status: 503 }, times: 1, newest: 'cache', older: 'FAIL' },
  { name: 'blob 503', of: 'blob', trouble: { status: 503 }, newest: 'QCI', older: 'FAIL' },
  { name: 'blob 404 BLOB_UNKNOWN', of: 'blob', trouble: unknownBlob, newest: 'QCI', older: 'FAIL' },
  { name: 'blob 404 without a code', of: 'blob', trouble: { status: 404 }, newest: 'FAIL', older: 'FAIL' },
  ...[401, 403].map(
    (status): Row => ({
      name: `blob ${status}`,
      of: 'blob',
      trouble: { status },
      newest: 'FAIL',
      older: 'FAIL',
    }),
  ),
  { name: 'blob 429 three times', of: 'blob', trouble: tooMany, times: 3, newest: 'cache', older: 'cache' },
  { name: 'blob 429', of: 'blob', trouble: tooMany, newest: 'QCI', older: 'FAIL' },
  {
    name: 'blob 429 as text',
    of: 'blob',
    trouble: { status: 429, headers: soon, body: 'slow down' },
    newest: 'FAIL',
    older: 'FAIL',
  },
  {
    name: 'blob cut once',
    of: 'blob',
    trouble: { cut: 'answer', after: 1_100_000 },
    times: 1,
    newest: 'cache',
    older: 'cache',
  },
  { name: 'resume 503', of: 'resume', trouble: { status: 503 }, newest: 'FAIL', older: 'FAIL' },
  { name: 'resume 429 twice', of: 'resume', trouble: tooMany, times: 2, newest: 'cache', older: 'cache' },
];

const libraries = [
  { client: 'library', expected: 'newest' },
  { client: 'library of CRI-O 1.37', expected: 'older' },
] as const;

/**
 * What the library of podman, skopeo and CRI-O does with each answer of a mirror, with nothing of
 * ours in it: a version that does something else fails here, and `src/proxy/pull/next-mirror.ts` is
 * to be thought through again.
 */
export const clientAnswers: Scenario = {
  name: 'client-answers',
  needs: ['docker-registry', 'containerd', 'ctr', 'puller', 'puller-crio-1.37'],
  async play(scene) {
    const targets: NodeImage[] = [];
    const weathers = new Map<string, Weather>();
    for (const [number, row] of [...rows, ...rows].entries()) {
      const platforms = row.of === 'child' ? { platforms: ['linux/amd64', 'linux/arm64'] } : {};
      const target = await nodeImage(number, { layers: [3_000, 2_500_000], ...platforms });
      targets.push(target);
      weathers.set(target.repository, weatherOf(row, target));
    }
    const stand = await nodeStand(scene, {
      targets,
      cache: (request) => weathers.get(repositoryIn(request))?.(request),
    });
    for (const [index, { client, expected }] of libraries.entries()) {
      const own = targets.slice(index * rows.length, (index + 1) * rows.length);
      const pulls = own.map((target) => stand.pull(client, target));
      for (const [number, pull] of pulls.entries()) {
        const row = rows[number];
        if (row === undefined) continue;
        await scene.fact(`${client}, ${row.name}: ${row[expected]}`, async () =>
          assert.equal(outcomeOf(await pull), row[expected]),
        );
      }
    }
  },
};

function outcomeOf({ isWhole, askedQci }: Pulled): Outcome {
  if (!isWhole) return 'FAIL';
  return askedQci ? 'QCI' : 'cache';
}

/** A blob is resumed after its first answer was cut. */
function weatherOf(row: Row, { image }: NodeImage): Weather {
  const { digest } =
    row.of === 'blob' || row.of === 'resume'
      ? largest(image).descriptor
      : (image.manifests[0]?.descriptor ?? image.root.descriptor);
  const meets = first(row.times ?? always, row.trouble);
  const cutsOnce = first(1, { cut: 'answer', after: 1_100_000 });
  const concerns = ({ path }: Passed): boolean =>
    row.of === 'manifest' ? path.includes('/manifests/') : path.endsWith(digest);
  return (request) => {
    if (!concerns(request)) return undefined;
    return (row.of === 'resume' ? cutsOnce(request) : undefined) ?? meets(request);
  };
}

function repositoryIn({ path }: Passed): string {
  return /\/(openshift\/ci-\d+)\//.exec(path)?.[1] ?? '';
}
