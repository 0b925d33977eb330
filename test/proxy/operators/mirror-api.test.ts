import { fastify } from 'fastify';
import { test } from 'tap';
import { CopyError } from '../../../src/mirror/failure.ts';
import { createHoldDesk } from '../../../src/mirror/loop/hold-desk.ts';
import { createQueueAdmin } from '../../../src/mirror/loop/queue-admin.ts';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { mirrorHealth } from '../../../src/predecessors/outputs/mirror-health.ts';
import { type MirrorLine, mirrorLog } from '../../../src/predecessors/outputs/mirror-log.ts';
import { mirrorOrders, mirrorQueue } from '../../../src/proxy/operators/mirror-api.ts';
import { holdOrders, mirrorHolds } from '../../../src/proxy/operators/mirror-holds.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const sourceTagRef = { namespace: 'ci', name: 'a', tag: 'latest' };
const task: MirrorTask = {
  source: parseImageReference('registry.ci.openshift.org/ci/a:latest'),
  destination: parseImageReference('quay.io/openshift/ci:ci_a_latest'),
  priority: 'change',
  owner: 'supplementalCIImagesService',
  createdAt: Date.UTC(2023, 9, 11, 14, 46, 23, 426),
  sourceTagRef,
  currentDigest: '',
};

async function rig(tasks: readonly MirrorTask[]) {
  const { records } = createMemoryStore();
  const queued = createQueue({ records: createTaskRecords({ records }) });
  for (const each of tasks) await queued.put(each);
  const lines: MirrorLine[] = [];
  const messages = () => lines.map(({ message }) => message);
  const served: string[] = [];
  const app = fastify();
  const holds = createHolds({ records, now: () => 1 });
  const tell = mirrorLog((line) => lines.push(line));
  const options = {
    desk: createQueueAdmin(queued, tell, { now: () => 1 }),
    holds: createHoldDesk({
      holds,
      queue: queued,
      tell,
      now: () => 1,
    }),
    serving: (path: string) => void served.push(path),
  };
  mirrorHealth(app);
  mirrorQueue(app, options);
  mirrorOrders(app, options);
  mirrorHolds(app, options);
  holdOrders(app, options);
  const get = async (url: string) => {
    const { statusCode, headers, body } = await app.inject({ url });
    return { status: statusCode, type: headers['content-type'], body };
  };
  const post = async (url: string, payload?: object) => {
    const { statusCode, body } = await app.inject({ method: 'POST', url, ...(payload && { payload }) });
    return { status: statusCode, body };
  };
  const drop = async (destination: string, options = {}) => {
    const url = `/api/v1/mirrors?destination=${encodeURIComponent(destination)}`;
    const { statusCode, body } = await app.inject({ method: 'DELETE', url, ...options });
    return { status: statusCode, body };
  };
  return { app, queued, holds, get, post, drop, served, lines, messages };
}

test('the original’s requests have the original’s answers', async (t) => {
  const { get, served } = await rig([task]);
  const type = 'application/json';
  t.same(await get('/api/health'), { status: 200, type, body: '{"ok":true}\n' });
  t.same(await get('/api/v1/mirrors'), { status: 200, type, body: '{"total":1}\n' });
  t.same(await get('/api/v1/mirrors?action=summarize'), { status: 200, type, body: '{"total":1}\n' });
  t.match(await get('/api/v1/mirrors?action=take'), { status: 500, body: 'invalid action: take\n' });
  t.match(await get('/api/v1/mirrors?action=show&limit=x'), { status: 500, body: /parsing "x": invalid/ });
  t.match(await get('/api/v1/mirrors?limit=x'), { status: 500, body: /parsing "x": invalid/ });
  t.match(await get('/api/v1/mirrors?action=&limit=&state=&destination='), {
    status: 200,
    body: '{"total":1}\n',
  });
  t.equal(served.length, 6, 'a probe says nothing');
  t.same(new Set(served), new Set(['/api/v1/mirrors']));
});

test('a task is shown under the names of the original, and stays in the queue', async (t) => {
  const { get } = await rig([
    task,
    { ...task, destination: parseImageReference('quay.io/openshift/ci:ci_b_latest') },
  ]);
  const shown = JSON.parse((await get('/api/v1/mirrors?action=show')).body);
  t.match(shown, {
    total: 2,
    mirrors: [
      {
        source_tag_ref: sourceTagRef,
        source: task.source.text,
        destination: task.destination.text,
        current_quay_digest: '',
        created_at: '2023-10-11T14:46:23.426Z',
        stale: false,
        owner: 'supplementalCIImagesService',
        state: 'waiting',
      },
    ],
  });
  t.equal(shown.mirrors.length, 1, 'one, unless more are asked for');
  t.equal(JSON.parse((await get('/api/v1/mirrors?action=show&limit=9')).body).mirrors.length, 2);
});

