import { test } from 'tap';
import { createCheckoutThread } from '../../../src/mirror/test-inputs/thread.ts';
import { image, releaseFiles } from './release.ts';

const files = releaseFiles({ 'a.yaml': `base_images: {a: ${image('ci/a:a')}}`, 'b.yaml': '[' });

test('a checkout is read on its thread, which remembers what it read', async (t) => {
  const thread = createCheckoutThread(t.testdir(files));
  t.teardown(() => thread.close());
  const { keys, faults } = await thread.read();
  t.same([...keys], ['ci/a:a']);
  t.equal(faults.length, 1);
  t.same((await thread.read()).faults, []);
});

test('a checkout that is not there is an error, and the thread goes on', async (t) => {
  const thread = createCheckoutThread(t.testdir());
  t.teardown(() => thread.close());
  await t.rejects(thread.read(), /ENOENT/);
  await t.rejects(thread.read(), /ENOENT/);
});

test('closing gives up what is being read, and all that would be', async (t) => {
  const thread = createCheckoutThread(t.testdir(files));
  const reading = thread.read();
  await Promise.all([t.rejects(reading, /aborted/), thread.close()]);
  await t.rejects(thread.read(), /aborted/);
});
