import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { digestOf } from '../../../src/oci/digest.ts';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { filesOf } from '../fixtures/bodies.ts';
import { front } from '../fixtures/front.ts';
import { largest, onePlatform } from '../fixtures/images.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

/** SIGTERM while a client pulls. */
export const shutdown: Scenario = {
  name: 'shutdown',
  needs: ['docker-registry'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const link = await front(stage, upstream.url);
    const proxy = await quayside(stage, { upstream: link.url, config: { shutdownDelayMs: '1s' } });
    const image = await onePlatform('shutdown', 'oci', 16);
    await pushImage(upstream.url, 'team/app', 'one', image);
    const { digest, size } = largest(image).descriptor;
    const base = `${proxy.url}/v2/${upstreamName}/team/app`;
    await (await fetch(`${base}/manifests/one`)).arrayBuffer();
    const release = link.hold(digest, size / 2);
    const answer = await fetch(`${base}/blobs/${digest}`);
    const stopped = proxy.stop('SIGTERM');

    await fact('first it is only not ready: a new connection is served', async () => {
      await until('readiness falls', async () => (await fetch(`${proxy.admin}/readyz`)).status === 503);
      const asked = await fetch(`${proxy.url}/v2/`, { headers: { connection: 'close' } });
      assert.equal(asked.status, 200);
    });
    await fact('then a new request is no longer taken', async () => {
      let taken = true;
      for (let tries = 0; taken && tries < 100; tries += 1) {
        taken = await fetch(`${proxy.url}/v2/`, { headers: { connection: 'close' } }).then(
          ({ ok }) => ok,
          () => false,
        );
        await delay(20);
      }
      assert.equal(taken, false);
    });
    release();
    await fact('the pull under way ends whole and right', async () =>
      assert.equal(digestOf(new Uint8Array(await answer.arrayBuffer())), digest),
    );
    await fact('Quayside ends by itself, with exit code 0', async () =>
      assert.deepEqual(await stopped, { code: 0, signal: null }),
    );
    await fact('nothing is left in the spool', async () =>
      assert.deepEqual(await filesOf(proxy.spoolFolder), []),
    );
    await fact('what was pulled during the end is there after the next start', async () => {
      await proxy.start();
      link.down = true;
      const again = await fetch(`${base}/blobs/${digest}`);
      assert.equal(digestOf(new Uint8Array(await again.arrayBuffer())), digest);
    });
  },
};
