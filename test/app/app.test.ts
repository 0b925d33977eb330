import { test } from 'tap';
import { badDay } from '../bad-days/rig.ts';

test('one that leaves is not ready, and answers new connections as before', async (t) => {
  const { service, url, get } = await badDay(t);
  const probed = async (path: string) => {
    const at = [url, `http://${service.adminAddress}`];
    return Promise.all(at.map(async (origin) => (await fetch(`${origin}${path}`)).status));
  };
  t.same(await probed('/readyz'), [200, 200]);
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
  const startedAt = performance.now();
  await rig.stop();
  t.ok(performance.now() - startedAt < 8_000);
  t.notOk(rig.log.some(({ level }) => level === 'error'));
});
