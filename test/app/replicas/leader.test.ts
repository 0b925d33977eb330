import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { until } from '../../support/bodies.ts';
import { freePort } from '../../support/program.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { type ServiceRig, serviceRig } from '../../support/service.ts';

const ci = 'openshift/ci';
const acquired = 'acquired the mirror lease; this process copies now';

/** Two replicas over one store that know each other; the first one to start mirrors. */
async function replicas(t: Test) {
  const [qci, source] = await Promise.all([registryDouble(), registryDouble()]);
  const directory = await mkdtemp(join(tmpdir(), 'quayside-leader-'));
  const keyFile = join(directory, 'fleet-key');
  await writeFile(keyFile, 'the key that both replicas of the fleet share');
  const addresses = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  t.teardown(async () => {
    await Promise.all([qci.close(), source.close()]);
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const upstream = ({ url }: typeof qci) => ({ url, allowPrivateAddresses: true, retries: 0 });
  const begin = (index: number): Promise<ServiceRig> =>
    serviceRig(t, {
      ...{ double: qci, directory },
      settings: {
        mirror: { listen: '127.0.0.1:0' },
        upstreams: { 'quay.io': upstream(qci), 'registry.ci.openshift.org': upstream(source) },
        fleet: { listen: addresses[index], keyFile, addresses },
      },
    });
  return { source, begin };
}

const leads = ({ log }: ServiceRig): boolean => log.some(({ msg }) => msg === acquired);

async function asked({ service }: ServiceRig, path = '', method = 'GET', body?: object) {
  const answer = await fetch(`http://${service.adminAddress}/api/v1/mirrors${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: answer.status, text: await answer.text() };
}

const all = '?action=show&state=all&limit=10';

test('what the API of a replica is asked, the one that mirrors answers', async (t) => {
  const { source, begin } = await replicas(t);
  source.switches.status = { of: 'manifests', code: 403 };
  const leader = await begin(0);
  await until(() => leads(leader));
  const follower = await begin(1);
  await until(async () => (await asked(follower)).status === 200);
  const order = { source: 'registry.ci.openshift.org/ci/a:latest', destination: `quay.io/${ci}:ci_a_latest` };
  t.equal((await asked(follower, '', 'POST', order)).status, 202);
  await until(async () => (await asked(leader, '?state=parked')).text === '{"total":1}\n');
  t.same(await asked(follower, all), await asked(leader, all));
  const page = await fetch(`http://${follower.service.mirrorAddress}/api/v1/mirrors?state=parked`);
  t.equal(await page.text(), '{"total":1}\n', 'also on the port of the predecessor');
  t.equal((await asked(follower, '/retry', 'POST')).text, '{"retried":1}\n');
  await until(async () => (await asked(leader, '?state=parked')).text === '{"total":1}\n');
  const dropped = `?destination=${order.destination}`;
  t.equal((await asked(follower, dropped, 'DELETE')).text, '{"dropped":1}\n');
  t.equal((await asked(follower, dropped, 'DELETE')).status, 404);
  t.notMatch(leader.logText(), /"operator":/, 'the replica that was asked let the caller in');
  t.match(follower.logText(), /"operator":"local","verb":"delete"/);
});

test('a replica that is told to stop is followed while it still serves', async (t) => {
  const { begin } = await replicas(t);
  const first = await begin(0);
  await until(() => leads(first));
  const second = await begin(1);
  await until(async () => /quayside_fleet_members 2/.test(await first.metrics()));
  t.notOk(leads(second));
  first.service.leave();
  await until(() => leads(second));
  t.equal((await fetch(`${first.url}/v2/`)).status, 200);
  await until(async () => (await asked(second)).status === 200, 'the queue is loaded');
});
