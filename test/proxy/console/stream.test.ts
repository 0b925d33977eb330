import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'tap';
import type { OperatorVerdict } from '../../../src/auth/clusters/operators.ts';
import { consoleRig } from '../../support/console-rig.ts';
import { createManualClock } from '../../support/manual-clock.ts';

interface StreamEvent {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads a stream event by event; comments and `retry` are none. */
async function* eventsOf(answer: Response): AsyncGenerator<StreamEvent, void, undefined> {
  let text = '';
  for await (const chunk of (answer.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}

test('first all is told, then at most once a second what changed, and of lists what is new', async (t) => {
  const clock = createManualClock();
  let sections: Record<string, unknown> = { a: { n: 1 }, b: { n: 1 }, failures: [{ id: '1' }] };
  const { browser } = await consoleRig(t, { clock, feed: { sections: async () => sections } });
  const events = eventsOf(await browser('/console/events'));
  t.same((await events.next()).value, { event: 'snapshot', data: sections });
  const next = events.next();
  await clock.pass(1_000);
  sections = { a: { n: 1 }, b: { n: 2 }, failures: [{ id: '1' }, { id: '2' }] };
  await clock.pass(999);
  sections = { ...sections, b: { n: 3 } };
  await clock.pass(1);
  t.same((await next).value, { event: 'changed', data: { b: { n: 3 }, failures: [{ id: '2' }] } });
  await events.return();
});

test('the rights are looked at again while the stream lasts, and it ends without them', async (t) => {
  const clock = createManualClock();
  const token = 'a-token-of-ann-at-the-cluster';
  const verdicts: Record<string, OperatorVerdict> = { [token]: { kind: 'allowed', name: 'ann' } };
  const { origin } = await consoleRig(t, { clock, verdicts });
  const answer = await fetch(`${origin}/console/events`, { headers: { authorization: `Bearer ${token}` } });
  t.equal(answer.headers.get('content-type'), 'text/event-stream');
  const events = eventsOf(answer);
  await events.next();
  verdicts[token] = { kind: 'denied', name: 'ann' };
  await clock.pass(29_000);
  const last = events.next();
  await clock.pass(3_000);
  t.match((await last).value, { event: 'ended', data: { why: /grants no right to get/ } });
  t.equal((await events.next()).done, true);
});

test('a stream that a stranger asks for is refused, and so is one too many', async (t) => {
  const { app, origin } = await consoleRig(t, { clock: createManualClock() });
  t.equal(
    (await app.inject({ url: '/console/events', headers: { host: 'localhost' }, remoteAddress: '10.0.0.7' }))
      .statusCode,
    403,
  );
  const open = await Promise.all(Array.from({ length: 50 }, () => fetch(`${origin}/console/events`)));
  t.same(new Set(open.map(({ status }) => status)), new Set([200]));
  t.equal((await fetch(`${origin}/console/events`)).status, 429);
  await Promise.all(open.map(({ body }) => body?.cancel()));
});

test('streams end when the server closes', async (t) => {
  const { app, origin } = await consoleRig(t, { clock: createManualClock() });
  const events = eventsOf(await fetch(`${origin}/console/events`));
  await events.next();
  const last = events.next();
  await app.close();
  t.equal((await last).done, true);
});

test('a browser that leaves before it is told anything takes no place', async (t) => {
  const gate = Promise.withResolvers<void>();
  const all = Promise.withResolvers<void>();
  let asked = 0;
  const feed = {
    async sections() {
      asked += 1;
      if (asked === 50) all.resolve();
      await gate.promise;
      return {};
    },
  };
  const { app, origin } = await consoleRig(t, { clock: createManualClock(), feed });
  const left: Promise<unknown>[] = [];
  app.server.on('request', (_request, response: ServerResponse) => left.push(once(response, 'close')));
  const leaving = new AbortController();
  const { signal } = leaving;
  for (let count = 0; count < 50; count += 1)
    void fetch(`${origin}/console/events`, { signal }).catch(() => {});
  await all.promise;
  t.equal((await fetch(`${origin}/console/events`)).status, 429, 'places are taken before the first look');
  leaving.abort();
  await Promise.all(left);
  gate.resolve();
  const answer = await fetch(`${origin}/console/events`);
  t.equal(answer.status, 200);
  await answer.body?.cancel();
});

test('nothing is sent after the end when the server closes during a look', async (t) => {
  const clock = createManualClock();
  const looking = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let looks = 0;
  const feed = {
    async sections() {
      looks += 1;
      if (looks === 2) {
        looking.resolve();
        await gate.promise;
      }
      return { a: looks };
    },
  };
  const { app, origin } = await consoleRig(t, { clock, feed });
  const events = eventsOf(await fetch(`${origin}/console/events`));
  await events.next();
  await clock.pass(1_000);
  await looking.promise;
  const closed = app.close();
  t.equal((await events.next()).done, true);
  gate.resolve();
  await closed;
});
