import { test } from 'tap';
import { rememberAbsence } from '../../src/cache/records/absence.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseTag } from '../../src/oci/reference.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { type FleetRig, fleetRig, inOrder, type RigMember } from './rig.ts';

const tag = parseTag('v1');
const tagged = 'quay.io/team/app:v1';

function pair(rig: FleetRig, key: string): readonly [RigMember, RigMember] {
  const [owner, second] = inOrder(rig, key);
  if (owner === undefined || second === undefined) throw new Error('two members');
  return [owner, second];
}

/** Makes what the member knows of the tag older, and another digest. */
async function aged({ cache }: RigMember, rig: FleetRig, byMs: number, digest?: Digest): Promise<void> {
  const scope = { upstream: 'quay.io', repository: rig.repository };
  const pointer = await cache.tags.find(scope, tag);
  if (pointer === undefined) throw new Error('a pointer');
  cache.tags.set(scope, tag, { ...pointer, checkedAt: Date.now() - byMs, ...(digest && { digest }) });
}

function makeListsOlder({ cache }: RigMember, byMs: number): void {
  const askedAt = Date.now() - byMs;
  for (const [key, list] of [...cache.tagLists.entries()]) cache.tagLists.set(key, { ...list, askedAt });
  for (const [key, page] of [...cache.pages.entries()]) cache.pages.set(key, { ...page, askedAt });
}

test('a tag is as old at the member that asked as at its owner', async (t) => {
  const rig = await fleetRig(t);
  rig.double.addImage('team/app', 'v1');
  const [owner, second] = pair(rig, tagged);
  await owner.registry.tagged.resolve(rig.repository, { tag });
  await aged(owner, rig, 20_000);
  const { checkedAt = 0, ageSeconds } = await second.registry.tagged.resolve(rig.repository, { tag });
  t.ok(Date.now() - checkedAt >= 20_000);
  t.equal(ageSeconds, undefined);
});

test('an older answer of the owner does not undo what the member that asked knows', async (t) => {
  const rig = await fleetRig(t, { stores: createMemoryStore });
  rig.double.addImage('team/app', 'v1');
  const [owner, second] = pair(rig, tagged);
  for (const { registry } of [owner, second]) await registry.tagged.resolve(rig.repository, { tag });
  await aged(owner, rig, 55_000);
  const { digest } = rig.double.addImage('team/app', 'v1', { layers: [7] });
  await second.registry.tagged.resolve(rig.repository, { digest });
  await aged(second, rig, 45_000, digest);
  await second.registry.tagged.resolve(rig.repository, { tag });
  await second.registry.tagged.settled();
  const latest = await second.registry.tagged.resolve(rig.repository, { tag });
  t.equal(latest.descriptor.digest, digest);
});

test('what an owner has to answer stale is stale at the member that asked', async (t) => {
  const rig = await fleetRig(t);
  rig.double.addImage('team/app', 'v1');
  const [owner, second] = pair(rig, tagged);
  await owner.registry.tagged.resolve(rig.repository, { tag });
  await aged(owner, rig, 100_000);
  rig.double.switches.status = { of: 'manifests', code: 503 };
  const first = await second.registry.tagged.resolve(rig.repository, { tag });
  t.equal(first.hit, 'stale');
  t.match(first.notice, /^299 - "quay.io could not be asked/);
  t.same(first.warnings, []);
  t.equal((await second.registry.tagged.resolve(rig.repository, { tag })).hit, 'stale');
});

test('a list of tags and one of referrers are asked for once, and are as old as at their owner', async (t) => {
  const rig = await fleetRig(t);
  const { digest } = rig.double.addImage('team/app', 'v1');
  const [owner, second] = pair(rig, 'quay.io/team/app');
  for (const list of ['tags', 'referrers'] as const) {
    const asked = ({ registry: { listings } }: RigMember) =>
      list === 'tags' ? listings.tags(rig.repository, '') : listings.referrers(rig.repository, digest, '');
    await asked(owner);
    makeListsOlder(owner, 20_000);
    const other = await asked(second);
    t.ok(Date.now() - other.askedAt >= 20_000);
    t.same(await asked(second), { ...other, hit: 'memory' });
  }
  t.equal(rig.asked('/tags/list'), 1);
  t.equal(rig.asked('/referrers/'), 1);
});

test('a list that its owner could not ask for again is stale at the member that asked', async (t) => {
  const rig = await fleetRig(t);
  rig.double.addImage('team/app', 'v1');
  const [owner, second] = pair(rig, 'quay.io/team/app');
  await owner.registry.listings.tags(rig.repository, '');
  makeListsOlder(owner, 40_000);
  rig.double.switches.status = { of: 'tags', code: 503 };
  const { hit, notice } = await second.registry.listings.tags(rig.repository, '');
  t.equal(hit, 'stale');
  t.match(notice, /last confirmed 40 s ago/);
});

test('no member believes longer than its owner that a tag is missing', async (t) => {
  const rig = await fleetRig(t, { negativeMs: 60_000 });
  rig.double.addImage('team/app', 'other');
  const [owner, second] = pair(rig, tagged);
  const known = ({ registry }: RigMember) => registry.tagged.absence(rig.repository, tag);
  await t.rejects(owner.registry.tagged.resolve(rig.repository, { tag }), { code: 'MANIFEST_UNKNOWN' });
  t.ok((known(owner)?.ageMs ?? 60_000) < 30_000);
  rememberAbsence(owner.absent, tagged, { reason: 'nor at its source', ageMs: 30_000 });
  await t.rejects(second.registry.tagged.resolve(rig.repository, { tag }), /nor at its source/);
  t.ok((known(second)?.ageMs ?? 0) >= 30_000);
  t.equal(rig.asked('/manifests/v1'), 1);
});

test('where the upstream is down and each has a store, what one member has all have', async (t) => {
  const rig = await fleetRig(t, { stores: createMemoryStore });
  const { digest, config, layers } = rig.double.addImage('team/app', 'v1', { layers: [3_000] });
  const layer = layers[0]?.digest ?? config;
  const [owner, second] = pair(rig, tagged);
  const [third] = rig.members.filter((member) => member !== owner && member !== second);
  if (third === undefined) throw new Error('three members');
  await second.registry.tagged.resolve(rig.repository, { tag });
  for (const blob of [layer, config]) {
    const { read } = await second.registry.blobs.open(rig.repository, blob);
    for await (const _chunk of read());
  }
  await Promise.all(rig.members.map(({ cache }) => cache.fills.settled()));
  rig.double.switches.status = { of: 'everything', code: 503 };
  await rig.kill(owner);
  const served = await third.registry.manifests.resolve(rig.repository, { tag });
  t.equal(served.descriptor.digest, digest);
  const blob = await third.registry.blobs.open(rig.repository, layer);
  let bytes = 0;
  for await (const chunk of blob.read()) bytes += chunk.byteLength;
  t.equal(bytes, 3_000);
});

test('an owner that cannot reach the upstream costs no pull: the next one asks', async (t) => {
  const rig = await fleetRig(t, {
    urls: (index, url) => (index === 0 ? 'http://127.0.0.1:1' : url),
  });
  for (let index = 0; index < 6; index += 1) {
    const { digest } = rig.double.addImage('team/app', `v${index}`, { layers: [1_000 + index] });
    for (const { registry } of rig.members.slice(1)) {
      const found = await registry.tagged.resolve(rig.repository, { tag: parseTag(`v${index}`) });
      t.equal(found.descriptor.digest, digest);
    }
    t.equal(rig.asked(`GET /v2/team/app/manifests/v${index}`), 1);
  }
});
