import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Fence, fencesOf } from '../../support/fences.ts';
import { generatedImage, pushImage } from '../../support/images.ts';
import { freePort } from '../../support/program.ts';
import { podmanStorage } from '../fixtures/containers.ts';
import { farAway } from '../fixtures/far-away.ts';
import { command } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

const project = join(import.meta.dirname, '../../..');

/**
 * The commands of the quick start and of the README, as they are written there: in one directory,
 * one after the other, against a `quay.io` on loopback. Only the ports are others, as 8400 may be
 * in use.
 */
export const docs: Scenario = {
  name: 'docs',
  needs: ['docker-registry', 'podman', 'curl'],
  async play(scene) {
    const { stage, fact } = scene;
    const upstream = await registry(scene);
    const image = await generatedImage({ seed: 'docs', layers: [3_000, 200_000], mediaTypes: 'oci' });
    await pushImage(upstream.url, 'prometheus/busybox', 'latest', image);
    const ports = { '127.0.0.1:8400': await freePort(), '127.0.0.1:8401': await freePort() };
    const here = (text: string): string =>
      Object.entries(ports).reduce(
        (changed, [written, port]) => changed.replaceAll(written, `127.0.0.1:${port}`),
        text,
      );
    const env = { ...(await readersMachine(scene)), ...(await farAway(stage, 'quay.io', upstream.host)) };
    const cwd = join(stage.directory, 'reader');

    const play = async ({ language, marks, text }: Fence): Promise<unknown> => {
      const [mark = '', file = ''] = marks;
      if (language === 'yaml') return mark === '' ? undefined : writeFile(join(cwd, mark), here(text));
      if (file !== 'server') return stage.run('sh', ['-e', '-c', here(text)], { env, cwd });
      const server = await stage.start('sh', ['-e', '-c', `exec ${here(text)}`], {
        name: 'server',
        env,
        cwd,
      });
      await server.listens(ports['127.0.0.1:8400']);
      return server.listens(ports['127.0.0.1:8401']);
    };
    for (const page of ['docs/quick-start.md', 'README.md']) {
      const fences = fencesOf(await readFile(join(project, page), 'utf8'));
      for (const fence of fences.filter(isPlayed))
        await fact(`${page}: ${fence.text.split('\n')[0]}`, () => play(fence));
    }
  },
};

function isPlayed({ language, marks: [mark] }: Fence): boolean {
  return (language === 'sh' && mark === 'run') || (language === 'yaml' && mark !== undefined);
}

/** What a reader has: a shell that finds `npx quayside`, and podman with a storage of its own. */
async function readersMachine({ stage, path }: Scene): Promise<NodeJS.ProcessEnv> {
  const [bin, home] = [join(stage.directory, 'bin'), join(stage.directory, 'home')];
  const policy = join(home, '.config/containers');
  for (const folder of [bin, policy, join(stage.directory, 'reader')])
    await mkdir(folder, { recursive: true });
  await writeFile(
    join(policy, 'policy.json'),
    JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }),
  );
  const program = async (name: string, line: string): Promise<void> => {
    await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(bin, name), 0o755);
  };
  await program('npx', `shift; exec ${process.execPath} ${command} "$@"`);
  await program('podman', `exec ${path('podman')} ${podmanStorage(stage).join(' ')} "$@"`);
  return { PATH: `${bin}${delimiter}${process.env['PATH']}`, HOME: home };
}
