import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ratiosOf, type Spread } from '../../src/load/report/spread.ts';
import { acceptManifests } from '../../src/oci/manifest.ts';
import { type ClusterDouble, clusterDouble } from '../../test/support/cluster-double.ts';
import type { Lab } from '../lab.ts';
import type { LatencyAnswer, LatencyQuestion } from '../load/latency-process.ts';
import { lookUp } from '../load/look-up.ts';
import type { Measure, Scenario, Target } from '../scenario.ts';
import { type OldWay, oldWay } from '../servers/old-way.ts';
import type { Server } from '../servers/server.ts';
import { worker } from '../servers/worker.ts';
import { median } from '../statistics.ts';
import { warmed, withFresh } from './started.ts';

const openHost = 'open.bench';
const guardedHost = 'guarded.bench';
const pulls = 1000;
const headConnections = 200;
const headsPerSecond = 2000;

/** The cost of authentication and authorization. */
export const access: Scenario = {
  name: 'access',
  title: 'Cluster login',
  async run(lab) {
    const directory = await mkdtemp(join(tmpdir(), 'quayside-bench-access-'));
    const cluster = await clusterDouble();
    cluster.users.set('sha256~bench', { username: 'bench', groups: ['benchers'] });
    cluster.bindings.push({ to: 'benchers', namespace: 'bench', name: 'v1' });
    const old = await oldWay(lab.upstream);
    try {
      const settings = settingsFor(await cluster.kubeconfig(directory));
      const found = await withFresh(lab, 'quayside', (server) => measured(lab, server, cluster, old), {
        settings,
      });
      if (found === undefined) throw new Error('quayside did not start');
      return found;
    } finally {
      await old.close();
      await cluster.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

/**
 * One process under two names, so that nothing differs but the login. Rights hang on the tag, which
 * is the dearer way for digests.
 */
function settingsFor(kubeconfigFile: string): Readonly<Record<string, unknown>> {
  return {
    clusters: { bench: { kubeconfigFile } },
    rules: {
      bench: [
        {
          name: 'tag',
          repositories: 'origin/bench/.+',
          tags: '(?<tag>v[0-9]+)',
          ask: { namespace: 'bench', name: '$<tag>' },
        },
        { name: 'everything', repositories: '.+', ask: { namespace: '' } },
      ],
    },
    hosts: { '*': {}, [openHost]: {}, [guardedHost]: { auth: 'cluster', access: 'bench' } },
  };
}

async function measured(lab: Lab, server: Server, cluster: ClusterDouble, old: OldWay) {
  const { byTag, byDigest } = lab.offer.manifest;
  const { digest } = lab.offer.image.root.descriptor;
  await warmed(lab, server, byDigest, digest);
  await warmed(lab, server, byTag, digest);
  const authorization = `Bearer ${await tokenOf(server.origin)}`;
  const reviews = await reviewsOf(lab, server, cluster, authorization);
  const tags = await pairOf(lab, server, byTag, authorization);
  const digests = await pairOf(lab, server, byDigest, authorization);
  lab.say(`${headsPerSecond} authorised HEADs a second over ${headConnections} connections`);
  const p99 = await p99Of(lab, server, byTag, authorization);
  const calls = await old.callsPerRequest(byDigest);
  const measures: readonly Measure[] = [
    { what: 'GET by tag, no login', unit: 'requests/s', values: { quayside: tags.open } },
    { what: 'GET by tag, authorised', unit: 'requests/s', values: { quayside: tags.guarded } },
    { what: 'GET by digest, no login', unit: 'requests/s', values: { quayside: digests.open } },
    { what: 'GET by digest, authorised', unit: 'requests/s', values: { quayside: digests.guarded } },
    { what: 'authorised HEAD by tag, p99', unit: 'ms', values: { quayside: p99 } },
    { what: `reviews for ${pulls} pulls of one subject`, unit: 'calls', values: { quayside: reviews.asked } },
    { what: 'upstream calls for each of them', unit: 'calls', values: { quayside: reviews.upstream } },
    { what: 'upstream calls for each request, the old way', unit: 'calls', values: { upstream: calls } },
  ];
  const targets: readonly Target[] = [
    {
      what: 'GET by tag, authorised: × no login',
      ...relative(tags),
      sense: 'at least',
      bound: 0.8,
      unit: '×',
    },
    {
      what: 'GET by digest, authorised: × no login',
      ...relative(digests),
      sense: 'at least',
      bound: 0.8,
      unit: '×',
    },
    { what: 'authorised HEAD by tag, p99', value: p99, sense: 'at most', bound: 5, unit: 'ms' },
    {
      what: `reviews for ${pulls} pulls of one subject`,
      value: reviews.asked,
      sense: 'at most',
      bound: 2,
      unit: 'calls',
    },
    {
      what: 'upstream calls for a hot request',
      value: reviews.upstream,
      sense: 'at most',
      bound: 0,
      unit: 'calls',
    },
    {
      what: 'upstream calls for a request, the old way',
      value: calls,
      sense: 'at least',
      bound: 1,
      unit: 'calls',
    },
  ];
  return {
    measures,
    targets,
    notes: [
      'One process under two host names, asked in turn; the rule hangs on the tag, so a digest is allowed by what leads to it.',
      `p99 counts from the moment a request was due, ${headsPerSecond} a second over ${headConnections} connections, clients on the same cores.`,
      'The old way: a stand-in of ours that asks the upstream whether its own token still holds before it forwards each request.',
    ],
  };
}

async function tokenOf(origin: string): Promise<string> {
  const basic = Buffer.from('anybody:sha256~bench').toString('base64');
  const answer = await lookUp(`${origin}/v2/auth?scope=repository:bench/image:pull`, {
    host: guardedHost,
    authorization: `Basic ${basic}`,
  });
  const { token } = JSON.parse(answer) as { readonly token: string };
  return token;
}

/**
 * Pulls by tag, by digest and of a blob, one after the other, as one subject who is new to the
 * process.
 */
async function reviewsOf(
  lab: Lab,
  server: Server,
  cluster: ClusterDouble,
  authorization: string,
): Promise<{ readonly asked: number; readonly upstream: number }> {
  const { byTag, byDigest } = lab.offer.manifest;
  await lab.forget();
  for (let pull = 0; pull < pulls; pull += 1) {
    const path = pull % 2 === 0 ? byTag : byDigest;
    await lookUp(`${server.origin}${path}`, { host: guardedHost, authorization, accept: acceptManifests });
  }
  const { requests } = await lab.traffic();
  return { asked: cluster.requests.length, upstream: requests / pulls };
}

async function pairOf(lab: Lab, { origin }: Server, path: string, authorization: string) {
  lab.say(`GET ${path.includes('sha256') ? 'by digest' : 'by tag'}, with a login and without, in turn`);
  const question = {
    origin,
    path,
    method: 'GET',
    connections: 16,
    durationMs: lab.form.isSmall ? 2000 : 3000,
  } as const;
  const rate = (headers: Readonly<Record<string, string>>) =>
    lab.requests.perSecond({ ...question, headers: { accept: acceptManifests, ...headers } });
  const open: number[] = [];
  const guarded: number[] = [];
  await rate({ host: openHost });
  for (let round = 0; round < 3; round += 1) {
    open.push(await rate({ host: openHost }));
    guarded.push(await rate({ host: guardedHost, authorization }));
  }
  return { open: median(open), guarded: median(guarded), ratios: ratiosOf(guarded, open) };
}

/** The part of a target that says how much of the speed is left, with its spread. */
function relative({ ratios }: { readonly ratios: Spread | undefined }): Pick<Target, 'value' | 'spread'> {
  return { value: ratios?.median, ...(ratios === undefined ? {} : { spread: ratios }) };
}

async function p99Of(lab: Lab, { origin }: Server, path: string, authorization: string): Promise<number> {
  const clients = worker<LatencyQuestion, LatencyAnswer>(
    new URL('../load/latency-process.ts', import.meta.url),
  );
  const headers = { host: guardedHost, authorization, accept: acceptManifests };
  const question = { origin, path, headers, connections: headConnections, perSecond: headsPerSecond };
  try {
    await clients.ask({ ...question, durationMs: 1000 });
    const { latenciesMs, failures } = await clients.ask({
      ...question,
      durationMs: lab.form.isSmall ? 4000 : 10_000,
    });
    if (failures > 0) throw new Error(`${failures} of ${latenciesMs.length + failures} HEADs failed`);
    return latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? Number.NaN;
  } finally {
    clients.close();
  }
}
