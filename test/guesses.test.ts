import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hashSync } from 'bcryptjs';
import { type Test, test } from 'tap';
import { createOwnWatch } from './support/own-watch.ts';
import { serviceRig } from './support/service.ts';

const basic = (password: string): { readonly headers: { readonly authorization: string } } => ({
  headers: { authorization: `Basic ${Buffer.from(`robot:${password}`).toString('base64')}` },
});

/** A service that answers one request at a time, with one robot. */
async function robotService(t: Test) {
  const htpasswdFile = join(t.testdir(), 'htpasswd');
  await writeFile(htpasswdFile, `robot:${hashSync('right', 4)}\n`);
  return serviceRig(t, {
    settings: {
      hosts: { '*': { auth: 'robots', robots: { htpasswdFile } } },
      limits: { read: { maxRunning: 1, maxInQueue: 10, maxWaitInQueueMs: '10s' } },
    },
  });
}

test('guesses wait for their answers, and delay no other client', async (t) => {
  const { url, stop, logText } = await robotService(t);
  const wrong = [0, 1, 2, 3].map((count) => fetch(`${url}/v2/`, basic(`guess-${count}`)));
  for (const { status } of await Promise.all(wrong)) t.equal(status, 401);
  const ownMs = createOwnWatch();
  const answers: string[] = [];
  const guesses = ['/v2/', '/v2/auth', '/v2/team/app/manifests/x'].map(async (path) => {
    const { status } = await fetch(`${url}${path}`, basic('another-guess'));
    answers.push(path);
    return status;
  });
  for (const path of ['/v2/', '/v2/auth', '/v2/']) {
    t.equal((await fetch(`${url}${path}`, basic('right'))).status, 200, `a good login at ${path}`);
  }
  t.same(answers, [], 'is answered before the guesses');
  await stop();
  t.same(await Promise.all(guesses), [401, 401, 401], 'which the end of the service lets go');
  t.ok(ownMs() < 4000);
  t.notMatch(logText(), /guess/);
});

test('the fifth wrong login in a minute is answered after a second', async (t) => {
  const { url } = await robotService(t);
  for (const path of ['/v2/', '/v2/auth', '/v2/', '/v2/auth']) await fetch(`${url}${path}`, basic('guess'));
  const begunAt = performance.now();
  t.equal((await fetch(`${url}/v2/`, basic('guess'))).status, 401);
  t.ok(performance.now() - begunAt >= 990);
});

test('no credential, or a token of before, costs nothing however often it is shown', async (t) => {
  const { url } = await robotService(t);
  const claims = Buffer.from('{"iss":"quayside"}').toString('base64url');
  const stale = { headers: { authorization: `Bearer eyJhbGciOiJIUzI1NiJ9.${claims}.c2ln` } };
  for (let count = 0; count < 10; count += 1) {
    const ownMs = createOwnWatch();
    t.equal((await fetch(`${url}/v2/`)).status, 401);
    t.equal((await fetch(`${url}/v2/`, stale)).status, 401);
    t.ok(ownMs() < 990, 'none is held for a second');
  }
});
