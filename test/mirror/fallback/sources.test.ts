import { test } from 'tap';
import { Expression } from '../../../src/base/text/expression.ts';
import type { SourceRule } from '../../../src/mirror/fallback/source-rules.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseTag } from '../../../src/oci/reference.ts';
import { readAll } from '../../support/bodies.ts';
import { type MissCache, type MissRig, missRig } from '../../support/miss-rig.ts';
import { sized } from '../../support/sized.ts';
import { taskTexts } from '../../support/task-texts.ts';

const tag = parseTag('ocp_4.5_base');
const tagUnknown = 'MANIFEST_UNKNOWN: the repository has no such tag';
const own = 'quay.io/openshift/ci';
const appCi = 'registry.ci.openshift.org';
const group = (name: string) => `\${${name}}`;

const rule = (match: string, from: string, more: Partial<SourceRule> = {}): SourceRule => ({
  match: Expression.whole(match),
  from,
  ...more,
});
const ci: SourceRule = { preset: 'openshift-ci' };
const pre = rule(String.raw`quay\.io/openshift/ci:(?<tag>.+)`, `${own}:${group('tag')}__pre`);
const backup = rule(
  String.raw`quay\.io/openshift/ci:(?<namespace>[^_]+)_(?<name>[^_]+)_(?<tag>.+)`,
  `${appCi}/backup/${group('namespace')}/${group('name')}:${group('tag')}`,
);
const byDigest = (place: string) =>
  rule(String.raw`quay\.io/openshift/ci@(?<digest>.+)`, `${place}@${group('digest')}`);
const history: SourceRule = { match: Expression.whole('quay.io/.+'), preset: 'history' };

const pull = ({ qci }: Pick<MissCache, 'qci'>, { repository }: MissRig) =>
  qci.manifests.resolve(repository, { tag });
const pullDigest = ({ qci, repository }: MissRig, digest: Digest) =>
  qci.manifests.resolve(repository, { digest });

async function reasonOf(answer: Promise<unknown>): Promise<string> {
  const error: unknown = await answer.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof RegistryError ? `${error.code}: ${error.message}` : String(error);
}

async function pulledBlobs({ qci }: MissCache, { repository }: MissRig, digests: readonly Digest[]) {
  const read = async (digest: Digest) =>
    digestOf((await readAll((await qci.blobs.open(repository, digest)).read())).bytes);
  return Promise.all(digests.map(read));
}

test('the first source that has the tag answers, and those after it are not asked', async (t) => {
  const rig = await missRig(t, { sources: [ci, backup, pre] });
  rig.doubles.qci.addImage('openshift/ci', `${tag}__pre`);
  const { digest } = rig.doubles.source.addImage('backup/ocp/4.5', 'base');
  t.equal((await pull(rig, rig)).descriptor.digest, digest);
  t.equal(rig.doubles.source.seen('ocp/4.5/manifests/base').length, 2);
  t.same(rig.doubles.qci.seen('__pre'), []);
  const first = rig.doubles.source.addImage('ocp/4.5', 'base', { layers: [10] });
  rig.pass(60_000);
  t.equal((await pull(rig, rig)).descriptor.digest, first.digest);
  t.match(rig.tasks.map(taskTexts), [{ source: `${appCi}/ocp/4.5:base`, destination: `${own}:${tag}` }]);
  t.same(rig.outcomes, ['served', 'served']);
});

test('another tag of the repository answers with all its blobs, is not copied, and asks no rule again', async (t) => {
  const rig = await missRig(t, { sources: [pre], onMiss: 'wait', waitMs: 60_000 });
  t.equal(await reasonOf(pull(rig, rig)), `${tagUnknown}: not in ${own}; not at ${own}:${tag}__pre`);
  t.same(rig.doubles.qci.seen('__pre__pre'), []);
  rig.pass(60_000);
  const image = rig.doubles.qci.addImage('openshift/ci', `${tag}__pre`, { layers: [100_000] });
  t.equal((await pull(rig, rig)).descriptor.digest, image.digest);
  const blobs = [image.config, ...image.layers.map(({ digest }) => digest)];
  t.same(await pulledBlobs(rig, rig, blobs), blobs);
  t.same(rig.tasks, []);
});

