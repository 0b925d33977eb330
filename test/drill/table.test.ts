import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'tap';
import { drills } from '../../src/drill/table/table.ts';
import { listening } from '../support/listening.ts';

test('each drill of the cluster brings a login that must be asked about', async (t) => {
  const server = createServer((_request, response) => response.end());
  const { host, close } = await listening(server);
  t.teardown(close);
  const logins = new Set<string | undefined>();
  const ofCluster = drills.filter(({ layer }) => layer === 'cluster');
  for (const { start } of ofCluster) {
    const asked = once(server, 'request');
    const cluster = { set: () => undefined, met: () => 1 };
    const force = await start({ cluster, door: `http://${host}` } as unknown as Parameters<typeof start>[0]);
    const [request] = await asked;
    await force.end();
    logins.add(request.headers.authorization);
  }
  t.equal(logins.size, ofCluster.length);
  t.ok([...logins].every((login) => login?.startsWith('Bearer drill-')));
});
