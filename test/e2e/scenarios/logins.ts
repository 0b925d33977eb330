import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pushImage } from '../../support/images.ts';
import type { Finished } from '../../support/run-command.ts';
import { assertAskedOnce, assertDirectoryHolds } from '../fixtures/compare.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { multiArch } from '../fixtures/images.ts';
import { type Quayside, type QuaysideOptions, quayside } from '../fixtures/quayside.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import { tokenServer } from '../fixtures/token-server.ts';
import type { Scenario, Scene } from '../scenario.ts';

const user = { name: 'team+robot', password: 'the-upstream-password' };
const basic = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;

/**
 * An upstream that wants Basic, as `htpasswd` writes it. The client has no credential; Quayside
 * has.
 */
export const loginHtpasswd: Scenario = {
  name: 'login-htpasswd',
  needs: ['docker-registry', 'skopeo', 'htpasswd'],
  async play(scene) {
    const path = join(scene.stage.directory, 'htpasswd');
    await scene.stage.run(scene.path('htpasswd'), ['-Bbc', path, user.name, user.password]);
    const upstream = await registry(scene, { auth: { htpasswd: { realm: 'the tests', path } } });
    await pullsWithCredentials(scene, upstream, basic, {});
    await refusedWithout(scene, upstream, {});
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
    const fields = { realmHosts: [tokens.host] };
    await pullsWithCredentials(scene, upstream, `Bearer ${token}`, fields);
    await scene.fact('one token, for pulling from that repository, was enough for the whole image', () =>
      assert.deepEqual(tokens.asked, ['repository:team/app:pull']),
    );
    await refusedWithout(scene, upstream, fields);
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
  const proxy = await quayside(stage, {
    upstream: upstream.url,
    upstreamFields: { ...upstreamFields, credentials: { usernameFile, passwordFile } },
  });
  await upstream.forget();
  await fact('a client without any credential gets the image byte for byte', async () => {
    await copied(scene, proxy);
    await assertDirectoryHolds(join(stage.directory, 'copied'), image);
  });
  await fact('the upstream has sent each blob and each manifest once', async () => {
    const asked = await upstream.asked();
    assertAskedOnce(
      asked.filter(({ status }) => status !== 401),
      image,
    );
  });
  await fact('neither the log nor the metrics hold the credential', async () => {
    const written = (await proxy.output()) + (await proxy.metrics());
    assert.ok(!written.includes(user.password) && !written.includes(basic.slice('Basic '.length)));
  });
}

async function refusedWithout(
  scene: Scene,
  upstream: Registry,
  upstreamFields: QuaysideOptions['upstreamFields'],
): Promise<void> {
  const options = { upstream: upstream.url, upstreamFields: { ...upstreamFields }, name: 'stranger' };
  const stranger = await quayside(scene.stage, options);
  await scene.fact('a Quayside without the credential is refused, and says so at once', async () => {
    const { code, stderr } = await copied(scene, stranger, true);
    assert.notEqual(code, 0);
    assert.match(stderr, /denied|unauthorized|forbidden/i);
  });
}

/** skopeo, logged in nowhere, copies the image into the folder `copied`. */
async function copied({ stage, path }: Scene, { prefix }: Quayside, mayFail = false): Promise<Finished> {
  const { env } = await containersConfig(stage);
  const args = ['copy', '--insecure-policy', '--src-tls-verify=false', '--all', '--src-no-creds'];
  const [from, to] = [`docker://${prefix}/team/app:one`, `dir:${join(stage.directory, 'copied')}`];
  return stage.run(path('skopeo'), [...args, from, to], { env, mayFail });
}
