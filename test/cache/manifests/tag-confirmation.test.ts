import { test } from 'tap';
import type { CacheRig } from '../../support/cache-rig.ts';
import { cacheRig } from '../../support/cache-rig.ts';
import { flatRepository } from '../../support/flat-repository.ts';

const confirmed = async (rig: CacheRig, tag: string) =>
  (await rig.registry.tagAtUpstream(rig.repository, rig.tag(tag)))?.digest;
const lines = (rig: CacheRig) => rig.double.requests.map(({ method, path }) => `${method} ${path}`);

test('what a tag means is asked by one HEAD for all who wait, and believed for 5 s', async (t) => {
  const rig = await cacheRig(t);
  const { digest } = flatRepository(rig.double, rig.repository).image(['layer'], 'latest');
  const answers = await Promise.all(Array.from({ length: 20 }, () => confirmed(rig, 'latest')));
  t.same(new Set(answers), new Set([digest]));
  t.equal(await confirmed(rig, 'latest'), digest);
  t.same(lines(rig), ['HEAD /v2/openshift/ci/manifests/latest']);
  rig.pass(5_001);
  t.equal(await confirmed(rig, 'latest'), digest);
  t.equal(lines(rig).length, 2);
});

test('a tag that moved is known at once, and what it meant before is in its history', async (t) => {
  const rig = await cacheRig(t);
  const content = flatRepository(rig.double, rig.repository);
  const before = content.image(['old'], 'latest');
  await rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('latest') });
  const after = content.image(['new'], 'latest');
  rig.pass(6_000);
  t.equal(await confirmed(rig, 'latest'), after.digest);
  const pointer = await rig.registry.tagAtUpstream(rig.repository, rig.tag('latest'));
  t.match(pointer, { digest: after.digest, history: [{ digest: before.digest }] });
  const served = await rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('latest') });
  t.equal(served.descriptor.digest, after.digest, 'and clients of the tag get it');
});

test('a missing tag is asked about once in 30 s, and hides nothing from clients of the tag', async (t) => {
  const rig = await cacheRig(t);
  t.equal(await confirmed(rig, 'latest'), undefined);
  t.equal(await confirmed(rig, 'latest'), undefined);
  t.equal(lines(rig).length, 1);
  const { digest } = flatRepository(rig.double, rig.repository).image(['layer'], 'latest');
  const served = await rig.registry.manifests.resolve(rig.repository, { tag: rig.tag('latest') });
  t.equal(served.descriptor.digest, digest);
  rig.pass(31_000);
  t.equal(await confirmed(rig, 'latest'), digest);
});

test('an upstream that does not answer is neither a yes nor a no, and asked again', async (t) => {
  const rig = await cacheRig(t);
  const { digest } = flatRepository(rig.double, rig.repository).image(['layer'], 'latest');
  rig.double.switches.down = true;
  await t.rejects(confirmed(rig, 'latest'), { code: 'UNAVAILABLE' });
  delete rig.double.switches.down;
  t.equal(await confirmed(rig, 'latest'), digest);
});

test('the digest that a HEAD stated is not believed where its content is served', async (t) => {
  const rig = await cacheRig(t);
  const { digest } = flatRepository(rig.double, rig.repository).image(['layer'], 'latest');
  t.equal(await confirmed(rig, 'latest'), digest);
  rig.double.removeManifest(rig.repository, digest);
  rig.pass(1_000);
  await t.rejects(rig.registry.manifests.resolve(rig.repository, { digest }), { code: 'MANIFEST_UNKNOWN' });
});
