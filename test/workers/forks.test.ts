import cluster from 'node:cluster';
import { type Mock, mock } from 'node:test';
import { test } from 'tap';
import { createFork } from '../../src/workers/forks.ts';

test('a process that the system cannot start is one that ended at once', async (t) => {
  const forking: Mock<typeof cluster.fork> = mock.method(cluster, 'fork', () => {
    throw Object.assign(new Error('spawn ENOMEM'), { code: 'ENOMEM' });
  });
  const setting = mock.method(cluster, 'setupPrimary', () => undefined);
  t.teardown(() => {
    forking.mock.restore();
    setting.mock.restore();
  });
  const fork = createFork();
  for (let round = 0; round < 20; round += 1) {
    const forked = fork();
    t.equal(forked.pid, 0);
    forked.output.on('data', () => undefined);
    await new Promise((gone) => forked.onExit(gone));
    t.equal(forked.output.listenerCount('data'), 1, 'no listener of the one before');
  }
});
