import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'tap';
import { createHttpFront } from '../../src/drill/fronts/http-front.ts';
import { wellAfter } from '../../src/drill/play/recovery.ts';
import { createMemoryRegistry } from '../../src/drill/stand/registry.ts';
import { createDrillImages } from '../../src/drill/watch/images.ts';
import { createDigestThreads } from '../../src/load/verify/threads.ts';
import { listening } from '../support/listening.ts';

test('wrong bytes that come while a fleet recovers are counted', async (t) => {
  const registry = await createMemoryRegistry();
  t.teardown(() => registry.close());
  const front = await createHttpFront(registry.url);
  t.teardown(() => front.close());
  const ready = await listening(createServer((_request, response) => response.end('ready')));
  t.teardown(ready.close);
  const checks = createDigestThreads(1);
  t.teardown(() => checks.close());
  const images = await createDrillImages({ registry }, 'recovery');
  const replica = { name: 'replica-1', url: front.url, admin: `http://${ready.host}` };
  const tokenFile = join(t.testdir({ token: 'a-token' }), 'token');
  const fleet = (withinMs: number) => ({
    ...{ stand: { replicas: [replica], tokenFile }, images, checks },
    signal: AbortSignal.timeout(withinMs),
  });
  front.set({ kind: 'garbled', meets: (_method, path) => path.includes('/blobs/') });
  const unwell = await wellAfter(fleet(300));
  t.equal(unwell.wellMs, undefined);
  t.match(unwell.wrong[0], /^GET .*: \d+ bytes, not those of sha256:/);
  front.set(undefined);
  t.match(await wellAfter(fleet(5_000)), { wellMs: Number, wrong: [] });
});