test('an image of the last of many sources comes with all its blobs, also after a restart', async (t) => {
  const places = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
    rule(String.raw`quay\.io/openshift/ci:(?<tag>.+)`, `${appCi}/${name}/ci:${group('tag')}`),
  );
  const rig = await missRig(t, { sources: places });
  const image = rig.doubles.source.addImage('f/ci', tag, { layers: [1_000, 2_000, 3_000] });
  const blobs = [image.config, ...image.layers.map(({ digest }) => digest)];
  t.equal((await pull(rig, rig)).descriptor.digest, image.digest);
  t.same(await pulledBlobs(rig, rig, blobs.slice(0, 2)), blobs.slice(0, 2));
  t.same(rig.doubles.source.seen('/v2/a/ci/blobs/'), [], 'where its tag was found it is looked for first');
  const restarted = await rig.restarted();
  t.same(await pulledBlobs(restarted, rig, blobs), blobs);
});

test('a source with `copy` is copied to the tag that was asked for', async (t) => {
  const rig = await missRig(t, { sources: [{ ...backup, copy: true }] });
  rig.doubles.source.addImage('backup/ocp/4.5', 'base');
  await pull(rig, rig);
  t.match(rig.tasks.map(taskTexts), [
    { source: `${appCi}/backup/ocp/4.5:base`, destination: `${own}:${tag}`, fills: true },
  ]);
});

test('while an earlier source cannot tell, no later one says what the tag means: 503', async (t) => {
  const rig = await missRig(t, { sources: [ci, pre, history] });
  rig.doubles.qci.addImage('openshift/ci', `${tag}__pre`);
  rig.doubles.source.switches.down = true;
  t.equal(await reasonOf(pull(rig, rig)), `UNAVAILABLE: not in ${own}; ${appCi} cannot be asked now`);
  t.same(rig.doubles.qci.seen('__pre'), []);
  rig.doubles.source.switches.down = false;
  rig.doubles.source.addImage('ocp/4.5', 'base');
  t.ok(await pull(rig, rig));
  t.same(rig.outcomes, ['unavailable', 'served']);
});

test('a source that refuses our login cannot tell: 503 with the cause, and no later one is asked', async (t) => {
  const rig = await missRig(t, { sources: [ci, pre] });
  const { digest } = rig.doubles.qci.addImage('openshift/ci', `${tag}__pre`);
  for (const code of [401, 403]) {
    rig.doubles.source.switches.status = { of: 'manifests', code };
    const answer = await reasonOf(pull(rig, rig));
    t.equal(answer, `UNAVAILABLE: not in ${own}; ${appCi} refuses the login of this service`);
  }
  t.same(rig.doubles.qci.seen('__pre'), []);
  delete rig.doubles.source.switches.status;
  t.equal((await pull(rig, rig)).descriptor.digest, digest, 'at once: no refusal is remembered');
  t.same(rig.outcomes, ['denied', 'denied', 'served']);
});

test('a digest that one source keeps from us is asked of the others, and else is 503', async (t) => {
  const far = `${appCi}/mirror/ci`;
  const rig = await missRig(t, { sources: [byDigest(far), byDigest('quay.io/openshift/other')] });
  const { digest } = rig.doubles.qci.addImage('openshift/other', 'x');
  rig.doubles.source.switches.status = { of: 'manifests', code: 403 };
  t.equal((await pullDigest(rig, digest)).descriptor.digest, digest);
  const answer = await reasonOf(pullDigest(rig, digestOf(Buffer.from('nowhere'))));
  t.equal(answer, `UNAVAILABLE: not in ${own}; ${appCi} refuses the login of this service`);
  t.same(rig.outcomes, ['served', 'denied']);
});

