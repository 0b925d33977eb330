import fastify from 'fastify';
import { type Test, test } from 'tap';
import { health } from '../../../src/proxy/operators/health.ts';
import { readiness } from '../../../src/proxy/operators/readiness.ts';

async function served(t: Test, isReady: () => boolean | Promise<boolean>): Promise<string> {
  const app = fastify({ exposeHeadRoutes: false });
  health(app, { isReady });
  t.teardown(() => app.close());
  return app.listen({ port: 0, host: '127.0.0.1' });
}

test('a process that answers is alive, ready or not', async (t) => {
  const url = await served(t, () => false);
  for (const path of ['/livez', '/healthz']) {
    const answer = await fetch(url + path);
    t.equal(answer.status, 200);
    t.equal(await answer.text(), 'OK\n');
    t.equal(answer.headers.get('cache-control'), 'no-store');
  }
  t.equal((await fetch(`${url}/livez`, { method: 'HEAD' })).status, 200);
});

test('/healthz answers every method, without a look at the body', async (t) => {
  const url = await served(t, () => false);
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const body = method === 'GET' ? {} : { body: '{', headers: { 'content-type': 'text/odd' } };
    const answer = await fetch(`${url}/healthz`, { method, ...body });
    t.equal(answer.status, 200, method);
    t.equal(await answer.text(), 'OK\n', method);
  }
});

test('/readyz shows the notes below its answer, ready or not', async (t) => {
  const app = fastify({ exposeHeadRoutes: false });
  let isReady = true;
  health(app, { isReady: () => isReady, notes: () => ['streams of app.ci: stale'] });
  t.teardown(() => app.close());
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  t.equal(await (await fetch(`${url}/readyz`)).text(), 'OK\nstreams of app.ci: stale\n');
  isReady = false;
  t.equal(await (await fetch(`${url}/readyz`)).text(), 'not ready\nstreams of app.ci: stale\n');
  t.equal(await (await fetch(`${url}/livez`)).text(), 'OK\n');
});

test('readiness is what it is asked for, and what throws is not ready', async (t) => {
  let isReady: () => boolean | Promise<boolean> = () => true;
  const url = await served(t, () => isReady());
  t.equal((await fetch(`${url}/readyz`)).status, 200);
  isReady = async () => false;
  t.equal((await fetch(`${url}/readyz`)).status, 503);
  isReady = () => Promise.reject(new Error('secret detail'));
  const answer = await fetch(`${url}/readyz`);
  t.equal(answer.status, 503);
  t.equal(await answer.text(), 'not ready\n');
});

test('one part that can serve is enough', async (t) => {
  const yes = async (): Promise<boolean> => true;
  const no = async (): Promise<boolean> => false;
  const broken = (): Promise<boolean> => Promise.reject(new Error('broken'));
  t.equal(await readiness([no, broken, yes])(), true);
  t.equal(await readiness([no, broken])(), false);
  t.equal(await readiness([])(), false);
});

test('a part that hangs does not hold up the answer', async (t) => {
  const hangs = (): Promise<boolean> => new Promise(() => undefined);
  t.equal(await readiness([hangs, async () => true])(), true);
  t.equal(await readiness([hangs], { timeoutMs: 5 })(), false);
});

test('the parts are asked once in a while, however often we are', async (t) => {
  let clock = 0;
  let asked = 0;
  const probe = async (): Promise<boolean> => ++asked > 0;
  const isReady = readiness([probe], { rememberMs: 1000, now: () => clock });
  await Promise.all([isReady(), isReady()]);
  clock = 999;
  await isReady();
  t.equal(asked, 1);
  clock = 1000;
  await isReady();
  t.equal(asked, 2);
});

test('a change of the answer is told once, with what each part answered', async (t) => {
  let clock = 0;
  let canServe = false;
  const told: unknown[] = [];
  const store = async (): Promise<boolean> => canServe;
  const broken = (): Promise<boolean> => Promise.reject(new Error('broken'));
  const isReady = readiness([store, broken], {
    names: ['store', 'quay.io'],
    changed: (event) => told.push(event),
    now: () => clock,
  });
  for (; clock < 6_000; clock += 2_000) t.equal(await isReady(), false);
  t.same(told.splice(0), [{ isReady: false, parts: { store: 'no', 'quay.io': 'broken' } }]);
  canServe = true;
  for (; clock < 10_000; clock += 2_000) t.equal(await isReady(), true);
  t.same(told, [{ isReady: true, parts: { store: 'yes' } }]);
});

test('a part that hangs is named', async (t) => {
  const told: unknown[] = [];
  const hangs = (): Promise<boolean> => new Promise(() => undefined);
  await readiness([hangs], { timeoutMs: 5, names: ['store'], changed: (event) => told.push(event) })();
  t.same(told, [{ isReady: false, parts: { store: 'no answer' } }]);
});
