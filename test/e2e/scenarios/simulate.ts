import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fieldsOf, jsonOrNone } from '../../../src/base/text/json.ts';
import { createFront } from '../../../src/load/traffic/front.ts';
import { s3Double } from '../../support/s3-double.ts';
import { command, type Quayside, quayside, upstreamName } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

const model = ['--images', '60', '--layers', '6', '--sizes', 'p0=1kB,p50=60kB,p100=400kB'];
const seconds = 10;
/** So many times as fast: 10 s are 50 minutes, longer than the grace time of the eviction. */
const factor = 300;
const preload = new URL('../fixtures/fast-clock.js', import.meta.url).href;
/** For a machine that has much else to do, milliseconds. */
const timeoutMs = 180_000;
/** Apart, in points of a hundred. */
const mostApart = 2;

/** What a service did, beside what is said of it. */
interface Outcome {
  readonly hitRate: number;
  readonly bytes: number;
  readonly requests: number;
}

/** `quayside simulate` on the trace of a real load, beside what the service did in it. */
export const simulate: Scenario = {
  name: 'simulate',
  needs: ['docker-registry'],
  limitMs: 420_000,
  async play(scene) {
    const { stage, fact, isLong } = scene;
    const upstream = await registry(scene);
    const seeded = ['load', '--seed', upstream.url, ...model];
    await stage.run(process.execPath, [command, ...seeded], { timeoutMs });
    const runs: readonly (readonly [size: string, seed: number])[] = isLong
      ? [8, 4, 2].flatMap((size) => [1, 2, 3].map((seed) => [`${size}MB`, seed] as const))
      : [
          ['4MB', 1],
          ['8MB', 2],
        ];
    for (const [size, seed] of runs)
      await fact(`a store of ${size}, seed ${seed}: the hit rate is within 2 points`, async () => {
        const name = `store-${size}-${seed}`;
        const front = await countingFront(scene, upstream.url);
        const eviction = { maxBytes: size, everyMs: '2s' };
        // In memory, where a look takes no time: with this clock a second is 5 minutes.
        const store = { memory: {} };
        const service = await quayside(stage, {
          ...{ name, upstream: front.url, store, config: { eviction } },
          env: {
            NODE_OPTIONS: `--import=${preload}`,
            QUAYSIDE_FAST_CLOCK: `${factor},${Date.now()}`,
          },
        });
        const real = await loaded(scene, { service, front, seed });
        const config = { eviction: { ...eviction, everyMs: `${2 * factor}s` } };
        const predicted = await predictedOf(scene, {
          name,
          service,
          config,
          args: ['--store', 'filesystem'],
        });
        assert.ok(predicted.evictedBytes > 0, 'something is evicted');
        compared(name, real, predicted);
        await service.stop();
      });
    await fact('a disk before a bucket: the hit rate is within 2 points', async () => {
      const name = 'disk';
      const s3 = await s3Double();
      stage.defer(() => s3.close());
      const front = await countingFront(scene, upstream.url);
      const store = {
        ...(await bucketOf(scene, s3.endpoint)),
        disk: { path: join(stage.directory, 'disk'), maxBytes: '64MiB' },
      };
      const service = await quayside(stage, { ...{ name, upstream: front.url, store } });
      const before = s3.requests.length;
      const real = await loaded(scene, { service, front, seed: 3 });
      const calls = s3.requests.slice(before);
      const predicted = await predictedOf(scene, { name, service, config: { store }, args: [] });
      compared(name, real, predicted);
      const count = (...operations: readonly string[]): number =>
        calls.filter(({ operation }) => operations.includes(operation)).length;
      // Told, not judged: a busy machine makes calls again, and clients at once each look first.
      const [reads, writes] = [count('GetObject', 'HeadObject'), count('PutObject', 'ListObjectsV2')];
      process.stdout.write(
        `  S3 read ${reads} times, predicted ${predicted.s3Reads}; written ${writes} times, predicted ${predicted.s3Writes}\n`,
      );
    });
  },
};

/** A directory's listing of what passes to the upstream. */
async function countingFront({ stage }: Scene, url: string) {
  const front = await createFront({ upstream: new URL(url), host: '127.0.0.1', port: 0 });
  stage.defer(() => front.close());
  return front;
}

