import { type Test, test } from 'tap';
import { openedMemberPort } from '../../src/app/replicas/member-port.ts';
import type { CachedRegistry } from '../../src/cache/registry/registry.ts';
import { type AskedUpstream, askedOnce } from '../../src/fleet/asked-once.ts';
import { createSeals } from '../../src/fleet/protocol/seals.ts';
import { collected } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { createUpstream } from '../../src/upstream/client/client.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { patterned } from '../support/registry-contents.ts';
import { type FleetRig, fleetKey, fleetRig, inOrder, type RigMember } from './rig.ts';

type Owns = 'all' | 'nothing';

/** A rig, and one more member with the key, that answers from that registry. */
async function withMember(
  t: Test,
  registry: object,
  { owns = 'all', ...options }: { owns?: Owns } & Parameters<typeof fleetRig>[1] = {},
): Promise<{
  readonly rig: FleetRig;
  readonly members: readonly RigMember[];
  readonly connections: () => number;
}> {
  const rig = await fleetRig(t, { members: 1, ...options });
  const port = await openedMemberPort({
    listen: '127.0.0.1:0',
    seals: createSeals(() => [fleetKey]),
    registries: new Map([['quay.io', registry as CachedRegistry]]),
    pong: () => ({ instance: 'odd', isLeaving: false }),
    told: () => undefined,
  });
  t.teardown(async () => {
    port.abort();
    await port.close();
  });
  let connections = 0;
  port.server.on('connection', () => {
    connections += 1;
  });
  const names = rig.members.map(({ name }) => name);
  for (const member of rig.members) {
    member.see([...names, port.address]);
    const { members } = member.fleet;
    members.ranked = () => (owns === 'all' ? [port.address, ...names] : [...names, port.address]);
  }
  return { rig, members: rig.members, connections: () => connections };
}

async function pulled({ registry }: RigMember, rig: FleetRig, digest: Digest): Promise<Uint8Array> {
  const blob = await registry.blobs.open(rig.repository, digest);
  return collected(blob.read(), 1e6);
}

const mediaType = 'application/vnd.oci.image.manifest.v1+json';

/** A registry whose manifest has those bytes, whatever digest is asked for. */
function lying(digest: () => Digest, bytes: Uint8Array): object {
  const read = async () => ({
    descriptor: { digest: digest(), mediaType, size: bytes.byteLength },
    bytes,
    hit: 'store',
  });
  return { reading: { read } };
}

test('another manifest than was asked for by digest is no answer, and gives no rights', async (t) => {
  const config = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(Buffer.from('{}')),
  };
  const other = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, config: { ...config, size: 2 }, layers: [] }),
  );
  const { rig, members } = await withMember(
    t,
    lying(() => digestOf(other), other),
  );
  const { digest } = rig.double.addImage('team/app', 'v1');
  for (const { registry, cache } of members) {
    const served = await registry.tagged.resolve(rig.repository, { digest });
    t.equal(served.descriptor.digest, digest);
    const scope = { upstream: 'quay.io', repository: rig.repository };
    t.equal(await cache.membership.find(scope, digestOf(other)), undefined);
  }
});

test('a manifest whose bytes do not fit its digest comes from the upstream', async (t) => {
  let digest: Digest | undefined;
  const { rig, members } = await withMember(
    t,
    lying(() => digest ?? digestOf(Buffer.of()), Buffer.from('{}')),
  );
  ({ digest } = rig.double.addImage('team/app', 'v1'));
  for (const { registry } of members) t.ok(await registry.tagged.resolve(rig.repository, { digest }));
});

/** A registry that has those bytes as every blob. */
function withBlob(bytes: Uint8Array): object {
  const open = async (_repository: unknown, digest: Digest) => ({
    descriptor: { digest, size: bytes.byteLength },
    hit: 'store',
    async *read() {
      yield bytes;
    },
  });
  return { blobs: { open } };
}

test('a blob of which a member sends wrong bytes comes from the upstream instead', async (t) => {
  const { rig, members } = await withMember(t, withBlob(patterned(1_000, 'wrong')));
  const bytes = patterned(1_000, 'right');
  const digest = rig.double.addBlob('team/app', bytes);
  for (const member of members) t.ok(bytes.equals(await pulled(member, rig, digest)));
});

