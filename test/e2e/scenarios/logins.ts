import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pushImage } from '../../support/images.ts';
import { assertAskedOnce, assertDirectoryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { multiArch } from '../fixtures/images.ts';
import { type QuaysideOptions, quayside } from '../fixtures/quayside.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { tokenServer } from '../fixtures/token-server.ts';
import type { Scenario, Scene } from '../scenario.ts';

const user = { name: 'team+robot', password: 'the-upstream-password' };
const basic = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;

/** An upstream that wants Basic, as `htpasswd` writes it. The client has no credential; Quayside has. */
export const loginHtpasswd: Scenario = {
  name: 'login-htpasswd',
  needs: ['docker-registry', 'skopeo', 'htpasswd'],
  async play(scene) {
    const path = join(scene.stage.directory, 'htpasswd');
    await scene.stage.run(scene.path('htpasswd'), ['-Bbc', path, user.name, user.password]);
    const upstream = await registry(scene, { auth: { htpasswd: { realm: 'the tests', path } } });
    await pullsWithCredentials(scene, upstream, basic, {});
  },
};

/** An upstream that wants a bearer token from an issuer elsewhere. */
export const loginToken: Scenario = {
  name: 'login-token',
  needs: ['docker-registry', 'skopeo', 'openssl'],
  async play(scene) {
    const tokens = await tokenServer(scene, user);
    const upstream = await registry(scene, { auth: tokens.auth });
    const scope = 'repository:team/app:pull,push';
    const answer = await fetch(`${tokens.url}?scope=${scope}`, { headers: { authorization: basic } });
    const { token } = (await answer.json()) as { token: string };
    tokens.asked.length = 0;
    await pullsWithCredentials(scene, upstream, `Bearer ${token}`, { realmHosts: [tokens.host] });
    await scene.fact('one token for pulling was enough for the whole image', () =>
      assert.deepEqual(tokens.asked.slice(0, 1), ['repository:team/app:pull']),
    );
  },
};

async function pullsWithCredentials(
  scene: Scene,
  upstream: Registry,
  authorization: string,
  upstreamFields: QuaysideOptions['upstreamFields'],
): Promise<void> {
  const { stage, fact } = scene;
  const [usernameFile, passwordFile] = [join(stage.directory, 'username'), join(stage.directory, 'password')];
  await writeFile(usernameFile, `${user.name}\n`);
  await writeFile(passwordFile, `${user.password}\n`);
  const image = await multiArch('login', 'oci');
  await pushImage(upstream.url, 'team/app', 'one', image, { authorization });
  const { env } = await containersConfig(stage);
  const copy = async (prefix: string, folder: string, mayFail = false) => {
    const directory = join(stage.directory, folder);
    const args = ['copy', '--insecure-policy', '--src-tls-verify=false', '--all', '--src-no-creds'];
    const result = await stage.run(
      scene.path('skopeo'),
      [...args, `docker://${prefix}/team/app:one`, `dir:${directory}`],
      { env, mayFail },
    );
    return { directory, ...result };
  };
  const credentials = { usernameFile, passwordFile };
  const proxy = await quayside(stage, {
    upstream: upstream.url,
    upstreamFields: { ...upstreamFields, credentials },
  });
  await upstream.forget();
  await fact('a client without any credential gets the image byte for byte', async () =>
    assertDirectoryHolds((await copy(proxy.prefix, 'cold')).directory, image),
  );
  await fact('the upstream has sent each blob and each manifest once', async () =>
    assertAskedOnce(
      (await upstream.asked()).filter(({ status }) => status !== 401),
      image,
    ),
  );
  await fact('neither the log nor the metrics hold the credential', async () => {
    const written = (await proxy.output()) + (await proxy.metrics());
    assert.ok(!written.includes(user.password) && !written.includes(basic.slice('Basic '.length)));
  });
  const stranger = await quayside(stage, {
    upstream: upstream.url,
    upstreamFields: { ...upstreamFields },
    name: 'stranger',
  });
  await fact('a Quayside without the credential is refused, and says so at once', async () => {
    const { code, stderr } = await copy(stranger.prefix, 'refused', true);
    assert.notEqual(code, 0);
    assert.match(stderr, /denied|unauthorized|forbidden/i);
  });
}
