import { fastify } from 'fastify';
import { test } from 'tap';
import type { ForwardedReply, ForwardedRequest } from '../../../src/fleet/protocol/forwarded.ts';
import { MemberFailed } from '../../../src/fleet/protocol/proven-get.ts';
import { createHoldDesk } from '../../../src/mirror/loop/hold-desk.ts';
import { createQueueAdmin } from '../../../src/mirror/loop/queue-admin.ts';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import { createQueue } from '../../../src/mirror/queue/queue.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { failure } from '../../../src/proxy/http/failure-hooks.ts';
import { answersForwarded, leaderFirst } from '../../../src/proxy/operators/leader.ts';
import { mirrorOrders, mirrorQueue } from '../../../src/proxy/operators/mirror-api.ts';
import { holdOrders, mirrorHolds } from '../../../src/proxy/operators/mirror-holds.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

const pair = {
  source: 'registry.ci.openshift.org/ci/a:latest',
  destination: 'quay.io/openshift/ci:ci_a_latest',
};

function mirror() {
  const { records } = createMemoryStore();
  const queue = createQueue({ records: createTaskRecords({ records }) });
  const tell = (): void => undefined;
  const holds = createHoldDesk({ holds: createHolds({ records }), queue, tell });
  return { desk: createQueueAdmin(queue, tell), holds, serving: () => undefined };
}

/** A process that does not lead. What it is asked to pass on goes to `forward`. */
function follower(
  forward: (request: ForwardedRequest) => Promise<ForwardedReply | undefined>,
  isHere = false,
) {
  const app = fastify({ exposeHeadRoutes: false });
  failure(app);
  const passed: ForwardedRequest[] = [];
  leaderFirst(app, {
    isHere: () => isHere,
    forward(request) {
      passed.push(request);
      return forward(request);
    },
  });
  const own = mirror();
  mirrorQueue(app, own);
  mirrorOrders(app, own);
  mirrorHolds(app, own);
  holdOrders(app, own);
  const asked = async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const remoteAddress = '10.0.0.9';
    const answer = await app.inject({ method, url, remoteAddress, ...(payload && { payload }) });
    return { status: answer.statusCode, body: answer.body, retryAfter: answer.headers['retry-after'] };
  };
  return { asked, passed };
}

const queue = '/api/v1/mirrors';

test('what a process that follows is asked, the one that leads answers', async (t) => {
  const led = answersForwarded(mirror(), () => true);
  const { asked, passed } = follower(led);
  t.same(await asked('GET', queue), { status: 200, body: '{"total":0}\n', retryAfter: undefined });
  t.equal((await asked('POST', queue, pair)).status, 202);
  t.same(JSON.parse((await asked('GET', `${queue}?action=summarize&state=all`)).body), { total: 1 });
  t.match(await asked('POST', `${queue}/retry`), { status: 200, body: '{"retried":0}\n' });
  t.match(await asked('POST', queue, { ...pair, odd: 1 }), { status: 400, body: 'unknown key: odd\n' });
  t.match(await asked('POST', `${queue}/hold`, { destination: pair.destination }), { status: 200 });
  t.match(JSON.parse((await asked('GET', `${queue}/holds`)).body), {
    holds: [{ destination: pair.destination }],
  });
  const gone = await asked('DELETE', `${queue}?destination=${pair.destination}`);
  t.same([gone.status, gone.body], [200, '{"dropped":1}\n']);
  t.match(passed.at(-1), { method: 'DELETE', client: '10.0.0.9', userAgent: 'lightMyRequest' });
});

test('a process that leads, or knows no others, passes nothing on', async (t) => {
  const { asked, passed } = follower(() => Promise.reject(new Error('not asked')), true);
  t.equal((await asked('GET', queue)).status, 200);
  t.same(passed, []);
});

test('who does not lead does nothing for others, and passes nothing on', async (t) => {
  const request = { method: 'POST', url: queue, body: pair, client: '' } as const;
  t.equal(await answersForwarded(mirror(), () => false)(request), undefined);
});

test('without a leader the store takes what it can, and the rest is 503 with a time', async (t) => {
  const { asked } = follower(async () => undefined);
  t.equal((await asked('POST', queue, pair)).status, 202);
  t.equal((await asked('POST', `${queue}/hold`, { destination: pair.destination })).status, 200);
  t.equal((await asked('GET', `${queue}/holds`)).status, 200);
  t.equal((await asked('POST', `${queue}/release`, { destination: pair.destination })).status, 200);
  const later = { status: 503, retryAfter: '2', body: /no process is known to mirror/ };
  t.match(await asked('GET', queue), later);
  t.match(await asked('POST', `${queue}/retry`), later);
  t.match(await asked('DELETE', `${queue}?destination=a`), later);
});

test('an order without an answer is neither sent again nor carried out here', async (t) => {
  const { asked, passed } = follower(() => Promise.reject(new MemberFailed('it is gone', 'dead')));
  const orders = [
    ['POST', queue, pair],
    ['POST', `${queue}/hold`, { destination: pair.destination }],
    ['DELETE', `${queue}?destination=a`],
  ] as const;
  for (const [method, url, body] of orders)
    t.match(await asked(method, url, body), { status: 503, retryAfter: '2', body: /look before you repeat/ });
  t.equal(passed.length, orders.length);
  t.match(await asked('GET', queue), { status: 503, body: /did not answer\n/ });
});

test('an order that is too long to be passed on is refused', async (t) => {
  const { asked } = follower(() => Promise.reject(new MemberFailed('the request is too long', 'unasked')));
  t.match(await asked('POST', queue, pair), { status: 400, body: /too long/ });
});
