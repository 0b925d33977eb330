import { type Test, test } from 'tap';
import type { Condition, ConditionReport } from '../../src/conditions/condition.ts';
import { createConfigMapPublisher } from '../../src/conditions/config-map.ts';
import { mergedData, type ReplicaEntry } from '../../src/conditions/config-map-data.ts';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { objectDouble } from '../support/object-double.ts';

const minuteMs = 60_000;
const at = (ms: number): string => new Date(ms).toISOString();

function conditions(available: Condition['status'], degraded: Condition['status']): Condition[] {
  const rest = { reason: 'Ready', message: '', lastTransitionTime: 0 };
  return [
    { type: 'Available', status: available, ...rest },
    { type: 'Progressing', status: 'False', ...rest },
    { type: 'Degraded', status: degraded, ...rest },
  ];
}

const well: ConditionReport = { conditions: conditions('True', 'False'), parts: [] };

async function stage(t: Test) {
  const api = await objectDouble(t);
  const clock = createManualClock();
  const failures: unknown[] = [];
  const publisher = (replica: string, client: KubernetesClient = api.client) =>
    createConfigMapPublisher({
      client,
      namespace: 'quayside',
      name: 'quayside-status',
      replica,
      failed: (error) => failures.push(error),
      worked: () => failures.push('worked'),
      clock,
      wall: () => clock.now(),
    });
  const data = () => api.configMaps.get('quayside-status')?.data ?? {};
  return { api, clock, failures, publisher, data };
}

test('replicas share one ConfigMap, and its keys sum them up', async (t) => {
  const { api, clock, publisher, data, failures } = await stage(t);
  const [one, two] = [publisher('pod-1'), publisher('pod-2')];
  one.publish(well, []);
  await clock.pass(1_000);
  await until(() => data()['Available'] === 'True');
  two.publish({ conditions: conditions('False', 'True'), parts: [] }, []);
  api.switches.conflicts = 2;
  await clock.pass(1_000);
  await until(() => data()['Degraded'] === 'True');
  t.match(data(), { Available: 'True', Progressing: 'False', Degraded: 'True' });
  t.same(
    Object.keys(data()).filter((key) => key.startsWith('replica.')),
    ['replica.pod-1', 'replica.pod-2'],
  );
  t.match(JSON.parse(data()['replica.pod-2'] ?? ''), {
    conditions: [{ type: 'Available', status: 'False' }],
  });
  t.ok(data()['theirs'], 'what others wrote is kept');
  await two.close();
  t.match(data(), { Degraded: 'False' }, 'one that stopped no longer counts');
  await one.close();
  t.match(data(), { Available: 'True' }, 'the last one that stopped still does');
  t.same(failures, []);
});

test('changes are gathered, and without any it is written again after 5 minutes', async (t) => {
  const { api, clock, publisher } = await stage(t);
  const one = publisher('pod-1');
  const writes = () => api.requests.filter((line) => !line.startsWith('GET')).length;
  for (let count = 0; count < 20; count += 1) one.publish(well, []);
  await clock.pass(1_000);
  await until(() => writes() === 1 && clock.running === 1);
  await clock.pass(5 * minuteMs);
  await until(() => writes() === 2);
  await one.close();
});

test('what changes during a write is written next, and changes in a row put no write off', async (t) => {
  const { api, clock, publisher, data } = await stage(t);
  const held: PromiseWithResolvers<void>[] = [];
  const { text } = api.client;
  const slow: KubernetesClient = {
    ...api.client,
    async text(ask) {
      const gate = Promise.withResolvers<void>();
      held.push(gate);
      await gate.promise;
      return text(ask);
    },
  };
  const one = publisher('pod-1', slow);
  one.publish({ conditions: conditions('False', 'True'), parts: [] }, []);
  await clock.pass(1_000);
  await until(() => held.length === 1);
  one.publish(well, []);
  held[0]?.resolve();
  await until(() => data()['Available'] === 'False');
  await clock.pass(700);
  one.publish(well, []);
  await clock.pass(700);
  await until(() => held.length === 2);
  held[1]?.resolve();
  await until(() => data()['Available'] === 'True');
  const end = one.close();
  await until(() => held.length === 3);
  held[2]?.resolve();
  await end;
});

test('a refusal is told once, and tried again', async (t) => {
  const { api, clock, publisher, failures, data } = await stage(t);
  const one = publisher('pod-1');
  api.switches.answersStatus = 403;
  one.publish(well, []);
  await clock.pass(1_000);
  await until(() => failures.length === 1 && clock.running === 1);
  api.switches.answersStatus = undefined;
  await clock.pass(minuteMs / 2);
  await until(() => data()['Available'] === 'True');
  await one.close();
  t.match(failures, [{ status: 403 }, 'worked']);
});

test('a replica that writes no more is dropped after 15 minutes, unless it is the only one', (t) => {
  const entry = (
    writtenAt: number,
    available: Condition['status'],
  ): ReplicaEntry & { conditions: unknown } => ({
    writtenAt: at(writtenAt),
    conditions: conditions(available, 'False'),
  });
  const first = mergedData({}, 'pod-1', entry(0, 'False'), 0);
  t.equal(first['Available'], 'False');
  const soon = mergedData(first, 'pod 2', entry(14 * minuteMs, 'True'), 14 * minuteMs);
  t.same(Object.keys(soon), ['Available', 'Progressing', 'Degraded', 'replica.pod-1', 'replica.pod_2']);
  const later = mergedData(soon, 'pod 2', entry(16 * minuteMs, 'Unknown'), 16 * minuteMs);
  t.same(Object.keys(later), ['Available', 'Progressing', 'Degraded', 'replica.pod_2']);
  t.equal(later['Available'], 'Unknown');
  const ahead = mergedData(first, 'pod-2', entry(99 * minuteMs, 'True'), 99 * minuteMs);
  t.equal(
    mergedData(ahead, 'pod-1', entry(minuteMs, 'False'), minuteMs)['Available'],
    'False',
    'one whose clock was ahead is not believed until then',
  );
  t.match(mergedData({ 'replica.x': 'no JSON' }, 'y', entry(0, 'True'), 0), { Available: 'True' });
  t.end();
});

test('many replicas with much to say fit into one ConfigMap', (t) => {
  const parts = Array.from({ length: 60 }, (_, index) => ({ type: `T${index}`, message: 'x'.repeat(500) }));
  const entry = { writtenAt: at(0), conditions: conditions('True', 'True'), parts };
  let data = {};
  for (let index = 0; index < 100; index += 1) data = mergedData(data, `pod-${index}`, entry, 0);
  t.ok(JSON.stringify(data).length < 1024 * 1024);
  t.equal(Object.keys(data).length, 103);
  t.match(data, { Available: 'True', Degraded: 'True' });
  t.end();
});