async function bucketOf({ stage }: Scene, endpoint: string) {
  const file = join(stage.directory, 's3-key');
  await writeFile(file, 'key-of-the-tests', { mode: 0o600 });
  return {
    s3: {
      bucket: 'blobs',
      endpoint,
      pathStyle: true,
      firstByteTimeoutMs: '60s',
      accessKeyIdFile: file,
      secretAccessKeyFile: file,
    },
  };
}

interface Loading {
  readonly service: Quayside;
  readonly front: { readonly count: { readonly bytes: number; readonly requests: number } };
  readonly seed: number;
}

/** Loads the service, and reads of its log what it answered from. */
async function loaded({ stage }: Scene, { service, front, seed }: Loading): Promise<Outcome> {
  const target = ['--target', service.url, '--mirror-of', upstreamName, '--mirror-by', 'path'];
  const pace = ['--rate', '25', '--nodes', '200', '--duration', `${seconds}s`, '--random', String(seed)];
  // Names and bytes of the images depend on --random: the list has those that were pushed.
  const list = join(stage.directory, 'images');
  await writeFile(list, Array.from({ length: 60 }, (_, index) => `load/image-${index}:latest`).join('\n'));
  await stage.run(process.execPath, [command, 'load', ...target, '--images', list, ...pace], { timeoutMs });
  await after(500);
  const hits = (await service.output()).split('\n').flatMap((line) => {
    const { msg, hit, method, path } = fieldsOf(jsonOrNone(line));
    const isRead = msg === 'request' && method === 'GET' && typeof hit === 'string';
    return isRead && /\/(?:manifests|blobs)\//.test(String(path)) ? [hit] : [];
  });
  assert.ok(hits.length > 500, `${hits.length} reads`);
  const misses = hits.filter((hit) => hit === 'fill').length;
  return { hitRate: 1 - misses / hits.length, bytes: front.count.bytes, requests: front.count.requests };
}

interface Predicting {
  readonly name: string;
  readonly service: Quayside;
  readonly config: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
}

interface Prediction extends Outcome {
  readonly evictedBytes: number;
  readonly s3Reads: number;
  readonly s3Writes: number;
}

/** The log of the service through the simulator, with the same settings. */
async function predictedOf(
  { stage }: Scene,
  { name, service, config, args }: Predicting,
): Promise<Prediction> {
  const trace = join(stage.directory, `${name}.log`);
  const settings = join(stage.directory, `${name}-simulated.yaml`);
  await writeFile(trace, await service.output());
  await writeFile(settings, JSON.stringify({ ...config, spool: { path: stage.directory } }));
  const files = ['--trace', trace, '--config', settings, '-o', 'json'];
  const { stdout } = await stage.run(process.execPath, [command, 'simulate', ...files, ...args]);
  const { reports } = fieldsOf(jsonOrNone(stdout));
  const [report] = Array.isArray(reports) ? (reports as readonly unknown[]) : [];
  const { hitRate, upstream, evicted, s3 } = fieldsOf(report);
  return {
    hitRate: Number(hitRate),
    bytes: Number(fieldsOf(upstream)['bytes']),
    requests: Number(fieldsOf(upstream)['requests']),
    evictedBytes: Number(fieldsOf(evicted)['bytes']),
    s3Reads: Number(fieldsOf(s3)['reads']),
    s3Writes: Number(fieldsOf(s3)['writes']),
  };
}

function compared(name: string, real: Outcome, predicted: Outcome): void {
  const points = (predicted.hitRate - real.hitRate) * 100;
  const ratio = (one: number, other: number): string => (one / other).toFixed(3);
  process.stdout.write(
    `  ${name}: hit rate ${percent(real.hitRate)}, predicted ${percent(predicted.hitRate)} (${points.toFixed(2)} points); ` +
      `upstream bytes × ${ratio(predicted.bytes, real.bytes)}, requests × ${ratio(predicted.requests, real.requests)}\n`,
  );
  assert.ok(Math.abs(points) <= mostApart, `${points.toFixed(2)} points apart`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
