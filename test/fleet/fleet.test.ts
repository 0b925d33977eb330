import { test } from 'tap';
import { type Bytes, collected } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { parseRepository, parseTag, type Repository } from '../../src/oci/reference.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { patterned } from '../support/registry-contents.ts';
import { type FleetRig, fleetRig, inOrder, type RigMember } from './rig.ts';

const mib = 1024 ** 2;

async function pulled({ registry }: RigMember, rig: FleetRig, digest: Digest): Promise<Buffer> {
  const blob = await registry.blobs.open(rig.repository, digest);
  return whole(blob.read());
}

async function whole(bytes: Bytes): Promise<Buffer> {
  return Buffer.from(await collected(bytes, 64 * mib));
}

/** The members in the order in which they own the blob. */
function trio(rig: FleetRig, digest: Digest): readonly [RigMember, RigMember, RigMember] {
  const [owner, second, third] = inOrder(rig, `quay.io/team/app@${digest}`);
  if (owner === undefined || second === undefined || third === undefined) throw new Error('three members');
  return [owner, second, third];
}

/** Resolves once the member's download has reached the byte. */
async function reached({ cache }: RigMember, digest: Digest, byte: number): Promise<void> {
  while (cache.fills.find('quay.io', digest)?.fill.distanceTo(byte).bytes !== 0)
    await new Promise(setImmediate);
}

test('a cold blob that every member is asked for crosses the link once', async (t) => {
  const rig = await fleetRig(t);
  const bytes = patterned(3 * mib, 'one');
  const digest = rig.double.addBlob('team/app', bytes);
  const got = await Promise.all(
    [...rig.members, ...rig.members].map((member) => pulled(member, rig, digest)),
  );
  for (const each of got) t.ok(each.equals(bytes));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
  const [owner, second] = trio(rig, digest);
  t.equal((await owner.registry.blobs.open(rig.repository, digest)).hit, 'store');
  t.ok(second.events.some(([name]) => name === 'memberBytes'));
});

test('what another member downloads is stored by that one alone, and is a hit of its own', async (t) => {
  const rig = await fleetRig(t);
  const digest = rig.double.addBlob('team/app', patterned(mib, 'two'));
  const [, second] = trio(rig, digest);
  const blob = await second.registry.blobs.open(rig.repository, digest);
  t.equal(blob.hit, 'member');
  const found = second.cache.fills.find('quay.io', digest);
  await whole(blob.read());
  t.equal(await found?.fill.settled, 'followed');
});

test('with a store for each member, both keep what they delivered', async (t) => {
  const rig = await fleetRig(t, { stores: createMemoryStore });
  const digest = rig.double.addBlob('team/app', patterned(mib, 'three'));
  const [owner, second] = trio(rig, digest);
  await pulled(second, rig, digest);
  await Promise.all([owner, second].map(({ cache }) => cache.fills.settled()));
  t.ok(await owner.cache.store.stat(digest));
  t.ok(await second.cache.store.stat(digest));
});

test('a tag that every member is asked for is asked for once, as old as its owner says', async (t) => {
  const rig = await fleetRig(t);
  const { digest } = rig.double.addImage('team/app', 'v1');
  const tag = parseTag('v1');
  const got = await Promise.all(
    rig.members.map(({ registry }) => registry.tagged.resolve(rig.repository, { tag })),
  );
  for (const each of got) t.equal(each.descriptor.digest, digest);
  t.equal(rig.asked('GET /v2/team/app/manifests/v1'), 1);
});

test('the owner is killed at half: the others go on at the byte, and one of them asks', async (t) => {
  const rig = await fleetRig(t);
  const bytes = patterned(4 * mib, 'four');
  const digest = rig.double.addBlob('team/app', bytes);
  rig.double.switches.stallsAfter = { bytes: 2 * mib, times: 1 };
  const [owner, second, third] = trio(rig, digest);
  const reads = [second, third].map((member) => pulled(member, rig, digest));
  await Promise.all([second, third].map((member) => reached(member, digest, mib)));
  await rig.kill(owner);
  for (const each of await Promise.all(reads)) t.ok(each.equals(bytes));
  const asks = rig.double.seen(`GET /v2/team/app/blobs/${digest}`);
  t.equal(asks.length, 2);
  t.match(asks[1]?.headers['range'], /^bytes=[1-9]\d+-/);
  t.ok(second.events.some(([name]) => name === 'tookOver'));
  await Promise.all([second, third].map(({ cache }) => cache.fills.settled()));
  t.ok(await second.cache.store.stat(digest), 'who took over stores it');
});

