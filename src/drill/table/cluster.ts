import { randomBytes } from 'node:crypto';
import { hasSlept } from '../../base/time/wait.ts';
import type { HttpFault } from '../fronts/faults.ts';
import { frontFault } from './front-fault.ts';
import type { Drill } from './table.ts';

function clusterDrill(
  name: string,
  fault: string,
  trouble: HttpFault,
  row: Pick<Drill, 'conditions' | 'alerts'>,
): Drill {
  return {
    name: `cluster-${name}`,
    layer: 'cluster',
    fault,
    async start({ cluster, door }) {
      const force = frontFault(cluster, trouble);
      const ending = new AbortController();
      const logins = newLogins(door, ending.signal);
      return {
        ...force,
        async end() {
          ending.abort();
          await logins;
          force.end();
        },
      };
    },
    ...row,
  };
}

/** Pulls with logins that are new: for others the fleet need not ask the API server. */
async function newLogins(door: string, signal: AbortSignal): Promise<void> {
  do {
    const authorization = `Bearer drill-${randomBytes(20).toString('hex')}`;
    const asked = {
      headers: { authorization },
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    };
    void fetch(`${door}/v2/warm/image-0/manifests/latest`, asked).then(
      (answer) => answer.body?.cancel(),
      () => undefined,
    );
  } while (await hasSlept(1_000, signal));
}

const forbidden = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code: 403,
  reason: 'Forbidden',
});
const refuses: HttpFault = {
  kind: 'status',
  answer: { status: 403, headers: { 'content-type': 'application/json' }, body: forbidden },
};

const down = { conditions: ['ClusterReachable'], alerts: ['QuaysideClusterDown', 'QuaysideReviewsFailing'] };

/** What an API server does. The clients have a login that it accepted before: no pull may fail. */
export const clusterDrills: readonly Drill[] = [
  clusterDrill('dead', 'the API server resets every connection', { kind: 'dead' }, down),
  clusterDrill('silent', 'the API server accepts connections, and answers nothing', { kind: 'silent' }, down),
  clusterDrill('403', 'the API server answers 403', refuses, down),
  clusterDrill(
    'slow',
    'the API server answers after 2 s',
    { kind: 'slow', headMs: 2_000 },
    { conditions: [], alerts: [] },
  ),
];
