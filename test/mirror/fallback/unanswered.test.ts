import { test } from 'tap';
import { filledFromSource } from '../../../src/mirror/fallback/fallback.ts';
import { createMissRule } from '../../../src/mirror/fallback/rule.ts';
import { createMissPlaces } from '../../../src/mirror/fallback/source-rules.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseTag } from '../../../src/oci/reference.ts';
import { readAll, until } from '../../support/bodies.ts';
import { type MissRig, missRig } from '../../support/miss-rig.ts';
import { sized } from '../../support/sized.ts';
import { taskTexts } from '../../support/task-texts.ts';

const tag = parseTag('ocp_4.5_base');
const path = 'ocp/4.5/manifests/base';
const unknown = { code: 'MANIFEST_UNKNOWN' };

const pull = ({ qci, repository }: MissRig) => qci.manifests.resolve(repository, { tag });

const inSource = (rig: MissRig) => rig.doubles.source.addImage('ocp/4.5', 'base');

test('a tag without a source is 404, and the source is asked for it now and then', async (t) => {
  const rig = await missRig(t, { absentMs: 60_000 });
  for (let time = 0; time < 5; time += 1) {
    await t.rejects(pull(rig), unknown);
    rig.pass(10_000);
  }
  t.equal(rig.doubles.source.seen(path).length, 1);
  t.equal(rig.doubles.qci.seen(tag).length, 5);
  rig.pass(10_001);
  inSource(rig);
  t.ok(await pull(rig));
  t.same(new Set(rig.outcomes), new Set(['absent', 'served']));
});

test('a flood of unknown tags costs the source what a second allows, and takes no known tag away', async (t) => {
  const rig = await missRig(t, { questionsPerSecond: 20 });
  inSource(rig);
  await pull(rig);
  const { repository, qci, source } = rig;
  const outcomes: string[] = [];
  const now = { ms: 0 };
  const flooded = filledFromSource(
    { ...qci.upstream, manifest: async () => ({ kind: 'absent' }) },
    {
      places: createMissPlaces([{ preset: 'openshift-ci' }], {
        'openshift-ci': createMissRule({ supplemental: [], ignored: [] }),
        'config-file': () => undefined,
      }),
      origin: () => source,
      membership: { tagsOf: () => [], find: async () => undefined },
      tags: { find: async () => undefined },
      kept: () => Promise.reject(new Error('not kept')),
      isStored: async () => false,
      queue: { put: async () => true },
      events: { missed: ({ outcome }) => void outcomes.push(outcome) },
      questionsPerSecond: 20,
      now: () => now.ms,
    },
  );
  await flooded.manifest(repository, { tag });
  const half = sized(500, 5_000);
  const flood = (from: number) =>
    Promise.all(
      Array.from({ length: half }, (_, index) =>
        flooded.manifest(repository, { tag: parseTag(`ocp_4.5_no-${from + index}`) }),
      ),
    );
  const before = rig.doubles.source.requests.length;
  const answers = await flood(0);
  t.ok(answers.every(({ kind }) => kind === 'absent'));
  t.equal(rig.doubles.source.requests.length - before, 19, 'the first of twenty was for the known tag');
  t.equal((await flooded.manifest(repository, { tag })).kind, 'found');
  now.ms = 1_000;
  await flood(half);
  t.equal(rig.doubles.source.requests.length - before, 39);
  t.equal(outcomes.filter((outcome) => outcome === 'limited').length, 2 * half - 39);
});

test('a tag that its source loses again is asked for once in a while, though its copy was queued', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  await pull(rig);
  rig.doubles.source.removeTag('ocp/4.5', 'base');
  rig.pass(40_000);
  const before = rig.doubles.source.requests.length;
  for (let pulls = 0; pulls < 3; pulls += 1) {
    rig.pass(1_100);
    await t.rejects(pull(rig), unknown);
  }
  t.equal(rig.doubles.source.requests.length - before, 1);
  t.same(rig.outcomes, ['served', 'absent', 'absent', 'absent']);
});

test('an ignored source, or one that is not configured, is not asked', async (t) => {
  const target = { namespace: 'ocp', name: '4.5', tag: 'base' };
  const ignored = { source: 'registry.ci.openshift.org/ocp/4.5:base', reason: 'broken' };
  for (const config of [
    { ignored: [ignored] },
    { supplemental: [{ target, source: parseImageReference('docker.io/library/base:1') }] },
  ]) {
    const rig = await missRig(t, { config });
    inSource(rig);
    await t.rejects(pull(rig), unknown);
    t.same(rig.doubles.source.requests, []);
    t.same(rig.tasks, []);
  }
});

test('a supplemental entry says where its tag comes from', async (t) => {
  const target = { namespace: 'ocp', name: '4.5', tag: 'base' };
  const source = 'registry.ci.openshift.org/elsewhere/base:1';
  const rig = await missRig(t, {
    config: { supplemental: [{ target, source: parseImageReference(source) }] },
  });
  const { digest } = rig.doubles.source.addImage('elsewhere/base', '1');
  t.equal((await pull(rig)).descriptor.digest, digest);
  t.match(rig.tasks.map(taskTexts), [{ source, destination: 'quay.io/openshift/ci:ocp_4.5_base' }]);
  t.notOk(rig.tasks[0]?.sourceTagRef);
});

