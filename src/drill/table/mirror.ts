import type { HttpFault } from '../fronts/faults.ts';
import type { FleetReplica } from '../stand/replica.ts';
import { registryNames } from '../stand/settings.ts';
import { frontFault } from './front-fault.ts';
import { firstOf } from './machine.ts';
import type { Drill } from './table.ts';

/** More than half a failure a second, which the alert of ci-images-mirror wants. */
const copies = 30;

const denied = JSON.stringify({ errors: [{ code: 'DENIED', message: 'the drill takes no push' }] });
const refusesPushes: HttpFault = {
  kind: 'status',
  meets: (method) => method !== 'GET' && method !== 'HEAD',
  answer: { status: 403, headers: { 'content-type': 'application/json' }, body: denied },
};

async function ordered({ admin }: FleetReplica, copy: number): Promise<void> {
  const body = JSON.stringify({
    source: `${registryNames.source}/warm/image-0:latest`,
    destination: `${registryNames.copies}/copies:refused-${copy}`,
  });
  const headers = { 'content-type': 'application/json' };
  const asked = { method: 'POST', headers, body, signal: AbortSignal.timeout(3_000) };
  const answer = await fetch(`${admin}/api/v1/mirrors`, asked).catch(() => undefined);
  await answer?.body?.cancel().catch(() => undefined);
}

/** What the registry does that images are copied to. */
export const mirrorDrills: readonly Drill[] = [
  {
    name: 'mirror-refused',
    layer: 'mirror',
    fault: 'the registry that images are copied to refuses pushes (403)',
    async start(stand) {
      const force = frontFault(stand.copies, refusesPushes);
      for (let copy = 1; copy <= copies; copy += 1) await ordered(firstOf(stand), copy);
      return force;
    },
    conditions: ['MirrorNothingParked'],
    alerts: ['QuaysideMirrorParked', 'quay-io-image-mirroring-failures'],
  },
];
