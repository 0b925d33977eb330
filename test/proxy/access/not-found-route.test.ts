import fastify from 'fastify';
import { type Test, test } from 'tap';
import type { Guard } from '../../../src/auth/guards/guard.ts';
import { createChallenger } from '../../../src/proxy/access/challenge.ts';
import { createHosts, type Host } from '../../../src/proxy/access/hosts.ts';
import { notFoundRoute } from '../../../src/proxy/access/not-found-route.ts';
import { failure, failureHooks } from '../../../src/proxy/http/failure-hooks.ts';
import { requestLog } from '../../../src/proxy/http/request-log.ts';
import { health } from '../../../src/proxy/operators/health.ts';
import { entering } from '../../support/generation.ts';

const door: Guard = {
  identify: (authorization) =>
    authorization === undefined
      ? { refused: 'absent' }
      : authorization === 'Bearer good'
        ? { subject: { name: 'somebody', groups: [] } }
        : { refused: 'wrong' },
  grant: async () => ({ refused: 'absent' }),
  authorize: () => ({ allowed: true }),
  visible: async (_subject, _place, tags) => tags,
};

async function served(t: Test, host: Partial<Host>) {
  const guesses: string[] = [];
  const app = fastify({ ...failureHooks, exposeHeadRoutes: false });
  failure(app);
  requestLog(app, { log: { info: () => undefined } });
  health(app, { isReady: () => true });
  notFoundRoute(app, {
    enter: entering({
      hosts: createHosts([{ name: '*', ...host }]),
      challenge: createChallenger({ isTls: true }),
    }),
    attempts: { failed: async (address) => void guesses.push(address), refused: async () => undefined },
  });
  t.teardown(() => app.close());
  return { guesses, url: await app.listen({ port: 0, host: '127.0.0.1' }) };
}

test('under a host with a plain challenge every path leads to the login', async (t) => {
  const { url } = await served(t, { guard: door, challenge: 'plain' });
  const { host } = new URL(url);
  for (const [path, method] of [
    ['/some-url', 'GET'],
    ['/', 'HEAD'],
    ['/v1/search', 'POST'],
    ['/v3/x', 'PUT'],
  ] as const) {
    const body = method === 'GET' || method === 'HEAD' ? null : '{}';
    const answer = await fetch(`${url}${path}`, { method, body });
    t.equal(answer.status, 401, path);
    const challenge = `Bearer realm="https://${host}/v2/auth",service="${host}"`;
    t.equal(answer.headers.get('www-authenticate'), challenge);
  }
  t.equal((await fetch(`${url}/healthz`)).status, 200, 'but the health paths do not');
});

test('who is known learns that there is nothing, and who guesses is slowed', async (t) => {
  const { url, guesses } = await served(t, { guard: door, challenge: 'plain' });
  const known = await fetch(`${url}/some-url`, { headers: { authorization: 'Bearer good' } });
  t.equal(known.status, 404);
  t.same(guesses, []);
  const wrong = await fetch(`${url}/some-url`, { headers: { authorization: 'Bearer guess' } });
  t.match(wrong.headers.get('www-authenticate'), /error="invalid_token",error_description="[^"]+"$/);
  t.same(guesses, ['127.0.0.1']);
});

test('other paths are 404 for every client', async (t) => {
  for (const host of [{}, { guard: door }]) {
    const { url } = await served(t, host);
    const answer = await fetch(`${url}/some-url`);
    t.equal(answer.status, 404);
    t.match(await answer.json(), { errors: [{ code: 'NAME_UNKNOWN' }] });
  }
});
