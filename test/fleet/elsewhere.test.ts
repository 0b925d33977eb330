import { test } from 'tap';
import { createCachedRegistry } from '../../src/cache/registry/registry.ts';
import { FollowsReplica, leadsBack } from '../../src/fleet/elsewhere.ts';
import { isWorker, workerName } from '../../src/fleet/members/worker-names.ts';
import type { Bytes } from '../../src/oci/content.ts';
import { parseRepository } from '../../src/oci/reference.ts';
import { createUpstream } from '../../src/upstream/client/client.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { patterned } from '../support/registry-contents.ts';
import { fleetRig, policy } from './rig.ts';

test('a replica is never taken for a worker, whatever its host is called', async (t) => {
  t.ok(isWorker(workerName(12)));
  for (const name of ['worker-1:8402', 'worker-1.quayside.svc:8402', '10.0.0.7:8402', '[fd00::7]:8402'])
    t.notOk(isWorker(name), name);
});

test('workers get what follows a replica, and neither they nor replicas what may follow them', async (t) => {
  t.notOk(leadsBack('workers', '10.0.0.7:8402'));
  t.ok(leadsBack('workers', workerName(2)));
  t.ok(leadsBack('replicas', '10.0.0.7:8402'));
  t.ok(leadsBack('replicas', workerName(2)));
});

test('who waits for a download of another repository learns which replica it follows', async (t) => {
  const rig = await fleetRig(t, { members: 1 });
  const [member] = rig.members;
  if (member === undefined) throw new Error('one member');
  const bytes = patterned(1_000, 'six');
  const digest = rig.double.addBlob('team/app', bytes);
  const told = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  t.teardown(() => ended.resolve());
  async function* body(): Bytes {
    yield bytes.subarray(0, 10);
    await ended.promise;
    yield bytes.subarray(10);
  }
  const upstream: Upstream = {
    ...createUpstream({ name: 'quay.io', url: rig.double.url, allowPrivateAddresses: true }),
    async openBlob(_repository, _digest, { sourced } = {}) {
      sourced?.({ from: 'unknown', repository: rig.repository });
      await told.promise;
      sourced?.({ from: 'replica', repository: rig.repository, replica: '10.0.0.7:8402' });
      return { size: bytes.byteLength, body: body(), close: () => undefined };
    },
  };
  t.teardown(() => upstream.close());
  const { cache, absent } = member;
  const registry = createCachedRegistry({ ...cache, upstream, policy, absent, askers: 'replicas' });
  await registry.blobs.stat(rig.repository, digest);
  const other = parseRepository('team/other');
  const first = t.rejects(registry.blobs.open(other, digest), FollowsReplica);
  while (cache.fills.find('quay.io', digest) === undefined) await new Promise(setImmediate);
  const second = t.rejects(registry.blobs.open(rig.repository, digest), FollowsReplica);
  while (cache.fills.running()[0]?.requests !== 2) await new Promise(setImmediate);
  told.resolve();
  await Promise.all([first, second]);
});
