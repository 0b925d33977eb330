import { test } from 'tap';
import { badDay } from './bad-days/rig.ts';

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