test('a digest comes from where its rule says, with the manifests and blobs below it', async (t) => {
  const rig = await missRig(t, { sources: [ci, byDigest(`${appCi}/mirror/ci`)] });
  const child = rig.doubles.source.addImage('mirror/ci', 'child', { layers: [100_000, 300] });
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: child.digest, size: child.manifest.length };
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] }),
  );
  const digest = rig.doubles.source.addManifest('mirror/ci', index, mediaTypes.ociIndex);
  t.ok(index.equals((await pullDigest(rig, digest)).bytes));
  t.ok(child.manifest.equals((await pullDigest(rig, child.digest)).bytes));
  const blobs = [child.config, ...child.layers.map((layer) => layer.digest)];
  t.same(await pulledBlobs(rig, rig, [...blobs, ...blobs]), [...blobs, ...blobs]);
  await rig.settled();
  for (const blob of blobs)
    t.equal(rig.doubles.source.seen(`GET /v2/mirror/ci/blobs/${blob}`).length, 1, 'once over the wire');
  t.same(rig.tasks, []);
});

test('a digest means the same everywhere: a source that cannot tell is passed over, and makes 503 at the end', async (t) => {
  const sources = [byDigest(`${appCi}/mirror/ci`), byDigest('quay.io/other/place')];
  const rig = await missRig(t, { sources });
  const image = rig.doubles.qci.addImage('other/place', 'v1');
  rig.doubles.source.switches.down = true;
  t.ok(await pullDigest(rig, image.digest));
  const other = digestOf(Buffer.from('other'));
  for (let time = 0; time < 2; time += 1) {
    const reason = `UNAVAILABLE: not in ${own}; ${appCi} cannot be asked now`;
    t.equal(await reasonOf(pullDigest(rig, other)), reason);
  }
  rig.doubles.source.switches.down = false;
  rig.pass(5_000);
  const reason = `MANIFEST_UNKNOWN: the repository has no such manifest: not in ${own}; not at ${appCi}; not at quay.io`;
  t.equal(await reasonOf(pullDigest(rig, other)), reason);
});

test('a flood of unknown digests costs the sources what a second allows, and hides no blob of an image', async (t) => {
  const rig = await missRig(t, { sources: [byDigest(`${appCi}/mirror/ci`)], questionsPerSecond: 20 });
  const image = rig.doubles.source.addImage('mirror/ci', 'v1', { layers: [1_000] });
  await pullDigest(rig, image.digest);
  const before = rig.doubles.source.requests.length;
  const guesses = Array.from({ length: sized(100, 1_000) }, (_, index) =>
    digestOf(Buffer.from(`guess ${index}`)),
  );
  const answers = await Promise.allSettled(guesses.map((digest) => pullDigest(rig, digest)));
  t.ok(answers.every(({ status }) => status === 'rejected'));
  t.ok(rig.doubles.source.requests.length - before <= 20);
  t.ok(rig.outcomes.includes('limited'));
  t.ok(rig.outcomes.filter((outcome) => outcome === 'absent').length <= 20);
  t.match(
    await reasonOf(pullDigest(rig, digestOf(Buffer.from('one more')))),
    /such manifest: not in quay\.io\/openshift\/ci; .*ci\.openshift\.org is not asked: too many unknown digests$/,
  );
  t.same(await pulledBlobs(rig, rig, [image.config]), [image.config]);
});

