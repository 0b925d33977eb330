import { test } from 'tap';
import { createNotifier } from '../../../src/base/flow/notifier.ts';
import { parseMirrorConfig } from '../../../src/mirror/ci/config-file.ts';
import { CopyError } from '../../../src/mirror/failure.ts';
import { hourly, type JobsOptions, lookedOver } from '../../../src/mirror/loop/jobs.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';
import { taskTexts } from '../../support/task-texts.ts';

const at = Date.UTC(2025, 9, 23, 14, 2, 42);
const digest = (text: string): Digest => digestOf(Buffer.from(text));

/** `false` for a registry that does not say. */
type Images = Readonly<Record<string, string | false>>;

function rig(file: string, images: Images, options: Partial<JobsOptions> = {}) {
  const lines: MirrorLine[] = [];
  const tasks: ReturnType<typeof taskTexts>[] = [];
  const asked: string[] = [];
  const jobs: JobsOptions = {
    config: async () => parseMirrorConfig(Buffer.from(file)),
    look: {
      async stat(spec) {
        asked.push(spec.text);
        const held = images[spec.text];
        if (held === false) throw new CopyError('unavailable', `${spec}: no answer`);
        return held === undefined ? undefined : { digest: digest(held), size: 1 };
      },
      amd64: async () => undefined,
    },
    queue: { put: async (task) => tasks.push(taskTexts(task)) > 0 },
    tell: (subcomponent) => mirrorLog((line) => lines.push(line), subcomponent),
    now: () => at,
    ...options,
  };
  const run = () => lookedOver(jobs, new AbortController().signal);
  const told = () => lines.map(({ message, fields }) => `${fields['subcomponent']}: ${message}`);
  return { jobs, run, told, lines, tasks, asked };
}

const boskos = 'supplementalCIImages: {"ci/boskos:latest": {image: "quay.io/someone/boskos:v1"}}';
const from = 'quay.io/someone/boskos:v1';
const to = 'quay.io/openshift/ci:ci_boskos_latest';

test('a supplemental image that has changed is queued, with the name under which the old one is kept', async (t) => {
  const { run, tasks, told, lines } = rig(boskos, { [from]: 'new', [to]: 'old' });
  await run();
  t.same(tasks, [
    {
      source: from,
      destination: to,
      priority: 'change',
      owner: 'supplementalCIImagesService',
      createdAt: at,
      sourceTagRef: { namespace: 'ci', name: 'boskos', tag: 'latest' },
      sourceDigest: digest('new'),
      currentDigest: digest('old'),
      backup: 'quay.io/openshift/ci:20251023140242_prune___ci_images_mirror__ci_boskos_latest',
    },
  ]);
  t.match(told(), [
    'supplementalCIImagesService: Mirroring supplemental CI images ...',
    'qciToAppCIImages: Mirroring QCI images to app.ci ...',
    'supplementalCIImagesService: Image needs sync',
  ]);
  t.match(lines.at(-1)?.fields, {
    source: from,
    target: to,
    sourceDigest: digest('new'),
    targetDigest: digest('old'),
  });
});

test('an image that has not changed costs one question on each side, and nothing is queued', async (t) => {
  const { run, tasks, told, asked } = rig(boskos, { [from]: 'same', [to]: 'same' });
  await run();
  t.same(tasks, []);
  t.same(new Set(asked), new Set([from, to]));
  t.equal(asked.length, 2);
  t.ok(told().includes('supplementalCIImagesService: Image already in sync, skipping'));
});

test('an image that its destination’s index holds for linux/amd64 is in sync, as it is to the copy', async (t) => {
  const look = (child: string): JobsOptions['look'] => ({
    stat: async (spec) =>
      spec.text === to
        ? { digest: digest('index'), size: 1, mediaType: mediaTypes.ociIndex }
        : { digest: digest('child'), size: 1, mediaType: mediaTypes.ociManifest },
    amd64: async () => digest(child),
  });
  const held = rig(boskos, {}, { look: look('child') });
  await held.run();
  t.same(held.tasks, []);
  t.ok(held.told().includes('supplementalCIImagesService: Image already in sync, skipping'));
  const other = rig(boskos, {}, { look: look('other') });
  await other.run();
  t.match(other.tasks, [{ destination: to, currentDigest: digest('index') }]);
});

test('an index that cannot be read is copied to all the same: the copy asks again', async (t) => {
  const look: JobsOptions['look'] = {
    stat: async (spec) => ({
      digest: digest(spec.text),
      size: 1,
      mediaType: spec.text === to ? mediaTypes.ociIndex : mediaTypes.ociManifest,
    }),
    amd64: async () => Promise.reject(new CopyError('unavailable', 'no answer')),
  };
  const { run, tasks, told } = rig(boskos, {}, { look });
  await run();
  t.match(tasks, [{ destination: to, currentDigest: digest(to) }]);
  t.ok(told().includes('supplementalCIImagesService: Failed to get target image info, will attempt mirror'));
});

