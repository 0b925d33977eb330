import { createTokens } from '../../src/auth/tokens/token.ts';
import { parseTokenKeys } from '../../src/auth/tokens/token-keys.ts';
import { badDay } from '../bad-days/rig.ts';
import { accessRig, ciHost } from '../support/access-rig.ts';
import { type Failure, patient, toldBy } from './failure.ts';

const requestId = 'pull-1';
const idLine = `X-Request-Id: ${requestId}`;
const alice = 'sha256~alices-token';
const refused = (status: number) => `quayside_requests_total{kind="manifest",status="${status}"}`;

/** The secret of the rig, whose tokens could have been issued an hour ago. */
const secret = 'a secret of the test, of thirty-two bytes or more';

async function tokenOfYesterday(): Promise<string> {
  const keys = parseTokenKeys([secret]);
  const now = () => Date.now() - 86_400_000;
  const tokens = createTokens({ keys: () => keys, audience: ciHost, validitySeconds: 300, now });
  return (await tokens.issue({ name: 'alice', groups: [] }, [])).token;
}

/** What Quayside itself refuses. */
export const accessFailures: readonly Failure[] = [
  {
    name: 'repository that is not allowed here',
    next: 'add it to `upstreams.<name>.repositories`',
    async play(t) {
      const rig = await badDay(t, { ...patient, upstream: { repositories: ['other/*'] } });
      const client = await toldBy(
        await rig.get('manifests/tools', { headers: { 'x-request-id': requestId } }),
      );
      return { rig, client, requestId, metrics: [refused(404)] };
    },
  },
  {
    name: 'mistyped registry in the path',
    next: 'correct the reference in the client, or add the registry to `upstreams`',
    async play(t) {
      const rig = await badDay(t, { ...patient, settings: { defaultUpstream: 'quay.io' } });
      const url = `${rig.url}/v2/quya.io/openshift/ci/manifests/tools`;
      const client = await toldBy(await fetch(url, { headers: { 'x-request-id': requestId } }));
      return { rig, client, requestId, metrics: [refused(404)] };
    },
  },
  {
    name: 'denied by the rule of the host',
    next: 'give the subject the role in the message: `question` is what the cluster was asked',
    async play(t) {
      const rig = await accessRig(t, { ...patient, people: { users: { [alice]: { username: 'alice' } } } });
      rig.double.addImage('openshift/ci', 'ocp_4.20_cli');
      const token = await rig.login(alice);
      const client = await toldBy(await rig.get('/v2/openshift/ci/manifests/ocp_4.20_cli', token, idLine));
      return {
        rig,
        client,
        requestId,
        metrics: [refused(403), 'quayside_access_refused_total{reason="rights"}'],
      };
    },
  },
  {
    name: 'expired token',
    next: 'nothing: clients fetch a new one; else the clocks of the replicas differ',
    async play(t) {
      const rig = await accessRig(t, { ...patient, people: { users: { [alice]: { username: 'alice' } } } });
      const path = '/v2/openshift/ci/manifests/ocp_4.20_cli';
      const client = await toldBy(await rig.get(path, await tokenOfYesterday(), idLine));
      return {
        rig,
        client,
        requestId,
        metrics: [refused(401), 'quayside_access_refused_total{reason="credential"}'],
      };
    },
  },
];
