import type { Test } from 'tap';
import { badDay, digestOrCut } from '../bad-days/rig.ts';
import { testAuthority } from '../support/certificates.ts';
import { registryDouble } from '../support/registry-double.ts';
import type { Misbehaviours } from '../support/registry-misbehaviours.ts';
import type { ServiceRigOptions } from '../support/service.ts';
import { type Failure, type Played, patient, toldBy } from './failure.ts';

const requestId = 'pull-1';
const init = { headers: { 'x-request-id': requestId } };
const failedRequest = (kind: string, status: number) =>
  `quayside_requests_total{kind="${kind}",status="${status}"}`;
const askedUpstream = (kind: string, status: number) =>
  `quayside_upstream_requests_total{upstream="quay.io",kind="${kind}",status="${status}"}`;

/** A pull of a manifest from an upstream that is set up so, and behaves so. */
function manifest(
  switches: Misbehaviours,
  metrics: readonly string[],
  options: ServiceRigOptions = {},
): (t: Test) => Promise<Played> {
  return async (t) => {
    const rig = await badDay(t, { ...patient, ...options, upstream: { retries: 0, ...options.upstream } });
    Object.assign(rig.double.switches, switches);
    return { rig, requestId, metrics, client: await toldBy(await rig.get('manifests/tools', init)) };
  };
}

const brokenAfterwards = { of: 'blobs', code: 502, error: 'UNKNOWN' } as const;

/** A pull of a layer that breaks within its body. */
function cutLayer(switches: Misbehaviours, metrics: readonly string[]): (t: Test) => Promise<Played> {
  return async (t) => {
    const rig = await badDay(t, { ...patient, upstream: { retries: 0 } });
    const { status, ...first } = switches;
    Object.assign(rig.double.switches, first);
    const answer = await rig.getLayer(init);
    // Whatever resumes the body.
    if (status !== undefined) rig.double.switches.status = status;
    if ((await digestOrCut(answer)) !== 'cut') throw new Error('the layer came whole');
    const client = `**${answer.status}**, and the connection is closed within the body`;
    const lines = ['a download was not stored'];
    return { rig, requestId, omits: 'upstreamSaid', metrics, client, lines };
  };
}

