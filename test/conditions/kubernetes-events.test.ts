import { test } from 'tap';
import type { Condition } from '../../src/conditions/condition.ts';
import { createEventPublisher } from '../../src/conditions/kubernetes-events.ts';
import { objectDouble } from '../support/object-double.ts';

const condition = (fields: Partial<Condition>): Condition => ({
  type: 'Available',
  status: 'True',
  reason: 'Ready',
  message: 'the registry is ready',
  lastTransitionTime: 0,
  ...fields,
});
const nothing = { conditions: [], parts: [] };

test('each change is an Event about the pod, a warning if something is wrong', async (t) => {
  const api = await objectDouble(t);
  const failures: unknown[] = [];
  const events = createEventPublisher({
    client: api.client,
    namespace: 'quayside',
    pod: { name: 'quayside-1', uid: '1-2-3' },
    failed: (error) => failures.push(error),
    worked: () => {},
    wall: () => 1_780_000_000_000,
  });
  events.publish(nothing, [
    condition({}),
    condition({
      type: 'Degraded',
      status: 'True',
      reason: 'ECONNREFUSED',
      message: 'UpstreamReachable quay.io: no',
    }),
  ]);
  events.publish(nothing, [condition({ type: 'StorageExists', reason: 'S3 Bucket Exists' })]);
  await events.close();
  t.same(failures, []);
  t.match(api.events, [
    {
      type: 'Normal',
      reason: 'Ready',
      action: 'Available',
      note: 'Available is True: the registry is ready',
      eventTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
      regarding: { kind: 'Pod', name: 'quayside-1', uid: '1-2-3', namespace: 'quayside' },
      reportingController: 'quayside',
    },
    { type: 'Warning', reason: 'ECONNREFUSED', note: 'Degraded is True: UpstreamReachable quay.io: no' },
    { type: 'Normal', reason: 'S3BucketExists' },
  ]);
  t.equal(new Set(api.events.map(({ metadata }) => metadata['name'])).size, 3);
});

test('an API server that refuses Events is told of once, and so is its recovery', async (t) => {
  const api = await objectDouble(t);
  const told: string[] = [];
  const make = () =>
    createEventPublisher({
      client: api.client,
      namespace: 'quayside',
      pod: { name: 'quayside-1' },
      failed: () => told.push('failed'),
      worked: () => told.push('worked'),
    });
  const events = make();
  api.switches.answersStatus = 403;
  events.publish(nothing, [condition({}), condition({}), condition({})]);
  while (api.requests.length < 3) await new Promise((resolve) => setImmediate(resolve));
  api.switches.answersStatus = undefined;
  events.publish(nothing, [condition({})]);
  await events.close();
  t.same(told, ['failed', 'worked']);
});
