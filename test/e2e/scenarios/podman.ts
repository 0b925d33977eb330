import assert from 'node:assert/strict';
import { type GeneratedImage, generatedImage, pushImage } from '../../support/images.ts';
import { assertAskedOnce } from '../fixtures/compare.ts';
import { containersConfig, podmanStorage } from '../fixtures/containers.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { contentRequests, registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

/**
 * podman with a `registries.conf`: Quayside is the first mirror, the upstream itself the last
 * resort.
 */
export const podman: Scenario = {
  name: 'podman',
  needs: ['docker-registry', 'podman'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const proxy = await quayside(stage, { upstream: upstream.url });
    const { env, policy } = await containersConfig(stage, [
      {
        prefix: `${upstreamName}/team`,
        location: `${upstream.host}/team`,
        mirrors: [`${proxy.prefix}/team`],
      },
    ]);
    const images = await pushed(upstream.url);
    const run = async (...args: string[]) => {
      const { stdout } = await stage.run(scene.path('podman'), [...podmanStorage(stage), ...args], { env });
      return stdout.trim();
    };
    const pull = async (tag: keyof typeof images) => {
      const reference = `${upstreamName}/team/app:${tag}`;
      await run('pull', '--quiet', '--signature-policy', policy, reference);
      const digest = await run('image', 'inspect', '--format', '{{.Digest}}', reference);
      await run('rmi', '--all', '--force');
      assert.equal(digest, images[tag].root.descriptor.digest);
    };
    const byPodman = async () =>
      (await upstream.asked()).filter(({ userAgent }) => /podman|containers/.test(userAgent));

    await upstream.forget();
    for (const tag of ['oci', 'docker'] as const) {
      await fact(
        `a cold pull of ${tag} types goes through Quayside, unpacks and has the digest that was pushed`,
        () => pull(tag),
      );
    }
    await fact('podman itself never asks the upstream while its mirror answers', async () =>
      assert.deepEqual(contentRequests(await byPodman()), []),
    );
    await fact('what podman wanted left the upstream once', async () => {
      const asked = await upstream.asked();
      assertAskedOnce(asked, images.oci);
      assertAskedOnce(asked, images.docker);
    });
    await upstream.forget();
    await fact('a warm pull is served and asks the upstream for nothing', async () => {
      await pull('oci');
      assert.deepEqual(contentRequests(await upstream.asked()), []);
    });

    await proxy.stop();
    await fact('with Quayside stopped, podman falls over to the upstream', async () => {
      await pull('docker');
      assert.ok((await byPodman()).length > 0);
    });
    await proxy.start();
    await fact('after a restart Quayside serves what it kept, asking for no blob again', async () => {
      await upstream.forget();
      await pull('docker');
      assert.deepEqual(
        contentRequests(await upstream.asked()).filter((request) => request.includes('/blobs/')),
        [],
      );
    });

    await upstream.stop();
    await fact('with the upstream stopped, a pull is served from what was kept', () => pull('oci'));
    await fact(
      'with the upstream stopped, a tag never seen fails within seconds, not by hanging',
      async () => {
        const reference = `${upstreamName}/team/app:unseen`;
        const args = [...podmanStorage(stage), 'pull', '--quiet', '--signature-policy', policy, reference];
        const result = await stage.run(scene.path('podman'), args, { env, mayFail: true, timeoutMs: 45_000 });
        assert.notEqual(result.code, 0);
      },
    );
  },
};

/** One platform each, so that podman wants every blob that was pushed. */
async function pushed(url: string): Promise<Readonly<Record<'oci' | 'docker', GeneratedImage>>> {
  const layers = [3_000, 90_000, 6 * 1024 * 1024];
  const image = (mediaTypes: 'oci' | 'docker') =>
    generatedImage({ seed: `podman ${mediaTypes}`, layers, mediaTypes });
  const images = { oci: await image('oci'), docker: await image('docker') };
  await pushImage(url, 'team/app', 'oci', images.oci);
  await pushImage(url, 'team/app', 'docker', images.docker);
  return images;
}
