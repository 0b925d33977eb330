import crypto from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { type Test, test } from 'tap';
import { type Bcrypt, createBcrypt } from '../../../src/auth/robots/bcrypt.ts';
import { createRobots } from '../../../src/auth/robots/robots.ts';
import { parseRepository } from '../../../src/oci/reference.ts';

const line = (name: string, password: string): string => `${name}:${hashSync(password, 4)}\n`;
const pair = (username: string, password: string) => ({ kind: 'basic', username, password }) as const;
const access = { upstream: 'quay.io', repository: parseRepository('a/b'), action: 'pull' } as const;

function checker(t: Test): Bcrypt & { readonly asked: string[] } {
  const real = createBcrypt();
  const asked: string[] = [];
  t.teardown(() => real.close());
  return {
    asked,
    close: real.close,
    matches(password, hash, origin) {
      asked.push(password);
      return real.matches(password, hash, origin);
    },
  };
}

test('a robot of an htpasswd file is known by its password', async (t) => {
  const htpasswdFile = join(t.testdir({ htpasswd: line('one', 'right') + line('two', 'other') }), 'htpasswd');
  const known = createRobots({ files: { htpasswdFile }, bcrypt: checker(t) });
  t.same(await known.authenticate(pair('one', 'right')), { name: 'one', groups: [] });
  t.equal(await known.authenticate(pair('one', 'other')), undefined);
  t.equal(
    await known.authenticate(pair('nobody', 'right')),
    undefined,
    'not even with a password that fits another',
  );
  t.equal(await known.authenticate({ kind: 'bearer', token: 'right' }), undefined);
});

test('a verdict is remembered, the right and the wrong one, and asked for once at a time', async (t) => {
  const htpasswdFile = join(t.testdir({ htpasswd: line('one', 'right') }), 'htpasswd');
  const check = checker(t);
  const known = createRobots({ files: { htpasswdFile }, bcrypt: check });
  await Promise.all([known.authenticate(pair('one', 'right')), known.authenticate(pair('one', 'right'))]);
  await known.authenticate(pair('one', 'right'));
  await known.authenticate(pair('one', 'wrong'));
  t.equal(await known.authenticate(pair('one', 'wrong')), undefined);
  t.same(check.asked, ['right', 'wrong']);
});

test('a right password is remembered for as long as the file stands, whatever is guessed meanwhile', async (t) => {
  const htpasswdFile = join(t.testdir({ htpasswd: line('one', 'right') }), 'htpasswd');
  const check = checker(t);
  const known = createRobots({ files: { htpasswdFile }, bcrypt: check, rememberMs: 1 });
  await known.authenticate(pair('one', 'right'));
  const guesses = Array.from({ length: 90 }, (_, n) =>
    known.authenticate(pair('one', `guess ${n}`), '10.0.0.1'),
  );
  const outcomes = Promise.allSettled(guesses);
  t.same(await known.authenticate(pair('one', 'right'), '10.0.0.1'), { name: 'one', groups: [] });
  t.ok(
    (await outcomes).some(({ status }) => status === 'rejected'),
    'there were too many guesses',
  );
  t.equal(check.asked.filter((password) => password === 'right').length, 1);
});

test('a robot that logs in for the first time waits behind no guess at another', async (t) => {
  const htpasswdFile = join(t.testdir({ htpasswd: line('one', 'right') + line('two', 'other') }), 'htpasswd');
  const known = createRobots({ files: { htpasswdFile }, bcrypt: checker(t) });
  await known.authenticate(pair('nobody', 'x'));
  let guessed = 0;
  const guesses = Array.from({ length: 90 }, async (_, n) => {
    await known.authenticate(pair('one', `guess ${n}`), '10.0.0.1');
    guessed += 1;
  });
  const outcomes = Promise.allSettled(guesses);
  t.same(await known.authenticate(pair('two', 'other'), '10.0.0.1'), { name: 'two', groups: [] });
  t.ok(guessed < 10, `after ${guessed} guesses`);
  await outcomes;
});

test('an unknown name costs a comparison too', async (t) => {
  const htpasswdFile = join(t.testdir({ htpasswd: line('one', 'right') }), 'htpasswd');
  const check = checker(t);
  await createRobots({ files: { htpasswdFile }, bcrypt: check }).authenticate(pair('nobody', 'x'));
  t.same(check.asked, ['x']);
});

test('a robot that is taken out of the file is out, whatever was remembered', async (t) => {
  const htpasswdFile = join(t.testdir({ htpasswd: line('one', 'right') }), 'htpasswd');
  const known = createRobots({ files: { htpasswdFile }, bcrypt: checker(t), everyMs: 0 });
  const subject = await known.authenticate(pair('one', 'right'));
  t.match(await known.authorize(subject ?? { name: '', groups: [] }, access), {
    allowed: true,
    rule: 'robots',
  });
  await writeFile(htpasswdFile, line('other', 'other'));
  t.equal(await known.authenticate(pair('one', 'right')), undefined);
  t.match(await known.authorize({ name: 'one', groups: [] }, access), { allowed: false });
});

test('one robot may stand in a file for its name and one for its password', async (t) => {
  const directory = t.testdir({ name: 'robot\n', password: 'p:ss word\n' });
  const files = { usernameFile: join(directory, 'name'), passwordFile: join(directory, 'password') };
  const known = createRobots({ files, bcrypt: checker(t), everyMs: 0 });
  t.same(await known.authenticate(pair('robot', 'p:ss word')), { name: 'robot', groups: [] });
  t.equal(await known.authenticate(pair('robot', 'p:ss word\n')), undefined);
  t.equal(await known.authenticate(pair('robotp', ':ss word')), undefined, 'the border between both counts');
  await writeFile(files.passwordFile, '');
  await t.rejects(known.authenticate(pair('robot', '')), { code: 'UNAVAILABLE' }, 'no empty password');
});

test('pairs are compared in constant time', async (t) => {
  const compared: number[] = [];
  const { timingSafeEqual } = crypto;
  t.intercept(crypto, 'timingSafeEqual', {
    value: (a: Uint8Array, b: Uint8Array) => {
      compared.push(a.byteLength, b.byteLength);
      return timingSafeEqual(a, b);
    },
  });
  syncBuiltinESMExports();
  t.teardown(syncBuiltinESMExports);
  const directory = t.testdir({ name: 'robot', password: 'secret' });
  const files = { usernameFile: join(directory, 'name'), passwordFile: join(directory, 'password') };
  const known = createRobots({ files, bcrypt: checker(t) });
  t.equal(await known.authenticate(pair('robot', 'a guess of another length')), undefined);
  t.same(compared, [32, 32], 'digests of one length');
});
