import assert from 'node:assert/strict';
import { join } from 'node:path';
import { generatedImage, pushImage } from '../../support/images.ts';
import { assertAskedOnce, assertDirectoryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { quayside } from '../fixtures/quayside.ts';
import { contentRequests, registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

/** skopeo: whole multi-arch images of both media type families, inspect, list-tags. */
export const skopeo: Scenario = {
  name: 'skopeo',
  needs: ['docker-registry', 'skopeo'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const proxy = await quayside(stage, { upstream: upstream.url });
    const { env } = await containersConfig(stage);
    const run = (...args: string[]) => stage.run(scene.path('skopeo'), args, { env });
    const copy = async (tag: string, folder: string) => {
      const directory = join(stage.directory, folder);
      const source = `docker://${proxy.prefix}/team/app:${tag}`;
      await run('copy', '--insecure-policy', '--src-tls-verify=false', '--all', source, `dir:${directory}`);
      return directory;
    };

    for (const mediaTypes of ['oci', 'docker'] as const) {
      const image = await generatedImage({
        seed: `skopeo ${mediaTypes}`,
        layers: [3_000, 70_000, 8 * 1024 * 1024],
        platforms: ['linux/amd64', 'linux/arm64', 'linux/arm/v7'],
        mediaTypes,
      });
      await pushImage(upstream.url, 'team/app', mediaTypes, image);
      await upstream.forget();
      await fact(`skopeo copies a cold multi-arch image of ${mediaTypes} types, byte for byte`, async () =>
        assertDirectoryHolds(await copy(mediaTypes, `cold-${mediaTypes}`), image),
      );
      await fact('the upstream has sent each blob and each manifest once', async () =>
        assertAskedOnce(await upstream.asked(), image),
      );
      await upstream.forget();
      await fact(
        `a warm copy of ${mediaTypes} types is equal and asks the upstream for nothing`,
        async () => {
          await assertDirectoryHolds(await copy(mediaTypes, `warm-${mediaTypes}`), image);
          assert.deepEqual(contentRequests(await upstream.asked()), []);
        },
      );
    }

    await fact('skopeo inspects through Quayside', async () => {
      const { stdout } = await run('inspect', '--tls-verify=false', `docker://${proxy.prefix}/team/app:oci`);
      const told = JSON.parse(stdout) as { Layers: string[]; RepoTags: string[]; Architecture: string };
      assert.equal(told.Layers.length, 3);
      assert.equal(told.Architecture, 'amd64');
      assert.deepEqual(new Set(told.RepoTags), new Set(['docker', 'oci']));
    });

    await fact('skopeo inspects the raw manifest, byte for byte', async () => {
      const reference = `docker://${proxy.prefix}/team/app:docker`;
      const through = await run('inspect', '--raw', '--tls-verify=false', reference);
      const straight = await run(
        'inspect',
        '--raw',
        '--tls-verify=false',
        `docker://${upstream.host}/team/app:docker`,
      );
      assert.deepEqual(through.bytes, straight.bytes);
    });

    await fact('skopeo lists the tags', async () => {
      const { stdout } = await run('list-tags', '--tls-verify=false', `docker://${proxy.prefix}/team/app`);
      const { Tags: tags } = JSON.parse(stdout) as { Tags: string[] };
      assert.deepEqual(new Set(tags), new Set(['docker', 'oci']));
    });

    await fact('an absent tag is a manifest that is unknown', async () => {
      const reference = `docker://${proxy.prefix}/team/app:absent`;
      const result = await stage.run(scene.path('skopeo'), ['inspect', '--tls-verify=false', reference], {
        env,
        mayFail: true,
      });
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /manifest unknown/i);
    });
  },
};
