import { test } from 'tap';
import { parseMirrorConfig } from '../../../src/mirror/ci/config-file.ts';
import { CopyError } from '../../../src/mirror/failure.ts';
import { lookedOver } from '../../../src/mirror/loop/jobs.ts';
import { type CopyPair, mirrorLoop } from '../../../src/mirror/loop/loop.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { type ImageReference, parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mirrorLog, mirrorWriter } from '../../../src/predecessors/outputs/mirror-log.ts';
import { mirrorMetrics } from '../../../src/predecessors/outputs/mirror-metrics.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { logger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';

/**
 * The queries that operators of the original have, over the lines and numbers that we really write.
 * A condition of a CloudWatch filter is `field="text"` or `field like /expression/`.
 */
const filters = {
  mirroring: 'filter(component="ci-images-mirror" and msg="Mirroring")',
  upToDate: 'filter(component="ci-images-mirror" and msg="Image is up to date")',
  mirrors: 'filter(component="ci-images-mirror" and msg="Mirroring ...")',
  successes: 'filter(component="ci-images-mirror" and msg="Mirrored successfully")',
  failures: 'filter(component="ci-images-mirror" and msg="Failed to mirror")',
  givenUp: 'filter(component="ci-images-mirror" and msg="Failed to mirror even with retries")',
  errors:
    'filter(component="ci-images-mirror" and msg="Running command failed." and (args like /image mirror.*/))',
} as const;

type Line = Readonly<Record<string, unknown>>;

