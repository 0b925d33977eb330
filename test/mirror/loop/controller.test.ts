import { type Test, test } from 'tap';
import { createImageStreams } from '../../../src/image-streams/image-streams.ts';
import {
  type Controller,
  type ControllerOptions,
  createController,
} from '../../../src/mirror/loop/controller.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';
import { until as heldTrue } from '../../support/bodies.ts';
import { type DoubleTag, imageStreamDouble } from '../../support/image-stream-double.ts';
import { taskTexts } from '../../support/task-texts.ts';

const digestOf = (letter: string) => parseDigest(`sha256:${letter.repeat(64)}`);
const [a, b] = [digestOf('a'), digestOf('b')];
const v2 = 'application/vnd.docker.distribution.manifest.v2+json';
const v1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const gzip = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
const quay = 'quay.io/openshift/ci:ocp_4.5_base';
const appCi = `registry.ci.openshift.org/ocp/4.5@${a}`;
const own = {
  controller: 'quay_io_ci_images_distributor',
  request: 'ocp/4.5:base',
  namespace: 'ocp',
  name: '4.5:base',
};

interface Scene extends Partial<ControllerOptions> {
  /** Of `ocp/4.5:base`. Default: a good image `a`. */
  readonly tag?: Partial<DoubleTag> | undefined;
  /** What registries hold, by pull spec. Default: app.ci has `a`. */
  readonly held?: Readonly<Record<string, string>>;
  /** The child for linux/amd64 of what Quay holds. */
  readonly child?: string;
}

async function started(t: Test, { tag = {}, held = { [appCi]: a }, child, ...options }: Scene = {}) {
  const api = await imageStreamDouble();
  api.put('ocp/4.5', { base: { digest: a, mediaType: v2, layerMediaTypes: [gzip], ...tag } });
  const lines: MirrorLine[] = [];
  const tasks: ReturnType<typeof taskTexts>[] = [];
  const looks: string[] = [];
  const watched: Controller = createController({
    streams: createImageStreams({ client: api.client, pauseMs: 1 }),
    isWanted: () => true,
    look: {
      async stat({ text }) {
        looks.push(`stat ${text}`);
        const digest = held[text];
        return digest === undefined ? undefined : { digest: parseDigest(digest), size: 1 };
      },
      async amd64({ text }) {
        looks.push(`amd64 ${text}`);
        return child === undefined ? undefined : parseDigest(child);
      },
    },
    queue: {
      async put(task) {
        tasks.push(taskTexts(task));
        return true;
      },
    },
    tell: mirrorLog((line) => lines.push(line)),
    now: () => 1234,
    firstPauseMs: 1,
    ...options,
  });
  const stop = new AbortController();
  const running = watched.run(stop.signal);
  t.teardown(async () => {
    stop.abort();
    await running;
    await api.close();
  });
  const said = (message: string) => lines.filter((line) => line.message === message);
  async function until(message: string, times = 1): Promise<MirrorLine> {
    await heldTrue(() => said(message).length >= times, `the line "${message}"`);
    const line = said(message)[times - 1];
    if (line === undefined) throw new Error(`there is no line "${message}"`);
    return line;
  }
  return { api, watched, lines, tasks, looks, until };
}

function messages(lines: readonly MirrorLine[]): readonly string[] {
  return lines.map(({ message }) => message);
}

test('what Quay lacks is queued', async (t) => {
  const { lines, tasks, until } = await started(t);
  await until('Finished reconciliation');
  t.same(messages(lines), ['Starting reconciliation', 'Mirroring', 'Finished reconciliation']);
  t.same(lines[1]?.fields, {
    ...own,
    currentQuayDigest: '',
    currentAppCIDigest: a,
    stale: false,
    source: appCi,
    target: quay,
  });
  t.same(tasks, [
    {
      source: appCi,
      destination: quay,
      priority: 'resync',
      owner: 'quay_io_ci_images_distributor',
      createdAt: 1234,
      sourceTagRef: { namespace: 'ocp', name: '4.5', tag: 'base' },
      sourceDigest: a,
      currentDigest: '',
      stale: false,
    },
  ]);
});

test('what Quay has already takes one question', async (t) => {
  const { api, lines, tasks, looks, until } = await started(t, { held: { [quay]: a } });
  await until('Finished reconciliation');
  t.match(lines[1], {
    message: 'Image is up to date',
    fields: { ...own, currentQuayDigest: a, target: quay },
  });
  t.same(looks, [`stat ${quay}`]);
  t.notOk(api.requests.some(({ path }) => path.includes('imagestreamtags')));
  t.same(tasks, []);
});

test('what changes while it is watched is queued as a change', async (t) => {
  const { api, tasks, until } = await started(t, { held: { [quay]: a, [appCi.replace(a, b)]: b } });
  await until('Image is up to date');
  api.put('ocp/4.5', { base: { digest: b } });
  await until('Mirroring');
  await until('Finished reconciliation', 2);
  t.match(tasks, [{ priority: 'change', sourceDigest: b, currentDigest: a }]);
  t.equal(
    tasks[0]?.backup,
    'quay.io/openshift/ci:19700101000001_prune___ci_images_mirror__ocp_4.5_base',
    'with the name under which the old one is kept',
  );
});

