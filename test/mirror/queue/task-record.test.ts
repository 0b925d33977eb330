import { test } from 'tap';
import type { MirrorTask } from '../../../src/mirror/queue/task.ts';
import { parseTask, taskBytes } from '../../../src/mirror/queue/task-record.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';

const text =
  '{"source":"docker://alpine","destination":"quay.io/openshift/ci:ci_a_latest","priority":"change",' +
  '"owner":"test","createdAt":1,"backup":"quay.io/openshift/ci:2025_prune_a"}';

test('a record holds images as they were written, and is read from 0.1.0', (t) => {
  const task: MirrorTask = {
    source: parseImageReference('docker://alpine'),
    destination: parseImageReference('quay.io/openshift/ci:ci_a_latest'),
    priority: 'change',
    owner: 'test',
    createdAt: 1,
    backup: parseImageReference('quay.io/openshift/ci:2025_prune_a'),
  };
  t.equal(Buffer.from(taskBytes(task)).toString(), text);
  t.match(parseTask(Buffer.from(text)), task);
  t.end();
});

test('a record that names no image is not read', (t) => {
  for (const wrong of ['quay.io/NO:c', 'file://a/b:1', 'a b'])
    t.equal(parseTask(Buffer.from(text.replace('docker://alpine', wrong))), undefined, wrong);
  t.end();
});

test('a record whose backup is no image is not read: it would be overwritten without one', (t) => {
  t.equal(parseTask(Buffer.from(text.replace(':2025_prune_a', `:${'b'.repeat(129)}`))), undefined);
  t.end();
});
