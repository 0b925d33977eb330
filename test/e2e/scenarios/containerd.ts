import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../../src/oci/digest.ts';
import { generatedImage, pushImage } from '../../support/images.ts';
import type { Stage } from '../../support/program.ts';
import { assertAskedOnce } from '../fixtures/compare.ts';
import { containerdDaemon } from '../fixtures/containerd.ts';
import { quayside, upstreamName } from '../fixtures/quayside.ts';
import { contentRequests, registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

/**
 * containerd with a `hosts.toml`: it says by `?ns=` which registry the user wrote, and keeps the
 * repository's path.
 */
export const containerd: Scenario = {
  name: 'containerd',
  needs: ['docker-registry', 'containerd', 'ctr'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const proxy = await quayside(stage, { upstream: upstream.url });
    const image = await generatedImage({
      seed: 'containerd',
      layers: [3_000, 90_000, 6 * 1024 * 1024],
      platforms: ['linux/amd64'],
      mediaTypes: 'oci',
    });
    const list = await generatedImage({
      seed: 'containerd list',
      layers: [5_000],
      platforms: ['linux/amd64', 'linux/arm64'],
      mediaTypes: 'docker',
    });
    await pushImage(upstream.url, 'team/app', 'one', image);
    await pushImage(upstream.url, 'team/app', 'many', list);
    const daemon = await containerdDaemon(scene);
    const ctr = (...args: string[]) => daemon(args);
    const hosts = await hostsFolder(stage, `http://${upstream.host}`, proxy.url);
    const pull = (tag: string, ...more: string[]) =>
      ctr(
        'images',
        'pull',
        '--hosts-dir',
        hosts,
        '--snapshotter',
        'native',
        ...more,
        `${upstreamName}/team/app:${tag}`,
      );
    const drop = (tag: string) => ctr('images', 'rm', '--sync', `${upstreamName}/team/app:${tag}`);

    await upstream.forget();
    await fact('a cold pull through the mirror unpacks', () => pull('one'));
    await fact('every manifest and blob is byte for byte what was pushed', async () => {
      for (const { descriptor } of [image.root, ...image.manifests, ...image.blobs]) {
        const { bytes } = await ctr('content', 'get', descriptor.digest);
        assert.equal(digestOf(bytes), descriptor.digest);
        assert.equal(bytes.byteLength, descriptor.size);
      }
    });
    await fact('only Quayside asked the upstream, for each blob once', async () => {
      const asked = await upstream.asked();
      assertAskedOnce(asked, image);
      assert.deepEqual(
        contentRequests(asked.filter(({ userAgent }) => userAgent.startsWith('containerd/'))),
        [],
      );
    });
    await fact('all platforms of a docker manifest list are pulled', async () => {
      await pull('many', '--all-platforms');
      for (const { descriptor } of list.manifests) await ctr('content', 'get', descriptor.digest);
    });
    await drop('one');
    await upstream.forget();
    await fact('a warm pull asks the upstream for nothing', async () => {
      await pull('one');
      assert.deepEqual(contentRequests(await upstream.asked()), []);
    });
    await drop('one');
    await proxy.stop();
    await fact('with Quayside stopped, containerd falls over to the upstream', async () => {
      await pull('one');
      const asked = await upstream.asked();
      assert.ok(asked.some(({ userAgent }) => userAgent.startsWith('containerd/')));
    });
    await drop('one');
    await proxy.start();
    await upstream.stop();
    await fact('with the upstream stopped, a pull is served from what was kept', () => pull('one'));
  },
};

async function hostsFolder(stage: Stage, server: string, mirror: string): Promise<string> {
  const folder = join(stage.directory, 'certs.d');
  await mkdir(join(folder, upstreamName), { recursive: true });
  const lines = [`server = "${server}"`, `[host."${mirror}"]`, '  capabilities = ["pull", "resolve"]'];
  await writeFile(join(folder, upstreamName, 'hosts.toml'), lines.join('\n'));
  return folder;
}