function fits(filter: string, line: Line): boolean {
  const conditions = [...filter.matchAll(/(\w+)(?:="([^"]*)"| like \/(.*?)\/)/g)];
  return conditions.every(([, field = '', text, expression]) => {
    const value = String(line[field]);
    return expression === undefined ? value === text : new RegExp(expression).test(value);
  });
}

/** `rate(name{labels}[10m])` of two scrapes that lie ten minutes apart. */
function rate(series: string, before: string, after: string): number {
  const value = (text: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  return (value(after) - value(before)) / 600;
}

const digest = (text: string): Digest => digestOf(Buffer.from(text));

/** The whole of the mirror over registries that are a table. `bad` images cannot be copied. */
async function played(names: readonly string[]) {
  const images = new Map(names.map((name) => [`registry.ci.openshift.org/ci/${name}:latest`, digest(name)]));
  images.set('quay.io/openshift/ci:ci_same_latest', digest('same'));
  const lines: Line[] = [];
  const meters = createMetrics();
  const events = mirrorMetrics(meters);
  const write = mirrorWriter(
    logger({ level: 'error', destination: { write: (line) => lines.push(JSON.parse(line) as Line) } }),
  );
  const tasks = createQueue({
    records: createTaskRecords({ records: createMemoryStore().records }),
    depthChanged: (waiting) => events.mirrorQueueChanged({ waiting }),
  });
  const look = {
    stat: async ({ text }: ImageReference) => {
      const found = images.get(text);
      return found && { digest: found, size: 1 };
    },
    amd64: async () => undefined,
  };
  const before = await meters.text();
  const stop = new AbortController();
  const entries = names.map((name) => `"ci/${name}:latest": {namespace: ci, name: ${name}, tag: latest}`);
  const config = parseMirrorConfig(Buffer.from(`supplementalCIImages: {${entries.join(', ')}}`));
  const tell = (subcomponent?: string) => mirrorLog(write, subcomponent);
  await lookedOver({ config: async () => config, look, queue: tasks, tell }, stop.signal);
  await tasks.put({
    source: parseImageReference('registry.ci.openshift.org/ci/same:latest'),
    destination: parseImageReference('quay.io/openshift/ci:ci_same_latest'),
    priority: 'miss',
    owner: 'misses',
    createdAt: 1,
  });
  await tasks.put({
    source: parseImageReference('registry.ci.openshift.org/ci/missed:latest'),
    destination: parseImageReference('quay.io/openshift/ci:ci_missed_latest'),
    priority: 'miss',
    owner: 'misses',
    createdAt: 1,
  });
  images.set('registry.ci.openshift.org/ci/same:latest', digest('same'));
  images.set('registry.ci.openshift.org/ci/missed:latest', digest('missed'));
  const during = await meters.text();
  const copy = async ({ source, destination }: CopyPair) => {
    if (source.text.includes('bad')) throw new CopyError('blob-unknown', 'blob sha256:12: unknown blob');
    images.set(destination.text, images.get(source.text) ?? digest('?'));
    return undefined;
  };
  const loop = mirrorLoop({ queue: tasks, look, copy, tell: tell(), events }, stop.signal);
  while (tasks.count() > tasks.count({ state: 'parked' })) await tasks.changed(AbortSignal.timeout(50));
  stop.abort();
  await loop;
  await tasks.close();
  return { lines, before, during, after: await meters.text() };
}

test('the CloudWatch filters of the original find what they count', async (t) => {
  const { lines } = await played(['good', 'better', 'bad', 'same']);
  const found = Object.entries(filters).map(([name, filter]) => [
    name,
    lines.filter((line) => fits(filter, line)).length,
  ]);
  t.same(Object.fromEntries(found), {
    mirroring: 1,
    upToDate: 1,
    mirrors: 4,
    successes: 3,
    failures: 1,
    givenUp: 1,
    errors: 1,
  });
});

test('lines have the fields that people read in them', async (t) => {
  const { lines } = await played(['bad']);
  const line = (filter: string) => lines.find((each) => fits(filter, each));
  t.match(line(filters.errors), {
    level: 'debug',
    component: 'ci-images-mirror',
    args: /^image mirror .*registry\.ci\.openshift\.org\/ci\/bad:latest=quay\.io\/openshift\/ci:ci_bad_latest$/,
    client: String,
    error: 'blob-unknown',
    output: 'blob sha256:12: unknown blob',
  });
  t.match(line(filters.mirroring), {
    currentQuayDigest: '',
    currentAppCIDigest: digest('missed'),
    target: 'quay.io/openshift/ci:ci_missed_latest',
  });
  t.match(
    lines.find(({ msg }) => msg === 'Image needs sync'),
    { subcomponent: 'supplementalCIImagesService' },
  );
  t.notOk(lines.some(({ component }) => component !== 'ci-images-mirror'));
});

test('the alert on failures fires for many of them, and for few does not', async (t) => {
  const series = 'quay_io_ci_images_distributor_image_mirroring_duration_seconds_count{state="failure"}';
  const few = await played(['good', 'bad']);
  t.notOk(rate(series, few.before, few.after) > 0.5);
  const many = await played(Array.from({ length: 310 }, (_, index) => `bad${index}`));
  t.ok(rate(series, many.before, many.after) > 0.5);
});

test('the depth of the queue is that of tasks that wait, and durations fall into the buckets that dashboards know', async (t) => {
  const { during, after } = await played(['good', 'bad']);
  t.match(during, /^quay_io_ci_images_distributor_mirror_queue_depth 4$/m);
  t.match(after, /^quay_io_ci_images_distributor_mirror_queue_depth 0$/m);
  const bounds = [
    ...after.matchAll(/mirroring_duration_seconds_bucket\{le="([^"]+)",state="success"\}/g),
  ].map(([, bound]) => bound);
  t.same(bounds, ['1', '2', '4', '8', '16', '32', '64', '+Inf']);
});

test('the controller’s own queue is seen under the name that the original gave it', async (t) => {
  const meters = createMetrics();
  const events = mirrorMetrics(meters);
  events.workqueueAdded();
  events.workqueueChanged({ depth: 13_000 });
  events.workqueueStarted({ waitedSeconds: 1 });
  events.workqueueEnded({ seconds: 0.5 });
  events.workqueueRetried();
  const name = 'name="quay_io_ci_images_distributor"';
  for (const line of [
    `workqueue_depth{${name}} 13000`,
    `workqueue_adds_total{${name}} 1`,
    `workqueue_retries_total{${name}} 1`,
    `workqueue_queue_duration_seconds_count{${name}} 1`,
    `workqueue_work_duration_seconds_sum{${name}} 0.5`,
  ]) {
    t.match(await meters.text(), line);
  }
});

test('a request that hangs is seen while it is looked at', async (t) => {
  const clock = { seconds: 100 };
  const meters = createMetrics();
  const events = mirrorMetrics(meters, () => clock.seconds * 1000);
  const series = ['workqueue_unfinished_work_seconds', 'workqueue_longest_running_processor_seconds'].map(
    (name) => `${name}{name="quay_io_ci_images_distributor"}`,
  );
  for (const each of series) t.match(await meters.text(), `${each} 0\n`);
  events.workqueueStarted({ waitedSeconds: 1 });
  clock.seconds += 7;
  for (const each of series) t.match(await meters.text(), `${each} 7\n`);
  events.workqueueEnded({ seconds: 7 });
  for (const each of series) t.match(await meters.text(), `${each} 0\n`);
});
