import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { watched } from '../../../src/base/time/stall.ts';
import { listening } from '../../support/listening.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { standStill } from '../../support/stand-still.ts';

const patience = { firstMs: 100, nextMs: 10 };

async function* body(waits: readonly Promise<unknown>[]): AsyncGenerator<number> {
  for (const [index, wait] of waits.entries()) {
    await wait;
    yield index;
  }
}

test('a wait for the first chunk, and for one after it, is too long after a time of its own', async (t) => {
  const clock = createManualClock();
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let stalls = 0;
  const stalled = (): void => {
    stalls += 1;
  };
  const chunks = watched(body([first.promise, second.promise]), patience, stalled, clock);
  const begun = chunks.next();
  await clock.pass(99);
  t.equal(stalls, 0);
  await clock.pass(1);
  t.equal(stalls, 1);
  first.resolve();
  t.same(await begun, { done: false, value: 0 });
  const next = chunks.next();
  await clock.pass(9);
  t.equal(stalls, 1);
  await clock.pass(1);
  t.equal(stalls, 2);
  second.resolve();
  await next;
  await chunks.next();
  t.equal(clock.running, 0);
});

test('the time that the reader takes does not count', async (t) => {
  const clock = createManualClock();
  const stalled = (): void => void t.fail('the source was never waited for');
  const there = Promise.resolve();
  for await (const _chunk of watched(body([there, there, there]), patience, stalled, clock))
    await clock.pass(1_000);
  t.equal(clock.running, 0);
});

test('a reader that leaves takes the timer along', async (t) => {
  const clock = createManualClock();
  const there = Promise.resolve();
  for await (const _chunk of watched(body([there, there]), patience, () => undefined, clock)) break;
  t.equal(clock.running, 0);
});

test('a source whose bytes this process did not read in time is not silent', async (t) => {
  const server = createServer();
  const { port, close } = await listening(server);
  t.teardown(close);
  const reader = connect(port, '127.0.0.1');
  const [source] = (await once(server, 'connection')) as [Socket];
  let stalls = 0;
  const chunks = watched<Buffer>(reader, { firstMs: 100, nextMs: 100 }, () => {
    stalls += 1;
  });
  const chunk = chunks.next();
  source.write('there');
  standStill(200);
  t.equal(String((await chunk).value), 'there');
  t.equal(stalls, 0);
  await chunks.return();
});
