import assert from 'node:assert/strict';
import { join } from 'node:path';
import { digestOf } from '../../../src/oci/digest.ts';
import { generatedImage, pushImage } from '../../support/images.ts';
import { assertAskedOnce } from '../fixtures/compare.ts';
import { quayside } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

/** crane, the other large family of registry clients. */
export const crane: Scenario = {
  name: 'crane',
  needs: ['docker-registry', 'crane'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const proxy = await quayside(stage, { upstream: upstream.url });
    const image = await generatedImage({
      seed: 'crane',
      layers: [3_000, 70_000, 1_000_000],
      platforms: ['linux/amd64', 'linux/arm64'],
      mediaTypes: 'docker',
    });
    await pushImage(upstream.url, 'team/app', 'many', image);
    await upstream.forget();
    const reference = `${proxy.prefix}/team/app:many`;
    const run = (...args: string[]) => stage.run(scene.path('crane'), [...args, '--insecure']);

    await fact('crane pulls all platforms into a layout', () =>
      run('pull', '--format', 'oci', reference, join(stage.directory, 'layout')),
    );
    await fact('the upstream has sent each blob and each manifest once', async () =>
      assertAskedOnce(await upstream.asked(), image),
    );
    await fact('crane validates every digest, size and layer', async () => {
      const { stderr, stdout } = await run('validate', '--remote', reference);
      assert.match(stdout + stderr, /PASS/);
    });
    await fact('crane tells the digest and the manifest that were pushed', async () => {
      assert.equal((await run('digest', reference)).stdout.trim(), image.root.descriptor.digest);
      assert.equal(digestOf((await run('manifest', reference)).bytes), image.root.descriptor.digest);
    });
    await fact('crane lists the tags', async () =>
      assert.equal((await run('ls', `${proxy.prefix}/team/app`)).stdout.trim(), 'many'),
    );
  },
};
