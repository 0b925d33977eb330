import { once } from 'node:events';
import { type Test, test } from 'tap';
import { type FollowOptions, followed } from '../../src/image-streams/follow.ts';
import type { ImageStreamObject } from '../../src/image-streams/stream-tags.ts';
import { ApiFailure } from '../../src/kubernetes/failure.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';

type WatchScript = (signal: AbortSignal) => AsyncGenerator<Uint8Array>;

/** Follows a server without streams that answers each watch so, and ends its first lists alone. */
function following(
  t: Test,
  watches: readonly WatchScript[],
  options: { readonly endingLists: number } & FollowOptions,
) {
  const clock = createManualClock();
  const told: string[] = [];
  const stop = new AbortController();
  const counts = { lists: 0, watches: 0 };
  const { endingLists, ...rest } = options;
  const ended = followed({
    client: {
      text: () => Promise.reject(new Error('it is streamed')),
      json: () => Promise.reject(new Error('it is streamed')),
      close: async () => {},
      async *stream({ opened, signal }) {
        const script = watches[counts.watches] ?? silent;
        counts.watches += 1;
        if (script !== refused) opened?.();
        yield* script(signal);
      },
    },
    path: '/streams',
    // biome-ignore lint/correctness/useYield: there are none
    async *list(signal): AsyncGenerator<ImageStreamObject, string> {
      counts.lists += 1;
      if (counts.lists > endingLists) await once(signal, 'abort');
      return '7';
    },
    observer: { saw: () => 0, lost: () => 0, look: () => () => 0, streams: 0, tags: 0 },
    signal: stop.signal,
    options: {
      ...{ clock, pauseMs: 1 },
      ...rest,
      events: { followed: ({ isCurrent }) => told.push(isCurrent ? 'current' : 'unsure') },
    },
  });
  t.teardown(async () => {
    stop.abort();
    await ended;
  });
  return { clock, told, counts };
}

// biome-ignore lint/correctness/useYield: nothing happens
const silent: WatchScript = async function* (signal) {
  await once(signal, 'abort');
};
// biome-ignore lint/correctness/useYield: nothing happens
const refused: WatchScript = async function* () {
  throw new ApiFailure('unreachable', 'is not there');
};
const forgotten: WatchScript = async function* () {
  yield Buffer.from(`${JSON.stringify({ type: 'ERROR', object: { code: 410 } })}\n`);
};

test('a list that does not end leaves nothing current after a silence', async (t) => {
  const { clock, told, counts } = following(t, [], { endingLists: 1, silenceMs: 300_000, relistMs: 200_000 });
  await until(() => told.length === 1);
  await clock.pass(200_000);
  await until(() => counts.lists === 2);
  await clock.pass(299_999);
  t.same(told, ['current'], 'a list takes its time');
  await clock.pass(1);
  t.same(told, ['current', 'unsure']);
});

test('a watch that is accepted, and then told that its version is forgotten, makes nothing current', async (t) => {
  const { told, counts } = following(t, [refused, forgotten], { endingLists: 1 });
  await until(() => counts.lists === 2);
  t.same(new Set(told), new Set(['unsure']));
});

test('after a failure a watch that stays open for a second is current, and one with an event at once', async (t) => {
  const quiet = following(t, [refused, silent], { endingLists: 1 });
  await until(() => quiet.counts.watches === 2);
  await quiet.clock.pass(999);
  t.same(quiet.told, ['unsure']);
  await quiet.clock.pass(1);
  t.same(quiet.told, ['unsure', 'current']);
  const event = Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object: {} })}\n`);
  const lively: WatchScript = async function* (signal) {
    yield event;
    await once(signal, 'abort');
  };
  const soon = following(t, [refused, lively], { endingLists: 1 });
  await until(() => soon.told.includes('current'));
});