test('an owner takes no wrong bytes from the same member twice, nor does its worker', async (t) => {
  const odd = withBlob(patterned(1_000, 'wrong'));
  const bytes = patterned(1_000, 'right');
  const { members: workers } = await fleetRig(t, { members: 1 });
  const beside = (owned: AskedUpstream): Upstream => workers[0]?.fleet.joined(owned) ?? owned;
  for (const read of [(owned: AskedUpstream) => owned, beside]) {
    const { rig, members } = await withMember(t, odd, { owns: 'nothing' });
    const digest = rig.double.addBlob('team/app', bytes);
    const upstream = createUpstream({ name: 'quay.io', url: rig.double.url, allowPrivateAddresses: true });
    t.teardown(() => upstream.close());
    const owned = members[0]?.fleet.owned(askedOnce(upstream));
    const got: boolean[] = [];
    for (let turn = 0; turn < 2; turn += 1) {
      const blob = await (owned && read(owned).openBlob(rig.repository, digest));
      if (blob === undefined) throw new Error('the upstream has the blob');
      got.push(bytes.equals(await collected(blob.body, 1e6)));
      blob.distrust?.();
      blob.close();
    }
    t.same(got, [false, true]);
  }
});

test('an error code of a later version is one that another attempt may get past', async (t) => {
  const refuse = async () => {
    throw new RegistryError('TOO_EARLY' as 'UNKNOWN', 'of a later version', {
      reply: { status: 425 },
      retryAfterSeconds: Number.NaN,
    });
  };
  const { rig, members } = await withMember(t, { blobs: { open: refuse } });
  const digest = rig.double.addBlob('team/app', patterned(10, 'x'));
  for (const member of members)
    await t.rejects(pulled(member, rig, digest), { code: 'UNAVAILABLE', status: 503 });
});

test('a login that only the owner is refused costs no other replica a pull', async (t) => {
  const refuse = async () => {
    throw new RegistryError('DENIED', 'the upstream refuses access to this repository', {
      reply: { status: 401 },
    });
  };
  const { rig, members } = await withMember(t, { blobs: { open: refuse } }, { members: 2 });
  const digest = rig.double.addBlob('team/app', patterned(1_000, 'x'));
  for (const member of members.toReversed()) t.equal((await pulled(member, rig, digest)).byteLength, 1_000);
});

for (const owns of ['all', 'nothing'] as const)
  test(`no pull waits more than 6.5 s for a member that answers pings only and owns ${owns}`, async (t) => {
    const clock = createManualClock();
    const hung = { blobs: { open: () => new Promise(() => undefined) } };
    const { rig, members } = await withMember(t, hung, { owns, clock });
    const digest = rig.double.addBlob('team/app', patterned(1_000, 'x'));
    const [member] = members;
    if (member === undefined) throw new Error('a member');
    const pull = pulled(member, rig, digest);
    const startedAt = clock.now();
    let isOver = false;
    void pull.then(() => {
      isOver = true;
    });
    // Pings go over real sockets: a clock that runs ahead of them counts what they take.
    await until(async () => {
      await clock.pass(50);
      return isOver;
    });
    t.ok(clock.now() - startedAt <= 6_500, `${clock.now() - startedAt} ms`);
  });

test('a long query of a client is asked at the upstream, and no member fails for it', async (t) => {
  const rig = await fleetRig(t, { members: 2 });
  rig.double.addImage('team/app', 'v1');
  const [owner, second] = inOrder(rig, 'quay.io/team/app');
  if (owner === undefined || second === undefined) throw new Error('two members');
  await second.registry.listings.tags(rig.repository, `last=${'a'.repeat(30_000)}`).catch(() => undefined);
  t.ok(second.fleet.members.live.includes(owner.name));
});

test('questions that bring no bytes use one connection again', async (t) => {
  const { rig, members, connections } = await withMember(t, {
    blobs: { open: async () => Promise.reject(new RegistryError('BLOB_UNKNOWN', 'none')) },
  });
  const [member] = members;
  if (member === undefined) throw new Error('a member');
  const digests = Array.from({ length: 6 }, (_, index) =>
    rig.double.addBlob('other/app', patterned(9, `${index}`)),
  );
  for (const digest of digests) await t.rejects(pulled(member, rig, digest), { code: 'BLOB_UNKNOWN' });
  t.equal(rig.asked('/blobs/'), 0);
  t.ok(connections() <= 3, `${connections()} connections for 6 questions, and pings beside them`);
});