/** What upstreams do. */
export const upstreamFailures: readonly Failure[] = [
  {
    name: 'unknown tag',
    next: 'check the tag at the registry itself; a new one is found after `tags.negativeMs`',
    async play(t) {
      const rig = await badDay(t, patient);
      const client = await toldBy(await rig.get('manifests/no-such-tag', init));
      return {
        rig,
        client,
        requestId,
        metrics: [failedRequest('manifest', 404), askedUpstream('manifest', 404)],
      };
    },
  },
  {
    name: 'upstream answers 401',
    next: 'set or correct `upstreams.<name>.credentials`; `config check --deep` tries them',
    play: manifest({ status: { of: 'manifests', code: 401, error: 'UNAUTHORIZED' } }, [
      failedRequest('manifest', 403),
      askedUpstream('manifest', 401),
    ]),
  },
  {
    name: 'upstream answers 403',
    next: 'give the robot of `upstreams.<name>.credentials` the right to read the repository',
    play: manifest({ status: { of: 'manifests', code: 403, error: 'DENIED' } }, [
      failedRequest('manifest', 403),
      askedUpstream('manifest', 403),
    ]),
  },
  {
    name: 'upstream answers 429',
    next: 'nothing at once: clients go on; else raise the quota there, or set `requestsPerSecond`',
    play: manifest({ status: { of: 'manifests', code: 429, error: 'TOOMANYREQUESTS' }, retryAfter: '60' }, [
      failedRequest('manifest', 503),
      askedUpstream('manifest', 429),
    ]),
  },
  {
    name: 'upstream answers 500',
    next: 'look at the status page of the upstream: `upstreamSaid` has its own words',
    play: manifest({ status: { of: 'manifests', code: 500, error: 'UNKNOWN' } }, [
      failedRequest('manifest', 503),
      askedUpstream('manifest', 500),
    ]),
  },
  {
    name: 'upstream hangs',
    next: 'look at the way to the upstream (firewall, proxy), then at its status page',
    play: manifest({ delayMs: 60_000 }, [failedRequest('manifest', 503), askedUpstream('manifest', 0)], {
      upstream: { manifestTimeoutMs: '1s' },
    }),
  },
  {
    name: 'host name of the upstream does not resolve',
    next: 'check `upstreams.<name>.url` and the DNS of the pod',
    play: manifest({}, [failedRequest('manifest', 503), askedUpstream('manifest', 0)], {
      // No name server is asked for a label that is too long.
      upstream: { url: `http://${'a'.repeat(64)}.test` },
    }),
  },
  {
    name: 'upstream refuses the connection',
    next: 'check `upstreams.<name>.url`, `proxy` and firewalls',
    async play(t) {
      const gone = await registryDouble();
      await gone.close();
      const metrics = [failedRequest('manifest', 503), askedUpstream('manifest', 0)];
      return manifest({}, metrics, { upstream: { url: gone.url } })(t);
    },
  },
  {
    name: 'certificate of the upstream by an unknown authority',
    next: 'put the PEM of its authority into `upstreams.<name>.caFile`',
    async play(t) {
      const double = await registryDouble({ tls: testAuthority().issued() });
      t.teardown(() => double.close());
      return manifest({}, [failedRequest('manifest', 503), askedUpstream('manifest', 0)], { double })(t);
    },
  },
  {
    name: 'upstream answers with a HTML page',
    next: 'a portal, a proxy or a login page is in between: `upstreamSaid` has its title; check `url`, `proxy`',
    play: manifest({ answersHtml: true }, [failedRequest('manifest', 502), askedUpstream('manifest', 200)]),
  },
  {
    name: 'open circuit breaker of the upstream',
    next: 'correct what the last answer or error in the message says; it is asked again after `openMs`',
    async play(t) {
      const breaker = { failures: 1, openMs: '100s' };
      const rig = await badDay(t, { ...patient, upstream: { retries: 0, breaker } });
      rig.double.switches.status = { of: 'everything', code: 503 };
      const isOpen = async () =>
        (await (await rig.get('manifests/tools')).text()).includes('circuit breaker');
      while (!(await isOpen()));
      const client = await toldBy(await rig.get('manifests/tools', init));
      const open = 'quayside_upstream_breaker_state{upstream="quay.io",state="open"}';
      const steady = client.replace(/Retry-After: \d+/, 'Retry-After: N').replace(/in \d+ s/, 'in N s');
      const metrics = [failedRequest('manifest', 503), open];
      return { rig, client: steady, requestId, metrics };
    },
  },
  {
    name: 'upstream has no such blob (404)',
    next: 'the manifest there lists a blob that is gone: push the image again',
    async play(t) {
      const rig = await badDay(t, patient);
      await rig.get('manifests/tools');
      rig.double.switches.status = { of: 'blobs', code: 404, error: 'BLOB_UNKNOWN' };
      const client = await toldBy(await rig.getLayer(init));
      return { rig, client, requestId, metrics: [failedRequest('blob', 404), askedUpstream('blob', 404)] };
    },
  },
  {
    name: 'upstream cuts a blob',
    next: 'look at the way to the upstream; manifests above it are 503 for `withholdMs`, so that clients go on',
    play: cutLayer({ dropsAfter: { bytes: 100_000, times: 1 }, status: brokenAfterwards }, [
      failedRequest('blob', 503),
      'quayside_fills_total{outcome="failed"}',
    ]),
  },
  {
    name: 'upstream sends other bytes than the digest names',
    next: 'the blob is broken at the upstream or on the way: push the image again, look at proxies in between',
    play: cutLayer({ servesWrongBytes: true }, [
      failedRequest('blob', 502),
      'quayside_fills_total{outcome="failed"}',
    ]),
  },
];
