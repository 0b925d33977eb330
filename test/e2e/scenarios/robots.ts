import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pushImage } from '../../support/images.ts';
import { assertDirectoryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { multiArch } from '../fixtures/images.ts';
import { quayside } from '../fixtures/quayside.ts';
import { contentRequests, registry } from '../fixtures/registry.ts';
import type { Scenario } from '../scenario.ts';

const robot = { name: 'builder', password: 'the-robot-password' };

/** `auth: robots`: clients log in to Quayside with a pair from an htpasswd file. */
export const robots: Scenario = {
  name: 'robots',
  needs: ['docker-registry', 'skopeo', 'podman', 'htpasswd', 'curl'],
  async play(scene) {
    const { stage, fact } = scene;
    const htpasswdFile = join(stage.directory, 'robots');
    await stage.run(scene.path('htpasswd'), ['-Bbc', htpasswdFile, robot.name, robot.password]);
    const tokenSecretFile = join(stage.directory, 'token-secret');
    await writeFile(tokenSecretFile, 'x'.repeat(64), { mode: 0o600 });
    const upstream = await registry(scene);
    const image = await multiArch('robots', 'oci');
    await pushImage(upstream.url, 'team/app', 'one', image);
    const proxy = await quayside(stage, {
      upstream: upstream.url,
      config: { hosts: { '*': { auth: 'robots', robots: { htpasswdFile }, tokenSecretFile } } },
    });
    const { env } = await containersConfig(stage);
    const copy = (credentials: readonly string[], folder: string, mayFail = false) => {
      const args = ['copy', '--insecure-policy', '--src-tls-verify=false', '--all', ...credentials];
      const reference = `docker://${proxy.prefix}/team/app:one`;
      return stage.run(scene.path('skopeo'), [...args, reference, `dir:${join(stage.directory, folder)}`], {
        env,
        mayFail,
      });
    };
    const login = (password: string) => {
      const args = ['login', '--tls-verify=false', '--username', robot.name, '--password-stdin', proxy.host];
      return stage.run(scene.path('podman'), args, { env, mayFail: true, input: password });
    };

    await fact(
      'without a credential nothing is answered, and the upstream is asked for nothing',
      async () => {
        await upstream.forget();
        const { code, stderr } = await copy(['--src-no-creds'], 'nobody', true);
        assert.notEqual(code, 0);
        assert.match(stderr, /unauthorized|authentication required/i);
        assert.deepEqual(contentRequests(await upstream.asked()), []);
      },
    );
    await fact('a robot copies the image byte for byte', async () => {
      await copy(['--src-creds', `${robot.name}:${robot.password}`], 'robot');
      await assertDirectoryHolds(join(stage.directory, 'robot'), image);
    });
    await fact('a warm image is refused to a wrong password as well', async () => {
      const { code } = await copy(['--src-creds', `${robot.name}:wrong`], 'wrong', true);
      assert.notEqual(code, 0);
    });
    await fact('podman login refuses a wrong password', async () =>
      assert.notEqual((await login('wrong')).code, 0),
    );
    await fact('podman login succeeds, and its auth file is enough for a copy', async () => {
      const { code, stderr } = await login(robot.password);
      assert.equal(code, 0, stderr);
      await copy([], 'logged-in');
      await assertDirectoryHolds(join(stage.directory, 'logged-in'), image);
    });
    await fact('curl pulls with Basic alone', async () => {
      const url = `${proxy.url}/v2/registry.test/team/app/manifests/one`;
      const { bytes } = await stage.run(scene.path('curl'), [
        '-sSf',
        '-u',
        `${robot.name}:${robot.password}`,
        url,
      ]);
      assert.deepEqual(bytes, Buffer.from(image.root.bytes));
    });
    await fact('the log holds no credential and no token', async () => {
      const log = await proxy.output();
      assert.ok(!log.includes(robot.password));
      assert.doesNotMatch(log, /eyJ[\w-]+\.eyJ/);
    });
  },
};