test('with `history` a tag that is gone everywhere keeps its last meaning, with a warning, also after a restart', async (t) => {
  const rig = await missRig(t, { sources: [ci, history] });
  const image = rig.doubles.qci.addImage('openshift/ci', tag, { layers: [100_000] });
  await pull(rig, rig);
  const blobs = [image.config, ...image.layers.map(({ digest }) => digest)];
  await pulledBlobs(rig, rig, blobs);
  await rig.settled();
  rig.doubles.qci.removeTag('openshift/ci', tag);
  let cache: MissCache = rig;
  for (let time = 0; time < 3; time += 1) {
    rig.pass(60_000);
    const served = await pull(cache, rig);
    t.equal(served.descriptor.digest, image.digest);
    t.match(served.warnings, [/^299 - "quay\.io no longer has this tag/]);
    t.same(await pulledBlobs(cache, rig, blobs), blobs);
    cache = await rig.restarted();
  }
  t.same(rig.tasks, []);
  const next = rig.doubles.source.addImage('ocp/4.5', 'base');
  rig.pass(60_000);
  const served = await pull(cache, rig);
  t.equal(served.descriptor.digest, next.digest);
  t.same(served.warnings, []);
});

test('`history` has no image whose blobs are gone: the next source is asked', async (t) => {
  const rig = await missRig(t, { sources: [history, pre] });
  const image = rig.doubles.qci.addImage('openshift/ci', tag, { layers: [100_000] });
  await pull(rig, rig);
  await rig.settled();
  const next = rig.doubles.qci.addImage('openshift/ci', `${tag}__pre`, { layers: [50] });
  rig.doubles.qci.removeTag('openshift/ci', tag);
  rig.pass(60_000);
  t.equal((await pull(rig, rig)).descriptor.digest, image.digest, 'the registry still has its content');
  rig.doubles.qci.removeManifest('openshift/ci', image.digest);
  rig.pass(60_000);
  t.equal((await pull(rig, rig)).descriptor.digest, next.digest);
});

test('`history` has an image that a source of its digest has', async (t) => {
  const rig = await missRig(t, { sources: [history, byDigest(`${appCi}/mirror/ci`)] });
  const image = rig.doubles.qci.addImage('openshift/ci', tag, { layers: [100_000] });
  await pull(rig, rig);
  rig.doubles.qci.removeTag('openshift/ci', tag);
  rig.doubles.qci.removeManifest('openshift/ci', image.digest);
  rig.doubles.source.addManifest('mirror/ci', image.manifest, mediaTypes.ociManifest);
  rig.pass(60_000);
  t.equal((await pull(rig, rig)).descriptor.digest, image.digest);
});

test('a flood of unknown tags does not end what our records say of a tag', async (t) => {
  const rig = await missRig(t, { sources: [ci, history], questionsPerSecond: 1 });
  const image = rig.doubles.qci.addImage('openshift/ci', tag);
  await pull(rig, rig);
  rig.doubles.qci.removeTag('openshift/ci', tag);
  rig.pass(60_000);
  const guess = (index: number) =>
    rig.qci.manifests.resolve(rig.repository, { tag: parseTag(`ocp_4.5_no-${index}`) });
  await Promise.allSettled(Array.from({ length: 50 }, (_, index) => guess(index)));
  t.equal((await pull(rig, rig)).descriptor.digest, image.digest);
  const reason = `not in ${own}; ${appCi} is not asked: too many unknown tags`;
  t.equal(await reasonOf(guess(51)), `${tagUnknown}: ${reason}`);
});

test('a tag that is found nowhere is 404 with every place, and when it was answered last, in one line', async (t) => {
  const rig = await missRig(t, { sources: [ci, backup, pre] });
  const { digest } = rig.doubles.qci.addImage('openshift/ci', tag);
  await pull(rig, rig);
  rig.doubles.qci.removeTag('openshift/ci', tag);
  const reason = [
    `${tagUnknown}: not in quay.io/openshift/ci`,
    'not at registry.ci.openshift.org',
    'not at quay.io/openshift/ci:ocp_4.5_base__pre',
    `last answered on 2023-11-14 as ${digest}`,
  ].join('; ');
  for (const passedMs of [60_000, 500, 3_000, 60_000]) {
    rig.pass(passedMs);
    t.equal(await reasonOf(pull(rig, rig)), reason, `${passedMs} ms later`);
  }
});
