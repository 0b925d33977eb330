import type { HttpFault } from '../fronts/faults.ts';
import { type DrillRow, frontFault, isBlobRead } from './front-fault.ts';
import type { Drill } from './table.ts';

const isManifest = (_method: string, path: string): boolean => path.includes('/manifests/');

/** A manifest of the registry in place of each other one. */
const anotherImage = '/v2/warm/image-0/manifests/latest';

const answers = (status: number, headers: Readonly<Record<string, string>> = {}): HttpFault => ({
  kind: 'status',
  answer: { status, headers: { 'content-type': 'text/html', ...headers }, body: '<html>drill</html>' },
});

function upstreamDrill(name: string, fault: string, trouble: HttpFault, row: DrillRow): Drill {
  return {
    name: `upstream-${name}`,
    layer: 'upstream',
    fault,
    excuses: 'cold',
    takesOther: true,
    start: async ({ upstream }) => frontFault(upstream, trouble),
    ...row,
  };
}

const down = { conditions: ['UpstreamReachable'], alerts: ['QuaysideUpstreamDown'] };
const wrong = { conditions: [], alerts: ['QuaysideWrongContent'] };

/** What registries do to those who pull. */
export const upstreamDrills: readonly Drill[] = [
  upstreamDrill('dead', 'the registry resets every connection', { kind: 'dead' }, { ...down, isShort: true }),
  upstreamDrill('silent', 'the registry accepts connections, and answers nothing', { kind: 'silent' }, down),
  upstreamDrill(
    'slow',
    'the registry answers after 1.5 s, and sends 200 kB/s',
    { kind: 'slow', headMs: 1_500, bytesPerSecond: 200_000 },
    { conditions: [], alerts: [], excuses: 'none' },
  ),
  upstreamDrill('429', 'the registry answers 429, and Retry-After: 2', answers(429, { 'retry-after': '2' }), {
    conditions: [],
    alerts: ['QuaysideUpstreamThrottles'],
  }),
  upstreamDrill('5xx', 'the registry answers 503', answers(503), {
    ...down,
    alerts: [...down.alerts, 'QuaysideErrorBudgetFast', 'QuaysideErrorBudgetSlow'],
  }),
  upstreamDrill(
    'cut',
    'the registry resets the connection after half of each blob',
    { kind: 'cut', meets: isBlobRead },
    { conditions: [], alerts: ['QuaysideFillsFailing'] },
  ),
  upstreamDrill(
    'wrong-bytes',
    'the registry sends blobs with wrong bytes',
    { kind: 'garbled', meets: isBlobRead },
    { ...wrong, isShort: true },
  ),
  upstreamDrill(
    'swapped-tag',
    'the registry sends another manifest, and says that it is the one asked for',
    { kind: 'swapped', meets: isManifest, instead: () => anotherImage },
    wrong,
  ),
  {
    name: 'upstream-expired-certificate',
    layer: 'upstream',
    fault: 'the certificate of the registry has expired',
    excuses: 'cold',
    takesOther: true,
    async start({ upstream, certificates }) {
      upstream.certify(certificates.expired);
      return { end: () => upstream.certify(certificates.good), met: () => upstream.met() };
    },
    ...down,
  },
];
