import { type Test, test } from 'tap';
import type { Clock } from '../../src/base/time/wait.ts';
import type { FollowEvents } from '../../src/image-streams/follow.ts';
import { createImageStreams, type ImageStreamsOptions } from '../../src/image-streams/image-streams.ts';
import { ApiFailure } from '../../src/kubernetes/failure.ts';
import { until } from '../support/bodies.ts';
import { imageStreamDouble } from '../support/image-stream-double.ts';
import { createManualClock } from '../support/manual-clock.ts';

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
const [a, b, c] = [{ digest: digestOf('a') }, { digest: digestOf('b') }, { digest: digestOf('c') }];

type Listed = Parameters<FollowEvents['listed']>[0] & { readonly atMs: number };

async function started(t: Test, options: Partial<ImageStreamsOptions> = {}) {
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  const listed: Listed[] = [];
  const failures: unknown[] = [];
  const streams = createImageStreams({
    client: api.client,
    timeoutMs: 2000,
    pauseMs: 1,
    events: {
      listed: (event) => listed.push({ ...event, atMs: performance.now() }),
      failed: ({ error }) => failures.push(error),
    },
    ...options,
  });
  return { api, streams, listed, failures, reasons: () => listed.map(({ reason }) => reason) };
}

/** Follows until the test is over; what is told is written down as `+tag digest` and `-tag`. */
async function followed(t: Test, options: Partial<ImageStreamsOptions> = {}) {
  const rig = await started(t, options);
  const { api, streams, listed } = rig;
  api.put('ocp/4.5', { base: a, cli: b });
  const told: string[] = [];
  const stop = new AbortController();
  const following = streams.follow(
    {
      changed: ({ namespace, name, tag, digest }) => told.push(`+${namespace}/${name}:${tag} ${digest[7]}`),
      removed: ({ namespace, name, tag }) => told.push(`-${namespace}/${name}:${tag}`),
    },
    { signal: stop.signal },
  );
  t.teardown(async () => {
    stop.abort();
    await following;
  });
  const isListed = (): boolean => listed.length > 0 || options.events !== undefined;
  await until(() => isListed() && (api.watches === 1 || options.relistMs !== undefined));
  return { ...rig, told, stop, following };
}

const beginning = ['+ocp/4.5:base a', '+ocp/4.5:cli b'];

test('all tags that stand for an image are listed, page by page', async (t) => {
  const { api, streams } = await started(t, { pageSize: 2 });
  for (const name of ['1', '2', '3', '4', '5']) api.put(`ocp/${name}`, { base: a, broken: { digest: '' } });
  const names: string[] = [];
  for await (const { name, tag, digest, createdAt } of streams.tags()) {
    names.push(`${name}:${tag}`);
    t.equal(digest, a.digest);
    t.equal(createdAt, Date.parse('2026-01-01T00:00:00Z'));
  }
  t.same(names, ['1:base', '2:base', '3:base', '4:base', '5:base']);
  t.equal(api.requests.length, 3);
});

test('the tags of one namespace are listed alone', async (t) => {
  const { api, streams } = await started(t);
  api.put('ocp/4.5', { base: a });
  api.put('origin/4.5', { base: b });
  const found = await Array.fromAsync(streams.tags({ namespace: 'origin' }));
  t.match(found, [{ namespace: 'origin', name: '4.5', tag: 'base', digest: b.digest }]);
});

test('a tag comes with the manifest that it stands for', async (t) => {
  const { api, streams } = await started(t);
  const layerMediaTypes = ['application/vnd.docker.image.rootfs.diff.tar.gzip'];
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  api.put('ocp/4.5', { base: { ...a, created: '2026-02-03T04:05:06Z', mediaType, layerMediaTypes } });
  t.same(await streams.tag({ namespace: 'ocp', name: '4.5', tag: 'base' }), {
    image: a.digest,
    createdAt: Date.parse('2026-02-03T04:05:06Z'),
    mediaType,
    layerMediaTypes,
  });
  t.equal(await streams.tag({ namespace: 'ocp', name: '4.5', tag: 'none' }), undefined);
});

test('a refused list says with which status, and nothing that was sent', async (t) => {
  const { api, streams } = await started(t);
  api.switches.answersStatus = 403;
  const failure = await Array.fromAsync(streams.tags()).catch((error: unknown) => error);
  t.ok(failure instanceof ApiFailure);
  t.match(failure, { message: 'the API server refuses the request (403)', status: 403 });
  t.notMatch(failure, { message: /Bearer/ });
});

test('an abort ends a list, with its own reason', async (t) => {
  const { streams } = await started(t);
  const signal = AbortSignal.abort(new Error('enough'));
  await t.rejects(Array.fromAsync(streams.tags({ signal })), { message: 'enough' });
});

test('those who follow are told of every tag, and then of what changed alone', async (t) => {
  const { api, told, reasons } = await followed(t);
  t.same(told, beginning);
  api.put('ocp/4.5', { base: a, cli: c });
  api.put('ocp/4.6', { base: a });
  api.put('ocp/4.6', { base: a });
  api.put('ocp/4.5', { cli: c });
  api.remove('ocp/4.6');
  const expected = ['+ocp/4.5:cli c', '+ocp/4.6:base a', '-ocp/4.5:base', '-ocp/4.6:base'];
  await until(() => told.length >= beginning.length + expected.length);
  t.same(told, [...beginning, ...expected]);
  t.same(reasons(), ['start']);
});

