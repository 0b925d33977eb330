import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'tap';
import { stringify } from 'yaml';
import { createService } from '../../src/app/app.ts';
import { load } from '../../src/config/load.ts';
import { logger } from '../../src/telemetry/log.ts';
import { badDay } from '../bad-days/rig.ts';
import { until } from '../support/bodies.ts';
import { createOwnWatch } from '../support/own-watch.ts';

test('one that leaves is not ready, and answers new connections as before', async (t) => {
  const { service, url, get } = await badDay(t);
  const probed = async (path: string) => {
    const at = [url, `http://${service.adminAddress}`];
    return Promise.all(at.map(async (origin) => (await fetch(`${origin}${path}`)).status));
  };
  const isReady = async () => (await probed('/readyz')).every((status) => status === 200);
  await until(isReady, 'both listeners ready');
  service.leave();
  t.same(await probed('/readyz'), [503, 503]);
  t.same(await probed('/livez'), [200, 200]);
  const answer = await get('manifests/tools', { headers: { connection: 'close' } });
  t.equal(answer.status, 200);
});

test('a refresh behind an answer does not hold up the end when the upstream hangs', async (t) => {
  const rig = await badDay(t, {
    settings: { shutdownGraceMs: '2200ms', tags: { freshMs: 0, refreshBehindMs: '1h' } },
    upstream: { firstByteTimeoutMs: '15s', retries: 0 },
  });
  await (await rig.get('manifests/tools')).arrayBuffer();
  rig.double.switches.delayMs = 60_000;
  t.equal((await rig.get('manifests/tools')).status, 200);
  const ownMs = createOwnWatch();
  await rig.stop();
  t.ok(ownMs() < 8_000);
  t.notOk(rig.log.some(({ level }) => level === 'error'));
});

test('a request that an operator began and does not end does not hold up the end', async (t) => {
  const { service, stop } = await badDay(t);
  const [host, port] = service.adminAddress?.split(':') ?? [];
  const operator = connect(Number(port), host ?? '');
  const isCut = once(operator, 'close');
  await once(operator, 'connect');
  operator.write('GET /metrics HTTP/1.1\r\n');
  // Behind it: the server has read both by then.
  await (await fetch(`http://${service.adminAddress}/livez`)).arrayBuffer();
  await stop();
  await isCut;
  t.equal(operator.destroyed, true);
});

test('every part is closed, and the failure of one is thrown after that', async (t) => {
  const before = await badDay(t);
  await (await before.get('manifests/tools')).arrayBuffer();
  await before.stop();
  let isFull = false;
  const write = (): void => {
    if (isFull) throw new Error('the log cannot be written');
  };
  const settings = {
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    store: { filesystem: { path: before.directory } },
    upstreams: { 'quay.io': { url: before.double.url, allowPrivateAddresses: true } },
  };
  const log = logger({ destination: { write } });
  const service = await createService(load(stringify(settings), {}), { log, env: {} });
  const answer = await fetch(`http://${service.address}/v2/openshift/ci/manifests/tools`);
  t.equal(answer.headers.get('quayside-cache'), 'hit; store', 'all but its use is on record');
  await answer.arrayBuffer();
  await rm(before.directory, { recursive: true, force: true, maxRetries: 5 });
  await writeFile(before.directory, 'no directory');
  isFull = true;
  await t.rejects(service.close(), { message: 'the log cannot be written' });
  for (const address of [service.address, service.adminAddress])
    await t.rejects(fetch(`http://${address}/livez`), 'it listens no more');
});
