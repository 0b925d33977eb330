import { test } from 'tap';
import { createSliceList } from '../../../src/app/replicas/endpoint-slices.ts';
import type { KubernetesClient } from '../../../src/kubernetes/client.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const slice = (name: string, addresses: readonly string[], conditions: object = {}, service = 'fleet') => ({
  metadata: { name, labels: { 'kubernetes.io/service-name': service } },
  ports: [
    { name: 'http', port: 8400 },
    { name: 'members', port: 8402 },
  ],
  endpoints: [{ addresses, conditions }],
});

test('members are the pods of all slices of the Service, but for those that end', async (t) => {
  const events = Promise.withResolvers<string>();
  const list = {
    metadata: { resourceVersion: '7' },
    items: [
      slice('one', ['10.0.0.1'], { ready: false }),
      slice('two', ['fd00::2']),
      slice('other', ['10.9.9.9'], {}, 'other'),
      slice('ending', ['10.0.0.3'], { terminating: true }),
    ],
  };
  const asked: string[] = [];
  const client: Pick<KubernetesClient, 'stream' | 'close'> = {
    async *stream({ path, opened }) {
      asked.push(path);
      if (!path.includes('watch=true')) return void (yield Buffer.from(JSON.stringify(list)));
      opened?.();
      yield Buffer.from(`${await events.promise}\n`);
      await new Promise(() => undefined);
    },
    close: async () => undefined,
  };
  const told: (readonly string[])[] = [];
  const turns = (): Promise<unknown> => new Promise(setImmediate);
  const members = createSliceList({
    ...{ client, namespace: 'quayside', service: 'fleet', port: 'members', clock: createManualClock() },
    failed: (error) => t.fail(String(error)),
  });
  members.follow((listed) => told.push(listed));
  while (told.length < 1) await turns();
  t.same(told, [['10.0.0.1:8402', '[fd00::2]:8402']]);
  t.match(asked[1], /resourceVersion=7/);
  events.resolve(JSON.stringify({ type: 'DELETED', object: slice('one', []) }));
  while (told.length < 2) await turns();
  t.same(told[1], ['[fd00::2]:8402']);
  members.close();
});

test('an API server that fails leaves the list as it was, and is asked again', async (t) => {
  const clock = createManualClock();
  const failures: unknown[] = [];
  let asked = 0;
  const members = createSliceList({
    client: {
      async *stream() {
        asked += 1;
        yield* [];
        throw new Error('down');
      },
      close: async () => undefined,
    },
    ...{ namespace: 'quayside', service: 'fleet', clock },
    failed: (error) => failures.push(error),
  });
  members.follow(() => t.fail('nothing is known'));
  await clock.pass(5_000);
  t.equal(failures.length, asked);
  t.ok(asked >= 2);
  members.close();
});
