import { test } from 'tap';
import type { KubernetesClient } from '../../src/kubernetes/client.ts';
import { ApiFailure } from '../../src/kubernetes/failure.ts';
import { listItems } from '../../src/kubernetes/list.ts';

/** A client whose answer is this text, in chunks of so many bytes. */
function answering(text: string, chunkBytes = text.length): Pick<KubernetesClient, 'stream'> {
  const bytes = Buffer.from(text);
  return {
    async *stream() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

/** The items and the metadata. */
async function read(client: Pick<KubernetesClient, 'stream'>) {
  const items: unknown[] = [];
  const list = listItems(client, { path: '/list', timeoutMs: 60_000 });
  let next = await list.next();
  for (; next.done !== true; next = await list.next()) items.push(next.value);
  return { items, metadata: next.value };
}

const odd = [
  { name: 'braces } in ] "strings" \\', items: [{ items: [1] }], note: '"items":[{' },
  { name: 'ünïcode', empty: {}, list: [] },
  {},
];

test('the items of a list and its metadata are read, wherever chunks end', async (t) => {
  const metadata = { resourceVersion: '7', continue: 'next' };
  const texts = [
    JSON.stringify({ kind: 'List', metadata, items: odd }),
    JSON.stringify({ items: odd, kind: '"items"', metadata }),
    JSON.stringify({ other: { items: [{ no: true }] }, metadata, items: odd }, null, 2),
  ];
  for (const text of texts)
    for (const chunkBytes of [1, 2, 7, 4096])
      t.same(await read(answering(text, chunkBytes)), { items: odd, metadata });
});

test('a list without items has none', async (t) => {
  for (const text of ['{}', '{"items":null}', '{"items":[]}', '{"items": [ ] , "metadata":{}}'])
    t.same(await read(answering(text)), { items: [], metadata: {} });
});

test('an answer that is no list, is cut, nests too deep or has too long a part is refused', async (t) => {
  const deep = `{"items":[${'['.repeat(200)}`;
  const long = `{"items":[{"a":"${'x'.repeat(17 * 1024 * 1024)}`;
  const texts = [
    '',
    'null',
    '[1]x',
    '{"items":[{"a":1}',
    '{"items":[{"a" 1}]}',
    '{"items":[1,2]}',
    deep,
    long,
  ];
  for (const text of texts) {
    const failure = await read(answering(text, 64 * 1024)).catch((error: unknown) => error);
    t.ok(failure instanceof ApiFailure, text.slice(0, 20));
    t.match(failure, { kind: 'invalid' });
  }
});
