import { Readable } from 'node:stream';
import { mock } from 'node:test';
import { test } from 'tap';
import type { UpstreamRequest, UpstreamResponse } from '../../../src/upstream/exchange.ts';
import { adapted, createAdaptiveLimit, type LimitState } from '../../../src/upstream/resilience/adaptive.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { sized } from '../../support/sized.ts';
import { lentSource, writerRig } from '../push/writer-rig.ts';
import { app, refusalOf, rig, v1 } from '../rig.ts';

const settings = {
  maxConcurrent: 16,
  growAfter: 3,
  longestWaitSeconds: 15,
  random: () => 1,
  now: () => 0,
  clock: { ...createManualClock(), now: () => 1_000 },
};
const start: LimitState = { concurrency: 16, good: 0, streak: 0, halvedAt: 0, pausedUntil: 0 };

test('a throttled answer halves the concurrency, once for all that was under way', (t) => {
  const first = adapted(start, { status: 429, sent: 3, lastSent: 10 }, settings);
  t.match(first, { concurrency: 8, halvedAt: 10, pausedUntil: 0 });
  t.equal(adapted(first, { status: 429, sent: 10, lastSent: 12 }, settings).concurrency, 8);
  t.equal(adapted(first, { status: 429, sent: 11, lastSent: 12 }, settings).concurrency, 4);
  t.end();
});

test('good answers let it grow by one, up to where it began', (t) => {
  let pace: LimitState = { ...start, concurrency: 14 };
  const seen: number[] = [];
  for (let sent = 1; sent <= 9; sent += 1) {
    pace = adapted(pace, { status: 404, sent, lastSent: sent }, settings);
    seen.push(pace.concurrency);
  }
  t.same(seen, [14, 14, 15, 15, 15, 16, 16, 16, 16]);
  t.end();
});

test('Retry-After pauses all requests, and a shorter one never ends a longer pause', (t) => {
  const long = adapted(start, { status: 429, retryAfterSeconds: 10, sent: 1, lastSent: 1 }, settings);
  t.equal(long.pausedUntil, 11_000);
  const short = adapted(long, { status: 503, retryAfterSeconds: 1, sent: 2, lastSent: 2 }, settings);
  t.match(short, { pausedUntil: 11_000, concurrency: 4 });
  t.end();
});

test('failures are no reason to slow down', (t) => {
  t.same(adapted(start, { status: 503, sent: 1, lastSent: 1 }, settings), start);
  t.same(adapted(start, { status: 500, retryAfterSeconds: 5, sent: 1, lastSent: 1 }, settings), start);
  t.end();
});

test('where one at a time is too much, all requests pause, longer each time', (t) => {
  let pace: LimitState = { ...start, concurrency: 1 };
  const pauses: number[] = [];
  for (let sent = 1; sent <= 9; sent += 1) {
    pace = adapted({ ...pace, pausedUntil: 0 }, { status: 429, sent, lastSent: sent }, settings);
    pauses.push(pace.pausedUntil - 1_000);
  }
  t.same(pauses, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  t.equal(pace.concurrency, 1);
  t.equal(adapted(pace, { status: 200, sent: 10, lastSent: 10 }, settings).streak, 0);
  t.end();
});

test('so many requests are under way as the limit says', async (t) => {
  const limit = createAdaptiveLimit({ maxConcurrent: 4, random: () => 0 });
  let inside = 0;
  let most = 0;
  let status = 429;
  const send = limit.limited(async (ask) => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise(setImmediate);
    inside -= 1;
    return answerTo(ask, status);
  });
  const round = () => Promise.all(Array.from({ length: 12 }, () => send(questionTo('/v2/'))));
  await round();
  t.equal(most, 4);
  t.equal(limit.concurrency, 1);
  most = 0;
  status = 200;
  await round();
  t.equal(most, 2, 'the tenth good answer let a second one in');
});

test('so many requests a second are sent as the limit says, after a burst of one second’s worth', async (t) => {
  const clock = createManualClock();
  const limit = createAdaptiveLimit({ requestsPerSecond: 50, clock });
  let sent = 0;
  const send = limit.limited(async (ask) => {
    sent += 1;
    return answerTo(ask, 200);
  });
  const ask = (count: number) => Promise.all(Array.from({ length: count }, () => send(questionTo('/v2/'))));
  await ask(50);
  const more = ask(10);
  for (const expected of [55, 60]) {
    await clock.pass(100);
    t.equal(sent, expected);
  }
  await more;
  await clock.pass(10_000);
  await ask(50);
  t.equal(clock.now(), 10_200, 'another burst, without a wait');
});

