import type { Test } from 'tap';
import { until } from '../support/bodies.ts';
import { type RegistryDouble, registryDouble } from '../support/registry-double.ts';
import { type ServiceRig, serviceRig } from '../support/service.ts';
import { type Failure, type Played, patient } from './failure.ts';

const source = 'registry.ci.openshift.org/ocp/4.20:cli';
const destination = 'quay.io/openshift/ci:ocp_4.20_cli';

/** The service with a mirror between two registries. */
async function mirrorRig(t: Test): Promise<ServiceRig> {
  const [double, from] = await Promise.all([registryDouble(), registryDouble()]);
  from.addImage('ocp/4.20', 'cli');
  const registry = ({ url }: RegistryDouble) => ({ url, allowPrivateAddresses: true, retries: 0 });
  const rig = await serviceRig(t, {
    ...patient,
    double,
    settings: {
      mirror: {},
      upstreams: { 'quay.io': registry(double), 'registry.ci.openshift.org': registry(from) },
    },
  });
  t.teardown(async () => {
    await rig.stop();
    await Promise.all([double.close(), from.close()]);
  });
  return rig;
}

async function ordered(rig: ServiceRig, path: string, body: object): Promise<void> {
  const answer = await fetch(`http://${rig.service.adminAddress}/api/v1/mirrors${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`the order was refused: ${await answer.text()}`);
}

interface ShownTask {
  readonly state: string;
  readonly failure?: { readonly kind: string; readonly reason: string };
}

/** What the queue shows of the task, once it is parked. */
async function parked(
  rig: ServiceRig,
  lines: readonly string[],
  metrics: readonly string[],
): Promise<Played> {
  const query = `action=show&state=parked&limit=10&destination=${encodeURIComponent(destination)}`;
  let task: ShownTask | undefined;
  await until(async () => {
    const answer = await fetch(`http://${rig.service.adminAddress}/api/v1/mirrors?${query}`);
    [task] = tasksIn(await answer.json());
    return task !== undefined;
  }, 'the parked task');
  const client = `the queue: **${task?.state}**, kind ${task?.failure?.kind}: ${task?.failure?.reason}`;
  return { rig, client, image: 'ocp_4.20_cli', lines, metrics };
}

function tasksIn(answer: unknown): readonly ShownTask[] {
  const lists = Object.values(answer as object).filter((value) => Array.isArray(value));
  return (lists[0] ?? []) as readonly ShownTask[];
}

/** What the mirror’s queue waits for. */
export const mirrorFailures: readonly Failure[] = [
  {
    name: 'parked task: the destination refuses the push',
    next: 'correct what the reason says, then `POST /api/v1/mirrors/retry`',
    async play(t) {
      const rig = await mirrorRig(t);
      rig.double.switches.status = { of: 'uploads', code: 403, error: 'DENIED' };
      await ordered(rig, '', { source, destination });
      const lines = ['Failed to mirror even with retries'];
      return parked(rig, lines, [
        'quayside_upstream_requests_total{upstream="quay.io",kind="upload",status="403"}',
      ]);
    },
  },
  {
    name: 'held destination',
    next: 'nothing while the hold is wanted; else `quayside mirror release DESTINATION`',
    async play(t) {
      const rig = await mirrorRig(t);
      await ordered(rig, '/hold', { destination, why: 'revert of 4.20 cli' });
      await ordered(rig, '', { source, destination });
      return parked(rig, ['Held by an operator, skipping mirror'], []);
    },
  },
];