test('one blob of two repositories: who followed a dead owner does not wait for who waits for it', async (t) => {
  const rig = await fleetRig(t);
  const repositories = ['team/app', 'team/other'].map((name) => parseRepository(name));
  const [app, other] = repositories;
  if (app === undefined || other === undefined) throw new Error('two repositories');
  let bytes = patterned(4 * mib, 'two repositories');
  let orders: readonly (readonly RigMember[])[] = [];
  // One owner for both, then the one order in the first repository and the other in the second.
  for (let round = 0; orders[0]?.[0] !== orders[1]?.[0] || orders[0]?.[1] === orders[1]?.[1]; round += 1) {
    bytes = patterned(4 * mib, `two repositories, ${round}`);
    const digest = digestOf(bytes);
    orders = repositories.map((name) => inOrder(rig, `quay.io/${name}@${digest}`));
  }
  const digest = digestOf(bytes);
  for (const name of repositories) rig.double.addBlob(name, bytes);
  rig.double.switches.stallsAfter = { bytes: 2 * mib, times: 1 };
  const [owner, second, third] = orders[0] ?? [];
  if (owner === undefined || second === undefined || third === undefined) throw new Error('three members');
  const pulls = (repository: Repository, member: RigMember): Promise<Buffer> =>
    pulled(member, { ...rig, repository }, digest);
  const first = [pulls(app, second), pulls(other, third)];
  await Promise.all([second, third].map((member) => reached(member, digest, mib)));
  const reads = [...first, pulls(other, second), pulls(app, third)];
  await Promise.all([second, third].map((member) => reached(member, digest, 2 * mib)));
  await rig.kill(owner);
  for (const each of await Promise.all(reads)) t.ok(each.equals(bytes));
  const asks = rig.double.seen(`/blobs/${digest}`).filter(({ method }) => method === 'GET');
  t.equal(asks.length, 2, 'the owner, and the one that took over');
});

test('the owner of eight dies before the first byte: one of the others asks in its place', async (t) => {
  const rig = await fleetRig(t, { members: 8 });
  const held = Promise.withResolvers<void>();
  rig.double.switches.holds = held.promise;
  const bytes = patterned(1e5, 'eight');
  const digest = rig.double.addBlob('team/app', bytes);
  const [owner, ...others] = inOrder(rig, `quay.io/team/app@${digest}`);
  if (owner === undefined) throw new Error('an owner');
  const reads = others.map((member) => pulled(member, rig, digest));
  const follows = ({ cache }: RigMember): boolean =>
    cache.fills.find('quay.io', digest)?.fill.source.from === 'replica';
  while (rig.asked(`GET /v2/team/app/blobs/${digest}`) === 0 || !others.every(follows))
    await new Promise(setImmediate);
  await rig.kill(owner);
  held.resolve();
  for (const each of await Promise.all(reads)) t.ok(each.equals(bytes));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 2, 'the owner, and the one that took over');
});

test('a new owner reads from the member that went on, before it asks the upstream', async (t) => {
  const rig = await fleetRig(t);
  const bytes = patterned(4 * mib, 'five');
  const digest = rig.double.addBlob('team/app', bytes);
  rig.double.switches.stallsAfter = { bytes: 2 * mib, times: 1 };
  const [owner, second, third] = trio(rig, digest);
  const read = pulled(third, rig, digest);
  await reached(third, digest, mib);
  rig.double.switches.stallsAfter = { bytes: 1.5 * mib, times: 1 };
  await rig.kill(owner);
  await reached(third, digest, 2 * mib + 1);
  const late = pulled(second, rig, digest);
  t.ok((await read).equals(bytes));
  t.ok((await late).equals(bytes));
  const whole = rig.double
    .seen(`GET /v2/team/app/blobs/${digest}`)
    .filter(({ headers }) => headers['range'] === undefined);
  t.equal(whole.length, 1);
});

test('two members whose lists each name only the other: no circle, two downloads at most', async (t) => {
  const rig = await fleetRig(t, { members: 2 });
  const [one, two] = rig.members;
  if (one === undefined || two === undefined) throw new Error('two members');
  const bytes = patterned(mib, 'six');
  const digest = rig.double.addBlob('team/app', bytes);
  const key = `quay.io/team/app@${digest}`;
  for (const member of rig.members) {
    const other = member === one ? two : one;
    const { members } = member.fleet;
    members.ranked = (asked) => (asked === key ? [other.name, member.name] : [member.name]);
  }
  const got = await Promise.all(rig.members.map((member) => pulled(member, rig, digest)));
  for (const each of got) t.ok(each.equals(bytes));
  t.ok(rig.asked(`GET /v2/team/app/blobs/${digest}`) <= 2);
});