test('a watch that the server ends goes on where it was', async (t) => {
  const { api, told, reasons } = await followed(t);
  api.switches.closesWatches = true;
  api.cutWatches();
  await until(() => api.requests.length > 5);
  api.put('ocp/4.5', { base: b, cli: b });
  await until(() => told.length > beginning.length);
  api.switches.closesWatches = false;
  await until(() => api.watches === 1);
  t.same(told, [...beginning, '+ocp/4.5:base b']);
  t.same(reasons(), ['start']);
});

for (const forgets of ['status', 'event'] as const) {
  test(`when the server forgot our version (${forgets}), all is listed again, and what changed meanwhile is told`, async (t) => {
    const { api, told, listed, reasons } = await followed(t);
    api.put('origin/4.5', { base: a });
    await until(() => told.length === 3);
    api.switches.forgets = forgets;
    api.switches.hangs = true;
    api.put('ocp/4.5', { base: c, cli: b });
    api.remove('origin/4.5');
    api.switches.hangs = false;
    t.same(reasons(), ['start']);
    api.cutWatches();
    await until(() => listed.length > 1);
    t.same(told.slice(3), ['+ocp/4.5:base c', '-origin/4.5:base']);
    t.match(listed[1], { reason: 'gone', changed: 2, streams: 1, tags: 2 });
    delete api.switches.forgets;
    await until(() => api.watches === 1);
  });
}

test('a server that forgets each version at once is not listed in a rush', async (t) => {
  const { api, listed } = await followed(t, { pauseMs: 50 });
  api.switches.forgets = 'status';
  api.cutWatches();
  await until(() => listed.length === 3);
  t.ok((listed.at(-1)?.atMs ?? 0) - (listed.at(0)?.atMs ?? 0) > 150);
});

test('a watch that is silent for too long is given up, and all is listed again', async (t) => {
  const { api, told, reasons } = await followed(t, { silenceMs: 150 });
  api.switches.hangs = true;
  api.put('ocp/4.5', { base: c, cli: b });
  await until(() => told.length === 3);
  t.same(told.at(-1), '+ocp/4.5:base c');
  t.ok(reasons().includes('silent'));
  api.switches.hangs = false;
  await until(() => api.watches === 1);
});

test('after a silence nothing is said to be current until all is listed again', async (t) => {
  const told: string[] = [];
  const { api } = await followed(t, {
    silenceMs: 150,
    events: {
      listed: ({ reason }) => told.push(reason),
      followed: ({ isCurrent }) => told.push(isCurrent ? 'current' : 'unsure'),
    },
    relistMs: 3_600_000,
  });
  await until(() => told.includes('current'));
  api.switches.hangs = true;
  await until(() => told.includes('silent'));
  t.ok(told.indexOf('unsure') > 0 && told.indexOf('unsure') < told.indexOf('silent'), told.join(' '));
  api.switches.hangs = false;
});

test('bookmarks are signs of life', async (t) => {
  const manual = createManualClock();
  let signs = 0;
  const setTimeout: Clock['setTimeout'] = (callback, ms) => {
    const timer = manual.setTimeout(callback, ms);
    const refresh = () => {
      signs += 1;
      timer.refresh();
    };
    return { ...timer, refresh };
  };
  const { api, listed, reasons } = await followed(t, { silenceMs: 200, clock: { ...manual, setTimeout } });
  for (let bookmarks = 0; bookmarks < 3; bookmarks += 1) {
    const before = signs;
    api.bookmark();
    await until(() => signs > before);
    await manual.pass(199);
  }
  t.equal(listed.length, 1);
  await manual.pass(1);
  await until(() => listed.length === 2);
  t.same(reasons(), ['start', 'silent']);
  await until(() => api.watches === 1);
});

test('all is listed again now and then', async (t) => {
  const { api, told, reasons } = await followed(t, { relistMs: 50 });
  await until(() => reasons().includes('due'));
  t.same(told, beginning);
  await until(() => api.watches === 1);
});

test('a server that fails is asked again, and what changed meanwhile is told', async (t) => {
  const { api, told, failures, reasons } = await followed(t, { relistMs: 100 });
  api.switches.answersStatus = 503;
  api.cutWatches();
  api.put('ocp/4.5', { base: c, cli: b });
  await until(() => failures.length > 3);
  t.match(failures[0], { status: 503 });
  delete api.switches.answersStatus;
  await until(() => told.length === 3);
  t.same(told.at(-1), '+ocp/4.5:base c');
  t.ok(reasons().length > 0);
});

test('an abort ends following, also while the server says nothing', async (t) => {
  const { api, stop, following } = await followed(t);
  api.switches.hangs = true;
  api.cutWatches();
  await until(() => api.requests.filter(({ query }) => query.has('watch')).length >= 2);
  stop.abort();
  await following;
  await until(() => api.connections === 0);
  t.equal(api.watches, 0);
});

test('each of 13,000 tags is told once', async (t) => {
  const { api, streams } = await started(t);
  for (let stream = 0; stream < 130; stream += 1) {
    const tags = Array.from({ length: 100 }, (_, tag) => [`tag-${tag}`, a] as const);
    api.put(`ocp/stream-${stream}`, Object.fromEntries(tags));
  }
  const told = new Set<string>();
  const stop = new AbortController();
  const changed = ({ name, tag }: { name: string; tag: string }) => void told.add(`${name}:${tag}`);
  const following = streams.follow({ changed, removed: () => {} }, { signal: stop.signal });
  await until(() => api.watches === 1);
  stop.abort();
  await following;
  t.equal(told.size, 13_000);
});
