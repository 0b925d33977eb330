import { test } from 'tap';
import { until } from '../support/bodies.ts';
import { machinesRig, type RigWorker } from './machines.ts';

const leads = (worker: RigWorker): boolean => worker.logText().includes('acquired the mirror lease');

async function total({ service }: RigWorker, order?: object): Promise<{ status: number; text: string }> {
  const url = `http://${service.adminAddress}/api/v1/mirrors?action=summarize&state=all`;
  const headers = { 'content-type': 'application/json' };
  const answer = await (order === undefined
    ? fetch(url)
    : fetch(url.replace(/\?.*/, ''), { method: 'POST', headers, body: JSON.stringify(order) }));
  return { status: answer.status, text: await answer.text() };
}

test('of the workers of two machines one mirrors, and all lead to it', async (t) => {
  const store = { filesystem: { path: t.testdir() } };
  const mirror = { misses: { onMiss: 'off' } };
  const settings = { store, mirror, admin: { listen: '127.0.0.1:0' } };
  // Each machine is known by the port of its first worker; the second one is on duty.
  const { machines, all } = await machinesRig(t, { machines: 2, onDuty: 2, settings });
  await until(() => all.some(leads));
  t.equal(all.filter(leads).length, 1);
  const onDuty = machines.map(([, second]) => second);
  t.ok(onDuty.some((worker) => worker !== undefined && leads(worker)));
  const [other] = onDuty.filter((worker) => worker !== undefined && !leads(worker));
  if (other === undefined) throw new Error('a worker that waits');
  await until(async () => (await total(other)).text === '{"total":0}\n', 'the leader is known');
  const source = 'quay.io/team/app:v1';
  t.equal((await total(other, { source, destination: 'quay.io/team/copy:v1' })).status, 202);
  await until(async () => (await total(other)).text === '{"total":1}\n', 'the queue of the leader');
});