test('an empty queue shows null, as Go has it', async (t) => {
  const { get } = await rig([]);
  t.equal((await get('/api/v1/mirrors?action=show')).body, '{"mirrors":null,"total":0}\n');
});

test('what runs and what was parked is not counted among what waits, but found by its state', async (t) => {
  const other = { ...task, destination: parseImageReference('quay.io/openshift/ci:ci_b_latest') };
  const { queued, get } = await rig([task, other]);
  queued.take();
  queued.failed(task.destination.text, new CopyError('schema-1', 'sha256:12 is schema 1'));
  const total = async (query: string) => JSON.parse((await get(`/api/v1/mirrors?${query}`)).body).total;
  t.equal(await total(''), 0);
  t.equal(await total('state=running'), 1);
  t.equal(await total('state=all'), 2);
  t.equal(await total(`state=all&destination=${encodeURIComponent(other.destination.text)}`), 1);
  t.match(JSON.parse((await get('/api/v1/mirrors?action=show&state=parked')).body).mirrors, [
    { state: 'parked', attempts: 1, failure: { kind: 'schema-1', reason: 'sha256:12 is schema 1' } },
  ]);
  t.match(await get('/api/v1/mirrors?state=lost'), { status: 400, body: 'invalid state: lost\n' });
});

test('a copy is ordered by its two ends, and goes ahead of changes', async (t) => {
  const { queued, post, messages } = await rig([task]);
  const source = task.source.text;
  const destination = 'quay.io/openshift/ci:ci_urgent_latest';
  t.match(await post('/api/v1/mirrors', { source, destination }), { status: 202, body: /"kept":true/ });
  t.match(queued.take(), [{ destination: { text: destination }, priority: 'miss', owner: 'api' }]);
  t.match(await post('/api/v1/mirrors', { source }), { status: 400, body: /both source and destination/ });
  t.match(await post('/api/v1/mirrors'), { status: 400 });
  for (const wrong of ['quay.io/openshift/ci', 'file://a/b:c', 'quay.io/openshift/ci:*', 'quay.io/A:b']) {
    t.match(await post('/api/v1/mirrors', { source, destination: wrong }), { status: 400 }, wrong);
  }
  t.match(messages(), ['Skipped an invalid mirror task: both source and destination must be set']);
});

test('failed copies are retried by order', async (t) => {
  const { queued, post } = await rig([task]);
  queued.take();
  queued.failed(task.destination.text, new CopyError('denied', 'no'));
  t.match(await post('/api/v1/mirrors/retry', { destination: 'quay.io/other/one:x' }), {
    body: '{"retried":0}\n',
  });
  t.match(await post('/api/v1/mirrors/retry'), { status: 200, body: '{"retried":1}\n' });
  t.equal(queued.take().length, 1);
});

test('a body that cannot be meant tries nothing again, and the answer names what is wrong', async (t) => {
  const { app, queued, post } = await rig([task]);
  queued.take();
  queued.failed(task.destination.text, new CopyError('denied', 'no'));
  const [source, destination] = [task.source.text, task.destination.text];
  t.same(await post('/api/v1/mirrors/retry', { destnation: destination }), {
    status: 400,
    body: 'unknown key: destnation\n',
  });
  t.match(await post('/api/v1/mirrors', { source, destination, priority: 'miss' }), {
    status: 400,
    body: 'unknown key: priority\n',
  });
  for (const wrong of [5, '', [destination], null]) {
    t.match(await post('/api/v1/mirrors/retry', { destination: wrong }), {
      status: 400,
      body: 'destination must be a text that is not empty\n',
    });
  }
  t.match(await post('/api/v1/mirrors/retry', [destination]), { status: 400 });
  t.match(await post(`/api/v1/mirrors/retry?destination=${destination}`), {
    status: 400,
    body: 'unknown key: destination\n',
  });
  const text = {
    method: 'POST',
    url: '/api/v1/mirrors/retry',
    headers: { 'content-type': 'text/plain' },
  } as const;
  t.equal((await app.inject({ ...text, payload: destination })).statusCode, 400);
  t.same(queued.take(), []);
});

test('a task is dropped by its destination, and who asked is told', async (t) => {
  const { queued, drop, lines } = await rig([task]);
  const headers = { 'user-agent': 'curl/8' };
  t.same(await drop(task.destination.text, { headers }), { status: 200, body: '{"dropped":1}\n' });
  t.same([...queued.list()], []);
  const [source, target] = [task.source.text, task.destination.text];
  t.match(lines, [
    {
      message: 'An operator dropped a mirror task',
      fields: { source, target, state: 'waiting', client: '127.0.0.1', userAgent: 'curl/8' },
    },
  ]);
  t.match(await drop(task.destination.text), { status: 404, body: /no task/ });
  t.match(await drop(''), { status: 400, body: 'destination must be set\n' });
});