test('an image of one architecture does not replace the index that holds it', async (t) => {
  const { tasks, until } = await started(t, { held: { [quay]: b, [appCi]: a }, child: a });
  await until('Image is up to date');
  t.same(tasks, []);
});

test('an index of which any child changed is queued, also when linux/amd64 did not', async (t) => {
  const { tasks, until } = await started(t, { held: { [quay]: b, [appCi]: a }, child: digestOf('c') });
  await until('Mirroring');
  await until('Finished reconciliation');
  t.equal(tasks.length, 1);
});

for (const [title, scene, message] of [
  [
    'a schema 1 image that Quay has in some form is left alone',
    { tag: { mediaType: v1 }, held: { [quay]: b, [appCi]: a } },
    'Skip mirroring image with manifest v1',
  ],
  [
    'an image with a layer that is no gzip is left alone',
    { tag: { layerMediaTypes: [gzip, 'application/vnd.docker.image.rootfs.diff.tar'] } },
    'Skip mirroring image with invalid manifest v2',
  ],
  [
    'an image that app.ci does not have is left alone',
    { held: {} },
    'Source image does not exist in app.ci, skipping mirror',
  ],
] as const satisfies readonly (readonly [string, Scene, string])[]) {
  test(title, async (t) => {
    const { lines, tasks, until } = await started(t, scene);
    await until('Finished reconciliation');
    t.same(messages(lines).at(1), message);
    t.match(lines[1]?.fields, own);
    t.same(tasks, []);
  });
}

test('a schema 1 image that Quay lacks is copied once', async (t) => {
  const { tasks, until } = await started(t, { tag: { mediaType: v1 } });
  await until('Mirroring');
  await until('Finished reconciliation');
  t.equal(tasks.length, 1);
});

test('layers that are not gzip do not matter without the option', async (t) => {
  const options = { tag: { layerMediaTypes: ['application/x-tar'] }, onlyValidManifestV2Images: false };
  const { until } = await started(t, options);
  t.ok(await until('Mirroring'));
});

test('a target that was built a day before its source came is stale', async (t) => {
  const builtAt = async () => Date.parse('2026-01-01T00:00:00Z');
  const held = { [quay]: b, [appCi]: a };
  const late = await started(t, { held, builtAt, tag: { created: '2026-01-02T00:00:01Z' } });
  t.match(await late.until('Mirroring'), { fields: { stale: true } });
  const soon = await started(t, { held, builtAt, tag: { created: '2026-01-01T23:00:00Z' } });
  t.match(await soon.until('Mirroring'), { fields: { stale: false } });
});

test('a registry that does not answer is asked again later', async (t) => {
  let asks = 0;
  const look = {
    async stat() {
      asks += 1;
      if (asks < 3) throw new Error('quay.io is down');
      return { digest: a, size: 1 };
    },
    amd64: async () => undefined,
  };
  const { lines, until } = await started(t, { look });
  await until('Image is up to date');
  const failed = lines.find(({ message }) => message === 'Reconciliation failed');
  t.match(failed, { level: 'error', fields: { ...own, error: 'quay.io is down' } });
  t.equal(asks, 3);
});

test('unwanted tags are not checked', async (t) => {
  const isWanted = ({ tag }: { tag: string }) => tag === 'cli';
  const { api, looks, watched, until } = await started(t, { isWanted });
  watched.referenced('ocp/4.5:base');
  api.put('ocp/4.6', { base: { digest: a }, cli: { digest: a } });
  await until('Finished reconciliation');
  t.same(
    [...new Set(looks)],
    ['stat quay.io/openshift/ci:ocp_4.6_cli', `stat ${appCi.replace('4.5', '4.6')}`],
  );
});

test('what a test begins to use is looked at: a tag, or each tag of a stream', async (t) => {
  const wanted = new Set<string>();
  const isWanted = ({ name, tag }: { name: string; tag: string }) => wanted.has(`${name}:${tag}`);
  const { api, watched, lines, until } = await started(t, { isWanted });
  api.put('ocp/4.6', { base: { digest: a }, cli: { digest: a } });
  for (const tag of ['4.5:base', '4.6:base', '4.6:cli', '4.7:none']) wanted.add(tag);
  watched.referenced('ocp/4.5:base');
  await until('Finished reconciliation');
  watched.referenced('imagestream_ocp/4.6');
  watched.referenced('ocp/4.7:none');
  watched.referenced('nonsense');
  await until('Source imageStreamTag not found');
  await until('Finished reconciliation', 4);
  const begun = lines.filter(({ message }) => message === 'Starting reconciliation');
  t.same(
    new Set(begun.map(({ fields }) => fields['request'])),
    new Set(['ocp/4.5:base', 'ocp/4.6:base', 'ocp/4.6:cli', 'ocp/4.7:none']),
  );
});
