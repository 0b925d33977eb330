import { test } from 'tap';
import { ranked } from '../../src/fleet/members/ranking.ts';
import { type Bytes, collected } from '../../src/oci/content.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { patterned } from '../support/registry-contents.ts';
import { type FleetRig, fleetRig, inOrder, type RigMember } from './rig.ts';

function trio(rig: FleetRig, digest: Digest) {
  const names = ranked(
    rig.members.map(({ name }) => name),
    `quay.io/team/app@${digest}`,
  );
  const [owner, second, third] = names.flatMap((name) => rig.members.filter((each) => each.name === name));
  if (owner === undefined || second === undefined || third === undefined) throw new Error('three members');
  return { owner, second, third };
}

/** The owner is back: the third member has noticed, the second one has not. */
function returningOwner(rig: FleetRig, digest: Digest) {
  const each = trio(rig, digest);
  each.second.fleet.members.gone(each.owner.name);
  return each;
}

async function pulled({ registry }: RigMember, rig: FleetRig, digest: Digest): Promise<Buffer> {
  const blob = await registry.blobs.open(rig.repository, digest);
  const bytes: Bytes = blob.read();
  return Buffer.from(await collected(bytes, 2e6));
}

async function asked(rig: FleetRig, digest: Digest): Promise<void> {
  while (rig.asked(`GET /v2/team/app/blobs/${digest}`) === 0) await new Promise(setImmediate);
}

/** Who is asked first, and who is while that one downloads. */
const turns = [
  {
    title: 'a member that has just come asks for what others download, before it asks the upstream',
    first: 'second',
    late: 'third',
    delayMs: 200,
  },
  {
    title: 'a download that waits for a slow upstream is waited for, and its member does not hang',
    first: 'second',
    late: 'third',
    delayMs: 2_300,
  },
  {
    title: 'who has not noticed that a member is back finds what it downloads by its readers',
    first: 'third',
    late: 'second',
    delayMs: 200,
  },
] as const;

for (const { title, first, late, delayMs } of turns)
  test(title, async (t) => {
    const rig = await fleetRig(t);
    rig.double.switches.delayMs = delayMs;
    const bytes = patterned(1e6, title);
    const digest = rig.double.addBlob('team/app', bytes);
    const members = returningOwner(rig, digest);
    const early = pulled(members[first], rig, digest);
    await asked(rig, digest);
    for (const each of await Promise.all([early, pulled(members[late], rig, digest)]))
      t.ok(each.equals(bytes));
    t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
  });

test('all are asked at once while one has not noticed that another is back', async (t) => {
  const rig = await fleetRig(t);
  for (let round = 0; round < 12; round += 1) {
    const bytes = patterned(1e5, `round ${round}`);
    const digest = rig.double.addBlob('team/app', bytes);
    const { owner, second, third } = returningOwner(rig, digest);
    const turn = [second, third, owner];
    const order = [...turn.slice(round % 3), ...turn.slice(0, round % 3)];
    for (const each of await Promise.all(order.map((member) => pulled(member, rig, digest))))
      t.ok(each.equals(bytes));
    t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1, `round ${round}`);
    second.fleet.members.came(owner.name, `again ${round}`);
  }
});

test('what a member still downloads while it is leaving is read from there', async (t) => {
  const rig = await fleetRig(t);
  rig.double.switches.delayMs = 200;
  const bytes = patterned(1e6, 'four');
  const digest = rig.double.addBlob('team/app', bytes);
  const { owner, second, third } = trio(rig, digest);
  const first = pulled(owner, rig, digest);
  await asked(rig, digest);
  await owner.fleet.leave();
  const others = [second, third].map((member) => pulled(member, rig, digest));
  for (const each of await Promise.all([first, ...others])) t.ok(each.equals(bytes));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
});

test('the one that stays of two reads what the other still downloads while it is leaving', async (t) => {
  const rig = await fleetRig(t, { members: 2 });
  rig.double.switches.delayMs = 200;
  const bytes = patterned(1e6, 'five');
  const digest = rig.double.addBlob('team/app', bytes);
  const [owner, other] = inOrder(rig, `quay.io/team/app@${digest}`);
  if (owner === undefined || other === undefined) throw new Error('two members');
  const first = pulled(owner, rig, digest);
  await asked(rig, digest);
  await owner.fleet.leave();
  for (const each of await Promise.all([first, pulled(other, rig, digest)])) t.ok(each.equals(bytes));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
});

test('what a member downloads that the list no longer names is read from there by all', async (t) => {
  const rig = await fleetRig(t);
  rig.double.switches.delayMs = 300;
  const bytes = patterned(1e6, 'six');
  const digest = rig.double.addBlob('team/app', bytes);
  const { owner, second, third } = trio(rig, digest);
  const first = pulled(owner, rig, digest);
  await asked(rig, digest);
  for (const each of [second, third]) each.see([second.name, third.name]);
  const others = [second, third].map((member) => pulled(member, rig, digest));
  for (const each of await Promise.all([first, ...others])) t.ok(each.equals(bytes));
  t.equal(rig.asked(`GET /v2/team/app/blobs/${digest}`), 1);
});
