import { stat } from 'node:fs/promises';
import { test } from 'tap';
import { createSocketDirectory } from '../../src/workers/socket-directory.ts';

test('the directory of sockets is new each time, for one user, and goes away whole', async (t) => {
  const parent = '/tmp';
  const [one, other] = [await createSocketDirectory([parent]), await createSocketDirectory([parent])];
  t.teardown(() => Promise.all([one.remove(), other.remove()]));
  t.not(one.path, other.path, 'two containers of one host name do not share it');
  t.equal((await stat(one.path)).mode & 0o777, 0o700);
  await one.remove();
  await t.rejects(stat(one.path), { code: 'ENOENT' });
});

test('a path that is too long for a socket, or that cannot be written, gives way to the next', async (t) => {
  const long = `/tmp/${'x'.repeat(100)}`;
  const found = await createSocketDirectory([long, '/nowhere', '/tmp']);
  t.teardown(() => found.remove());
  t.match(found.path, /^\/tmp\/quayside-workers-/);
  await t.rejects(createSocketDirectory([long, '/nowhere']), {
    message: /^there is no directory for the sockets between workers: .* is too long a path; ENOENT/,
  });
});
