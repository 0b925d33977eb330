import { once } from 'node:events';
import { test } from 'tap';
import { followed } from '../../src/image-streams/follow.ts';
import type { ImageStreamObject } from '../../src/image-streams/stream-tags.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';

test('a list that does not end leaves nothing current after a silence', async (t) => {
  const clock = createManualClock();
  const told: string[] = [];
  const stop = new AbortController();
  let lists = 0;
  const following = followed({
    client: {
      text: () => Promise.reject(new Error('it is streamed')),
      json: () => Promise.reject(new Error('it is streamed')),
      close: async () => {},
      // biome-ignore lint/correctness/useYield: nothing happens
      async *stream({ opened, signal }) {
        opened?.();
        await once(signal, 'abort');
      },
    },
    path: '/streams',
    // biome-ignore lint/correctness/useYield: there are none
    async *list(signal): AsyncGenerator<ImageStreamObject, string> {
      lists += 1;
      if (lists > 1) await once(signal, 'abort');
      return '7';
    },
    observer: { saw: () => 0, lost: () => 0, look: () => () => 0, streams: 0, tags: 0 },
    signal: stop.signal,
    options: {
      ...{ clock, silenceMs: 300_000, relistMs: 200_000 },
      events: { followed: ({ isCurrent }) => told.push(isCurrent ? 'current' : 'unsure') },
    },
  });
  await until(() => told.length === 1);
  await clock.pass(200_000);
  await until(() => lists === 2);
  await clock.pass(299_999);
  t.same(told, ['current'], 'a list takes its time');
  await clock.pass(1);
  t.same(told, ['current', 'unsure']);
  stop.abort();
  await following;
});