test('a clock that is set back does not lengthen a pause', async (t) => {
  const limit = createAdaptiveLimit({ longestWaitSeconds: 15 });
  const send = limit.limited(async (ask) => ({ ...answerTo(ask, 429), headers: { 'retry-after': '20' } }));
  await send(questionTo('/v2/'));
  mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  t.teardown(() => mock.timers.reset());
  await t.rejects(send(questionTo('/v2/')), { message: /next attempt in \d\d? s/ });
});

test('an upload never waits for the question that it needs', async (t) => {
  const limit = createAdaptiveLimit({ maxConcurrent: 1 });
  const send = limit.limited(async (ask) => answerTo(ask, 200));
  const upload = limit.limited(async (ask) => {
    await send(questionTo('/v2/source'));
    return answerTo(ask, 202);
  });
  const body = (async function* () {})();
  t.equal((await upload({ ...questionTo('/v2/upload'), method: 'PATCH', body })).status, 202);
});

test('who leaves while waiting is gone at once', async (t) => {
  const limit = createAdaptiveLimit({ maxConcurrent: 1 });
  const send = limit.limited(async (ask) => answerTo(ask, 429, '5'));
  await send(questionTo('/v2/'));
  const leaving = new AbortController();
  const waiting = send({ ...questionTo('/v2/'), signal: leaving.signal });
  leaving.abort(new Error('gone'));
  await t.rejects(waiting, { message: 'gone' });
});

test('a pause that one request was told holds for all, of reader and writer alike', async (t) => {
  const limit = createAdaptiveLimit({ longestWaitSeconds: 15, clock: createManualClock() });
  const { registry, writer } = await writerRig(t, { limit, retries: 0 });
  const reading = await rig(t, { limit, url: registry.url, retries: 0 });
  registry.switches.throttles = 1;
  registry.switches.retryAfter = '60';
  registry.switches.refusesInHtml = true;
  const { descriptor } = lentSource(10);
  const first = await refusalOf(writer.statBlob(app, descriptor.digest));
  t.match(first, { code: 'TOOMANYREQUESTS', retryAfterSeconds: 60 });
  const second = await refusalOf(reading.upstream.manifest(app, v1));
  t.match(second, { code: 'TOOMANYREQUESTS', retryAfterSeconds: 60 });
  t.equal(registry.requests.length, 1, 'the second one was never sent');
});

test('a pause that is short enough is waited for', async (t) => {
  const clock = createManualClock();
  const limit = createAdaptiveLimit({ clock });
  const sentAt: number[] = [];
  const send = limit.limited(async (ask) => {
    sentAt.push(clock.now());
    return answerTo(ask, sentAt.length === 1 ? 429 : 200, '1');
  });
  await send(questionTo('/v2/'));
  const next = send(questionTo('/v2/'));
  await clock.pass(999);
  t.same(sentAt, [0]);
  await clock.pass(1);
  t.equal((await next).status, 200);
  t.same(sentAt, [0, 1_000]);
});

test('many blobs arrive, eight at a time, although three of ten requests are throttled', async (t) => {
  const blobs = sized(60, 200);
  const limit = createAdaptiveLimit({ maxConcurrent: 8, random: () => 0 });
  const { registry, writer } = await writerRig(t, { limit, retries: 12, resumes: 12 });
  registry.switches.throttlesEvery = 10 / 3;
  registry.switches.refusesInHtml = true;
  const sources = Array.from({ length: blobs }, (_, index) =>
    lentSource(1_000 + index * 1_000, `blob ${index}`),
  );
  const waiting = sources.values();
  const work = async (): Promise<void> => {
    for (const { descriptor, open } of waiting) await writer.putBlob(app, descriptor, open);
  };
  await Promise.all(Array.from({ length: 8 }, work));
  const arrived = sources.filter(
    ({ bytes, descriptor }) => registry.blobOf('team/app', descriptor.digest)?.equals(bytes) === true,
  );
  t.equal(arrived.length, blobs);
  t.equal(registry.openUploads(), 0);
  const throttled = registry.requests.filter(({ status }) => status === 429).length;
  const share = throttled / registry.requests.length;
  t.ok(share > 0.29 && share < 0.31, `${throttled} of ${registry.requests.length}`);
});

function questionTo(path: string): UpstreamRequest {
  return { kind: 'blob', method: 'HEAD', url: new URL(path, 'http://registry.test') };
}

function answerTo({ url }: UpstreamRequest, status: number, retryAfter?: string): UpstreamResponse {
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
  return { status, headers, url, body: Readable.from([]) };
}
