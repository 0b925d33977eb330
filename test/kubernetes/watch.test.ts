import { test } from 'tap';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import { ApiFailure } from '../../src/kubernetes/failure.ts';
import { watched } from '../../src/kubernetes/watch.ts';
import { createOwnWatch } from '../support/own-watch.ts';

interface Item {
  readonly metadata: { readonly name: string };
}

/** A watch that is answered with these bytes; resolves to what it saw and how it ended. */
async function watching(chunks: readonly string[], stop = new AbortController()) {
  const client: KubernetesClient = {
    text: () => Promise.reject(new Error('a watch is a stream')),
    json: () => Promise.reject(new Error('a watch is a stream')),
    close: async () => {},
    async *stream() {
      for (const chunk of chunks) yield Buffer.from(chunk);
    },
  };
  const names: string[] = [];
  const end = await watched<Item>(client, {
    path: '/apis/x/v1/items',
    version: '1',
    signal: stop.signal,
    seen(type, { metadata: { name } }) {
      names.push(`${type} ${name}`);
      if (name === 'last') stop.abort();
    },
  });
  return { names, end };
}

const added = (name: string) => JSON.stringify({ type: 'ADDED', object: { metadata: { name } } });

test('a line that is no event is passed over', async (t) => {
  const lines = ['null', '5', '[]', '{}', '{"type":"ADDED"}', '{"type":"ADDED","object":null}', 'x', ''];
  t.same(await watching([`${[...lines, added('a')].join('\n')}\n`]), { names: ['ADDED a'], end: 'closed' });
});

test('an event is read across chunks, and without a line end behind the last one', async (t) => {
  const text = `${added('a')}\n${added('b')}`;
  t.same(await watching([...text]), { names: ['ADDED a', 'ADDED b'], end: 'closed' });
});

test('an event that nests deeper than any object is passed over', async (t) => {
  const deep = `{"type":"ADDED","object":{"metadata":{"name":"deep"},"x":${'['.repeat(200)}${']'.repeat(200)}}}`;
  t.same(await watching([`${deep}\n${added('a')}\n`]), { names: ['ADDED a'], end: 'closed' });
});

test('a long event takes time for its length, whatever the chunks, and has an end', async (t) => {
  const chunk = 'x'.repeat(4096);
  const long = (chunks: number) => [
    '{"type":"ADDED","object":{"x":"',
    ...Array(chunks).fill(chunk),
    '","metadata":{"name":"a"}}}\n',
  ];
  const ownMs = createOwnWatch();
  t.same(await watching(long(2_000)), { names: ['ADDED a'], end: 'closed' });
  const shortMs = ownMs();
  t.same(await watching([...long(4_000), added('b')]), { names: ['ADDED a', 'ADDED b'], end: 'closed' });
  t.ok(ownMs() < 10 * shortMs + 1_000, 'not by its square');
  await t.rejects(watching(long(5_000)), { message: 'sent an event that is too long' });
  await t.rejects(watching([`${long(5_000).join('')}`]), { message: 'sent an event that is too long' });
});

test('an expired version is found in an event too', async (t) => {
  const expired = JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410 } });
  t.same(await watching([`${added('a')}\n${expired}\n${added('b')}\n`]), { names: ['ADDED a'], end: 'gone' });
});

test('nothing is seen after an abort, not even the rest of a chunk', async (t) => {
  const text = `${added('last')}\n${added('b')}\n`;
  t.same(await watching([text]), { names: ['ADDED last'], end: 'closed' });
});

test('silence behind the header is idleness, and silence before it a failure', async (t) => {
  const silent = (isAccepting: boolean): Pick<KubernetesClient, 'stream'> => ({
    // biome-ignore lint/correctness/useYield: it has nothing to say
    async *stream({ opened }) {
      if (isAccepting) opened?.();
      throw new ApiFailure('slow', 'did not answer within 30000 ms');
    },
  });
  const watch = async (isAccepting: boolean) => {
    let opened = 0;
    const end = await watched(silent(isAccepting), {
      path: '/apis/x/v1/items',
      version: '1',
      seen: () => {},
      opened: () => {
        opened += 1;
      },
      signal: new AbortController().signal,
    });
    return [end, opened];
  };
  t.same(await watch(true), ['idle', 1]);
  await t.rejects(watch(false), { message: 'did not answer within 30000 ms' });
});
