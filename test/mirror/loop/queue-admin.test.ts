import { test } from 'tap';
import { createQueueAdmin, taskItem } from '../../../src/mirror/loop/queue-admin.ts';
import type { MirrorTask, QueuedTask } from '../../../src/mirror/queue/task.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

function orders() {
  const tasks: MirrorTask[] = [];
  const told: string[] = [];
  const queue = {
    async put(task: MirrorTask) {
      tasks.push(task);
      return true;
    },
    list: () => [],
    retry: () => 0,
    drop: () => undefined,
  };
  const { order } = createQueueAdmin(queue, (what) => void told.push(what), { now: () => 7 });
  return { tasks, told, order };
}

test('an order is a task ahead of changes', async (t) => {
  const { order, tasks } = orders();
  const pair = { source: `q.io/a@${digest}`, destination: 'r.io/b:1' };
  t.equal(await order(pair), true);
  t.match(tasks, [
    {
      source: { text: pair.source },
      destination: { text: pair.destination },
      priority: 'miss',
      owner: 'api',
      createdAt: 7,
    },
  ]);
});

test('an order is kept in one spelling, so that one destination has one task', async (t) => {
  const { order, tasks } = orders();
  await order({ source: 'docker://alpine:3', destination: 'docker://r.io/b:1' });
  t.match(tasks, [{ source: { text: 'docker.io/library/alpine:3' }, destination: { text: 'r.io/b:1' } }]);
});

test('what no time mends is shown without a time', (t) => {
  const parked: QueuedTask = {
    source: parseImageReference('q.io/a:1'),
    destination: parseImageReference('r.io/b:1'),
    priority: 'change',
    owner: 'test',
    createdAt: 1,
    state: 'parked',
    attempts: 1,
    doubts: 0,
    notBefore: Number.POSITIVE_INFINITY,
    failure: { kind: 'schema-1', reason: 'it is schema 1', at: 1 },
  };
  t.notOk('not_before' in taskItem(parked));
  t.match(taskItem({ ...parked, notBefore: 1 }), { not_before: '1970-01-01T00:00:00.001Z' });
  t.end();
});

test('an order into QCI keeps what it overwrites', async (t) => {
  const { order, tasks } = orders();
  await order({ source: 'q.io/a:1', destination: 'quay.io/openshift/ci:ci_tool_latest' });
  await order({ source: 'q.io/a:1', destination: 'quay.io/openshift/ci:art__tool' });
  t.same(
    tasks.map(({ backup }) => backup?.text),
    ['quay.io/openshift/ci:19700101000000_prune___ci_images_mirror__ci_tool_latest', undefined],
  );
});

test('what is no image, or no tag to copy to, is refused and told', async (t) => {
  const { order, tasks, told } = orders();
  const destination = 'r.io/b:1';
  for (const source of ['file://a/b:1', 'q.io/a', 'q.io/a:*', '::'])
    await t.rejects(order({ source, destination }), source);
  await t.rejects(order({ source: 'q.io/a:1', destination: `r.io/b@${digest}` }), {
    message: /the destination must be a tag/,
  });
  t.same(tasks, []);
  t.same(new Set(told), new Set(['invalidTask']));
});

test('an order that names no image is refused, and told', async (t) => {
  const { order, tasks, told } = orders();
  for (const source of ['quay.io:team/app', 'quay.io:99999/a:1', 'docker-archive:x.tar', 'q.io/a']) {
    await t.rejects(order({ source, destination: 'r.io/b:1' }));
  }
  t.same(tasks, []);
  t.equal(told.length, 4);
});