test('a member with another key is no answer: no 404, and two downloads at most', async (t) => {
  const keys = ['k'.repeat(32), 'k'.repeat(32), 'another'.repeat(6)];
  const rig = await fleetRig(t, { keys });
  const bytes = patterned(mib, 'seven');
  const digest = rig.double.addBlob('team/app', bytes);
  const got = await Promise.all(rig.members.map((member) => pulled(member, rig, digest)));
  for (const each of got) t.ok(each.equals(bytes));
  t.ok(rig.asked(`GET /v2/team/app/blobs/${digest}`) <= 2);
});

test("the upstream's refusal is passed on with its Retry-After, and asked by one", async (t) => {
  const rig = await fleetRig(t);
  rig.double.switches.status = { of: 'blobs', code: 429 };
  rig.double.switches.retryAfter = '60';
  const digest = rig.double.addBlob('team/app', patterned(mib, 'eight'));
  const [owner, second, third] = trio(rig, digest);
  for (const member of [second, third, owner])
    await t.rejects(pulled(member, rig, digest), { code: 'TOOMANYREQUESTS' });
  t.equal(rig.asked(`/blobs/${digest}`), 1, 'the pause holds for all');
});

test('a blob that the upstream lacks is absent at every member, and asked for once', async (t) => {
  const rig = await fleetRig(t);
  const digest = rig.double.addBlob('other/app', patterned(1_000, 'nine'));
  for (const member of rig.members) await t.rejects(pulled(member, rig, digest), { code: 'BLOB_UNKNOWN' });
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
});

test('a member that is leaving owns nothing: its own clients read from the next one', async (t) => {
  const rig = await fleetRig(t);
  const bytes = patterned(mib, 'ten');
  const digest = rig.double.addBlob('team/app', bytes);
  const [owner, second] = trio(rig, digest);
  await owner.fleet.leave();
  const got = await Promise.all([owner, second].map((member) => pulled(member, rig, digest)));
  for (const each of got) t.ok(each.equals(bytes));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
});

test('a range far ahead at another member is read by its range, and costs no whole download', async (t) => {
  const rig = await fleetRig(t);
  const bytes = patterned(2 * mib, 'eleven');
  const digest = rig.double.addBlob('team/app', bytes);
  const [owner, second] = trio(rig, digest);
  await pulled(owner, rig, digest);
  const blob = await second.registry.blobs.open(rig.repository, digest);
  const part = await whole(blob.read({ start: mib, end: mib + 99 }));
  t.ok(part.equals(bytes.subarray(mib, mib + 100)));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
});

test('a tag that moved at the upstream is asked for anew at every member, at once', async (t) => {
  const rig = await fleetRig(t);
  rig.double.addImage('team/app', 'v1');
  const tag = parseTag('v1');
  const scope = { upstream: 'quay.io', repository: rig.repository };
  const [owner, second] = inOrder(rig, 'quay.io/team/app:v1');
  if (owner === undefined || second === undefined) throw new Error('two members');
  for (const { registry } of [owner, second]) await registry.tagged.resolve(rig.repository, { tag });
  const { digest } = rig.double.addImage('team/app', 'v1', { layers: [7] });
  const pointer = await owner.cache.tags.find(scope, tag);
  if (pointer === undefined) throw new Error('a pointer');
  owner.cache.tags.set(scope, tag, { ...pointer, checkedAt: 0 });
  t.equal((await owner.registry.tagged.resolve(rig.repository, { tag })).descriptor.digest, digest);
  const seen = async (): Promise<string> =>
    (await second.registry.tagged.resolve(rig.repository, { tag })).descriptor.digest;
  while ((await seen()) !== digest) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('without a proof every path and method is a bare 404', async (t) => {
  const rig = await fleetRig(t, { members: 1 });
  const url = `http://${rig.members[0]?.name}`;
  for (const [method, path] of [
    ['GET', '/fleet/v1/ping'],
    ['GET', '/v2/'],
    ['POST', '/fleet/v1/news'],
    ['DELETE', '/'],
  ] as const) {
    const headers = { 'quayside-ask': 'e30.AAAA', connection: 'close' };
    const answer = await fetch(url + path, { method, headers });
    t.equal(answer.status, 404);
    t.equal(await answer.text(), '');
    t.equal(answer.headers.get('quayside-answer'), null);
  }
});
