import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createKeptKeys, type KeyRecords } from '../../../src/auth/tokens/kept-keys.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const subject = Object.freeze({ name: 'robot', groups: Object.freeze([]) });
const unheard = (error: unknown): void => {
  throw error;
};

test('tokens survive a restart, and all replicas on one store accept them', async (t) => {
  const { records } = createMemoryStore();
  const replicas = [1, 2, 3].map(() => createKeptKeys({ records, failed: unheard }));
  const keys = await Promise.all(replicas.map((each) => each()));
  t.equal(new Set(keys.map(({ signing }) => signing.kid)).size, 1, 'made once, though asked for at once');
  const [first] = replicas;
  const { token } = await createTokens({
    keys: () => first?.() ?? Promise.reject(new Error('none')),
    audience: 'a',
  }).issue(subject, []);
  const afterRestart = createTokens({ keys: createKeptKeys({ records, failed: unheard }), audience: 'a' });
  t.match(await afterRestart.verify(token), { subject: { name: 'robot' } });
});

test('the very same keys are handed out at once from then on', async (t) => {
  const keys = createKeptKeys({ records: createMemoryStore().records, failed: unheard });
  const first = await keys();
  t.equal(keys(), first);
});

test('while the store cannot be asked, tokens of this process work, and go on to work', async (t) => {
  const { records } = createMemoryStore();
  let isDown = true;
  let clock = 0;
  const heard: unknown[] = [];
  const failing: KeyRecords = {
    get: (key) => (isDown ? Promise.reject(new Error('down')) : records.get(key)),
    put: (...args) => records.put(...args),
  };
  const keys = createKeptKeys({ records: failing, failed: (error) => heard.push(error), now: () => clock });
  const ours = createTokens({ keys, audience: 'a' });
  const { token: early } = await ours.issue(subject, []);
  t.match(await ours.verify(early), { subject: { name: 'robot' } });
  isDown = false;
  t.match(await ours.verify(early), { subject: { name: 'robot' } });
  t.equal(heard.length, 1, 'the store is not asked at each login');
  clock = 10_000;
  const { token: late } = await ours.issue(subject, []);
  t.match(await ours.verify(early), { subject: { name: 'robot' } });
  const other = createTokens({ keys: createKeptKeys({ records, failed: unheard }), audience: 'a' });
  t.match(await other.verify(late), { subject: { name: 'robot' } });
  t.match(await other.verify(early), { refused: 'unknown-key' });
});

test('a store that never answers holds up a login for a bounded time', async (t) => {
  const silent: KeyRecords = {
    get: () => new Promise(() => undefined),
    put: () => Promise.reject(new Error('unasked')),
  };
  const keys = createKeptKeys({ records: silent, failed: () => undefined, patienceMs: 20 });
  t.ok((await keys()).signing);
});

test('on a file system only our own user can read the secret', async (t) => {
  const path = t.testdir();
  const store = createFilesystemStore({ path });
  t.teardown(() => store.close());
  await createKeptKeys({ records: store.records, failed: unheard })();
  const { mode } = await stat(join(path, 'v1/secrets/tokens'));
  t.equal(mode & 0o777, 0o600);
});