test('the source may be another repository of the same registry', async (t) => {
  const target = { namespace: 'ocp', name: '4.5', tag: 'base' };
  const rig = await missRig(t, {
    config: { supplemental: [{ target, source: parseImageReference('quay.io/team/base:1') }] },
  });
  const image = rig.doubles.qci.addImage('team/base', '1', { layers: [100_000] });
  t.equal((await pull(rig)).descriptor.digest, image.digest);
  rig.pass(5_000);
  t.equal((await pull(rig)).descriptor.digest, image.digest);
  const blob = await rig.qci.blobs.open(rig.repository, image.layers[0]?.digest ?? image.config);
  t.equal((await readAll(blob.read())).bytes.length, 100_000);
});

test('a source that cannot tell is 503 with a time to come back, and no 404 is remembered', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  rig.doubles.source.switches.down = true;
  await t.rejects(pull(rig), { code: 'UNAVAILABLE', retryAfterSeconds: 5 });
  rig.doubles.source.switches.down = false;
  t.ok(await pull(rig));
  t.same(rig.outcomes, ['unavailable', 'served']);
});

test('a source that wants a pause is 503 until then, and is asked once', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  rig.doubles.source.switches.status = { of: 'manifests', code: 429, times: 1 };
  rig.doubles.source.switches.retryAfter = '7';
  await t.rejects(pull(rig), { code: 'UNAVAILABLE', retryAfterSeconds: 7 });
  const asked = rig.doubles.source.requests.length;
  await t.rejects(pull(rig), { code: 'UNAVAILABLE', retryAfterSeconds: 7 });
  t.equal(rig.doubles.source.requests.length, asked);
  t.same(rig.outcomes, ['unavailable', 'unavailable']);
});

test('what the source keeps from us is 503, as it may have it', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  rig.doubles.source.switches.status = { of: 'manifests', code: 403 };
  await t.rejects(pull(rig), { code: 'UNAVAILABLE', retryAfterSeconds: 5, cause: { code: 'DENIED' } });
  t.same(rig.outcomes, ['denied']);
  t.same(rig.tasks, []);
});

test('an outage of the upstream is no miss', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  for (const code of [500, 503, 429, 403]) {
    rig.doubles.qci.switches.status = { of: 'manifests', code };
    const error: unknown = await pull(rig).catch((thrown: unknown) => thrown);
    t.ok(error instanceof RegistryError && error.code !== 'MANIFEST_UNKNOWN', `${code}`);
  }
  rig.doubles.qci.switches.down = true;
  await t.rejects(pull(rig), { code: 'UNAVAILABLE' });
  t.same(rig.doubles.source.requests, []);
});

test('a manifest from a source is not answered again while the source is down and its blobs are nowhere', async (t) => {
  const rig = await missRig(t);
  inSource(rig);
  await pull(rig);
  rig.doubles.source.switches.down = true;
  rig.pass(20_000);
  await t.rejects(pull(rig), { code: 'UNAVAILABLE' });
  rig.doubles.source.switches.down = false;
  rig.pass(5_000);
  t.ok(await pull(rig));
});

test('with `queue` a miss is 404, and its copy is under way', async (t) => {
  const rig = await missRig(t, { onMiss: 'queue' });
  inSource(rig);
  await t.rejects(pull(rig), unknown);
  t.equal(rig.tasks.length, 1);
  t.same(rig.outcomes, ['queued']);
});

test('with `off` a miss is what it was', async (t) => {
  const rig = await missRig(t, { onMiss: 'off' });
  inSource(rig);
  await t.rejects(pull(rig), unknown);
  t.same(rig.doubles.source.requests, []);
  t.same(rig.tasks, []);
});

test('with `wait` the upstream answers as soon as the copy is there', async (t) => {
  const rig = await missRig(t, { onMiss: 'wait', pollMs: 5, waitMs: 10_000 });
  const image = inSource(rig);
  const waiting = pull(rig);
  await until(() => rig.tasks.length === 1);
  rig.doubles.qci.addImage('openshift/ci', 'made-elsewhere');
  rig.doubles.qci.addManifest(
    'openshift/ci',
    image.manifest,
    'application/vnd.oci.image.manifest.v1+json',
    tag,
  );
  t.equal((await waiting).descriptor.digest, image.digest);
  t.same(rig.outcomes, ['arrived']);
});

test('with `wait` the source answers when the copy takes too long', async (t) => {
  const rig = await missRig(t, { onMiss: 'wait', pollMs: 5, waitMs: 20 });
  const image = inSource(rig);
  t.equal((await pull(rig)).descriptor.digest, image.digest);
  t.same(rig.outcomes, ['served']);
});

test('a client that waits for a copy is answered when we end', async (t) => {
  const rig = await missRig(t, { onMiss: 'wait', waitMs: 60_000 });
  inSource(rig);
  const waiting = pull(rig);
  await until(() => rig.tasks.length === 1);
  await rig.qci.upstream.close();
  t.ok(await waiting);
});
