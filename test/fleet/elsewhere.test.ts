import { test } from 'tap';
import { leadsBack } from '../../src/fleet/elsewhere.ts';
import { isWorker, workerName } from '../../src/fleet/members/worker-names.ts';

test('a replica is never taken for a worker, whatever its host is called', async (t) => {
  t.ok(isWorker(workerName(12)));
  for (const name of ['worker-1:8402', 'worker-1.quayside.svc:8402', '10.0.0.7:8402', '[fd00::7]:8402'])
    t.notOk(isWorker(name), name);
});

test('workers get what follows a replica, and neither they nor replicas what may follow them', async (t) => {
  t.notOk(leadsBack('workers', '10.0.0.7:8402'));
  t.ok(leadsBack('workers', workerName(2)));
  t.ok(leadsBack('replicas', '10.0.0.7:8402'));
  t.ok(leadsBack('replicas', workerName(2)));
});