test('a source that is not there, or does not say, is left for the next hour', async (t) => {
  const absent = rig(boskos, { [to]: 'old' });
  await absent.run();
  t.same(absent.tasks, []);
  t.ok(absent.told().includes('supplementalCIImagesService: Source image does not exist, skipping mirror'));
  const silent = rig(boskos, { [from]: false, [to]: 'old' });
  await silent.run();
  t.same(silent.tasks, []);
  t.same(silent.told().slice(2), [
    'supplementalCIImagesService: Failed to get source image info, will attempt mirror',
    'supplementalCIImagesService: Failed to mirror supplemental CI images',
  ]);
});

test('a target that does not say is copied to all the same: the copy asks again', async (t) => {
  const { run, tasks, told } = rig(boskos, { [from]: 'new', [to]: false });
  await run();
  t.match(tasks, [{ destination: to, currentDigest: undefined, backup: /_prune_/ }]);
  t.ok(told().includes('supplementalCIImagesService: Failed to get target image info, will attempt mirror'));
});

test('an ignored source is not even asked', async (t) => {
  const { run, tasks, asked, lines } = rig(
    `${boskos}\nignoredSources: [{image: "${from}", reason: RFE-5363}]`,
    {
      [from]: 'new',
    },
  );
  await run();
  t.same([tasks, asked], [[], []]);
  t.match(lines[1], { message: 'Ignored source' });
  const section = 'SupplementalCIImages';
  t.same(lines[1]?.fields, {
    subcomponent: 'supplementalCIImagesService',
    section,
    image: from,
    reason: 'RFE-5363',
  });
});

test('a source at app.ci is ignored by the name of its own tag', async (t) => {
  const { run, lines } = rig(
    `supplementalCIImages: {"ci/alias:latest": {namespace: ocp, name: builder, tag: golang}}
ignoredSources: [{namespace: ocp, name: builder, tag: golang, reason: broken}]`,
    {},
  );
  await run();
  t.match(lines[1]?.fields, { ISTagName: 'ocp/builder:golang', reason: 'broken' });
});

test('images of QCI go to app.ci, where nothing is kept', async (t) => {
  const proxied = 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.18_cli';
  const { run, tasks, lines } = rig('qciToAppCIImages: {"ocp/4.18:cli": {}}', { [proxied]: 'new' });
  await run();
  t.match(tasks, [
    {
      source: proxied,
      destination: 'registry.ci.openshift.org/ocp/4.18:cli',
      owner: 'qciToAppCIImages',
      currentDigest: '',
      backup: undefined,
    },
  ]);
  t.match(lines[1], { message: 'Mirroring QCI images to app.ci ...', fields: { count: 1 } });
});

test('ART images are those tags of app.ci that a selector names', async (t) => {
  const tags = [
    { namespace: 'ocp', name: '4.18', tag: 'rhel-coreos' },
    { namespace: 'ocp', name: '4.18', tag: 'cli' },
    { namespace: 'ocp', name: 'builder', tag: 'any' },
    { namespace: 'ocp', name: '4.18-priv', tag: 'rhel-coreos' },
  ];
  const asked: string[] = [];
  const { run, tasks, told } = rig(
    `artImages: [{namespace: ocp, name: '^\\d+\\.\\d+$', tag: ^rhel-coreos}, {namespace: ocp, name: ^builder$}]`,
    Object.fromEntries(tags.map(({ name, tag }) => [`registry.ci.openshift.org/ocp/${name}:${tag}`, 'new'])),
    {
      streams: {
        async *tags({ namespace }) {
          asked.push(namespace);
          yield* tags;
        },
      },
    },
  );
  await run();
  t.same(asked, ['ocp'], 'each namespace is listed once');
  t.ok(told().includes('artImagesService: Mirroring supplemental CI images ...'), 'as the original says it');
  t.same(
    tasks.map(({ destination, owner }) => [destination, owner]),
    [
      ['quay.io/openshift/ci:ocp_4.18_rhel-coreos', 'supplementalCIImagesService'],
      ['quay.io/openshift/ci:ocp_builder_any', 'supplementalCIImagesService'],
    ],
  );
});

test('a cluster that cannot be listed costs the other jobs nothing', async (t) => {
  const { run, tasks, told } = rig(
    `${boskos}\nartImages: [{namespace: ocp, name: x}]`,
    { [from]: 'new' },
    {
      streams: {
        // biome-ignore lint/correctness/useYield: it fails before there is anything
        async *tags() {
          throw new Error('no cluster');
        },
      },
    },
  );
  await run();
  t.equal(tasks.length, 1);
  t.ok(told().includes('artImagesService: Failed to mirror ART images'));
});

test('the first look is at start, the next after an hour, none after the end', async (t) => {
  let ticks = 0;
  const stop = new AbortController();
  const { jobs } = rig(
    '',
    {},
    {
      everyMs: 1,
      config: async () => {
        ticks += 1;
        if (ticks === 3) stop.abort();
        return undefined;
      },
    },
  );
  await hourly(jobs, stop.signal);
  t.equal(ticks, 3);
});

test('a change of the configuration does not wait for the hour, nor does one during a look', async (t) => {
  let ticks = 0;
  const changed = createNotifier();
  const stop = new AbortController();
  const { jobs } = rig(
    '',
    {},
    {
      changed,
      config: async () => {
        ticks += 1;
        if (ticks === 3) stop.abort();
        else changed.notify();
        return undefined;
      },
    },
  );
  await hourly(jobs, stop.signal);
  t.equal(ticks, 3);
});