test('a task that runs is not dropped', async (t) => {
  const other = { ...task, destination: parseImageReference('quay.io/openshift/ci:ci_b_latest') };
  const { queued, drop, messages } = await rig([task]);
  queued.take();
  await queued.put(other);
  t.match(await drop(task.destination.text), { status: 409, body: /running/ });
  t.equal(queued.count(), 2);
  t.same(messages(), []);
});

test('a hold is kept, shown and released, and the log says who asked', async (t) => {
  const { get, post, messages, lines } = await rig([]);
  const destination = task.destination.text;
  const until = '1970-01-02T00:00:00.000Z';
  const held = await post('/api/v1/mirrors/hold', { destination, until, why: 'reverted by hand' });
  t.equal(held.status, 200);
  const shown = { destination, since: '1970-01-01T00:00:00.001Z', until, why: 'reverted by hand' };
  t.match(JSON.parse(held.body), { ...shown, running: false });
  t.match(JSON.parse((await get('/api/v1/mirrors/holds')).body), { holds: [shown] });
  t.match(await post('/api/v1/mirrors/release', { destination }), { status: 200, body: '{"released":1}\n' });
  t.match(await post('/api/v1/mirrors/release', { destination }), {
    status: 404,
    body: `no hold on ${destination}\n`,
  });
  t.same(messages(), [
    'An operator holds an image: the mirror does not overwrite it',
    'An operator released an image to the mirror',
  ]);
  t.match(lines[0]?.fields, { target: destination, until, why: 'reverted by hand', client: '127.0.0.1' });
});

test('a hold that cannot be meant is refused', async (t) => {
  const { get, post } = await rig([]);
  const destination = task.destination.text;
  for (const [order, why] of [
    [{}, /destination must be set/],
    [{ destination: 'quay.io/openshift/ci' }, /with a tag or digest/],
    [{ destination: `${destination}@sha256:${'a'.repeat(64)}` }, /must be a tag, without a digest/],
    [{ destination, untl: 'x' }, /unknown key: untl/],
    [{ destination, until: 'tomorrow' }, /until must be a time such as/],
    [{ destination, until: '1970-01-01T00:00:00Z' }, /until must be in the future/],
    [{ destination, why: 'x'.repeat(501) }, /why must have at most 500 characters/],
  ] as const)
    t.match(await post('/api/v1/mirrors/hold', order), { status: 400, body: why });
  t.match(await post('/api/v1/mirrors/release', {}), { status: 400 });
  t.same(JSON.parse((await get('/api/v1/mirrors/holds')).body), { holds: [] });
});

test('a hold is of the destination that tasks name, however it is written', async (t) => {
  const { holds, post } = await rig([]);
  const destination = task.destination.text;
  for (const written of [
    'QUAY.IO/openshift/ci:ci_a_latest',
    'docker://quay.io/openshift/ci:ci_a_latest',
    'quay-proxy.ci.openshift.org/openshift/ci:ci_a_latest',
  ]) {
    const held = await post('/api/v1/mirrors/hold', { destination: written });
    t.match(JSON.parse(held.body), { destination }, written);
    t.match(await holds.find(destination), { destination }, written);
    t.equal((await post('/api/v1/mirrors/release', { destination: written })).status, 200);
    t.equal(await holds.find(destination), undefined);
  }
});

test('an order is for a tag, so that no spelling of it goes past a hold', async (t) => {
  const { queued, post } = await rig([]);
  const source = 'registry.ci.openshift.org/ci/a:latest';
  const order = (destination: string) => post('/api/v1/mirrors', { source, destination });
  t.match(await order(`${task.destination.text}@sha256:${'a'.repeat(64)}`), { status: 400 });
  await order('Quay.io/openshift/ci:ci_a_latest');
  t.match([...queued.list()], [{ destination: { text: task.destination.text } }]);
});

test('a hold that a later one keeps from counting is not said to be kept', async (t) => {
  const { holds, post, messages } = await rig([]);
  const destination = task.destination.text;
  await holds.put({ destination, since: 10, until: 20 });
  t.match(await post('/api/v1/mirrors/hold', { destination, why: 'longer' }), {
    status: 409,
    body: `${destination}: a later hold is there, until 1970-01-01T00:00:00.020Z: release it first\n`,
  });
  t.same(messages(), []);
  t.match(await holds.find(destination), { until: 20 });
  await post('/api/v1/mirrors/release', { destination });
  t.equal((await post('/api/v1/mirrors/hold', { destination, why: 'longer' })).status, 200);
});
