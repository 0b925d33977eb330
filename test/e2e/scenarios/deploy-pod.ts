import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { fieldsOf } from '../../../src/base/text/json.ts';
import { at } from '../../deploy/rendered.ts';
import { testAuthority } from '../../support/certificates.ts';
import { freePort } from '../../support/program.ts';
import { renderedCase } from '../fixtures/chart.ts';
import { nodeImage, podContainer } from '../fixtures/pod-container.ts';
import type { Scenario } from '../scenario.ts';

/** One pod's container as its spec says, on an image that is made on the spot. */
export const deployPod: Scenario = {
  name: 'deploy-pod',
  needs: ['helm', 'podman'],
  async play(scene) {
    const { fact, stage } = scene;
    const [port, admin] = [await freePort(), await freePort()];
    const folder = await renderedCase(scene, 'qci-appci', [
      `settings.listen=0.0.0.0:${port}`,
      `settings.admin.listen=0.0.0.0:${admin}`,
    ]);
    const [deployment] = parseAllDocuments(await readFile(join(folder, 'deployment.yaml'), 'utf8'));
    const config: unknown = parse(await readFile(join(folder, 'config.yaml'), 'utf8'));
    const pod = at(fieldsOf(deployment?.toJS()), 'spec', 'template', 'spec');
    const { cert, key } = testAuthority().issued({ hosts: ['quay-proxy.ci.openshift.org'] });
    const account = join(stage.directory, 'account');
    await mkdir(account);
    await writeFile(join(account, 'token'), 'a token of the pod');
    await writeFile(join(account, 'ca.crt'), cert);
    await nodeImage(scene);
    const files = {
      'qci-appci': { 'quayside.yaml': String(at(config, 'data', 'quayside.yaml')) },
      'qci-appci-tls': { 'tls.crt': cert, 'tls.key': key },
      'qci-robot-credentials': { username: 'robot', password: 'password' },
      'qci-appci-credentials': { token: 'a secret of the test, of thirty-two bytes or more' },
    };
    const running = await podContainer(scene, pod, files, [
      ...['--volume', `${account}:/var/run/secrets/kubernetes.io/serviceaccount:ro`],
      ...['--env', 'KUBERNETES_SERVICE_HOST=127.0.0.1', '--env', 'KUBERNETES_SERVICE_PORT=1'],
    ]);
    await fact('it starts with a read-only root, without rights, as a user that is not root', async () => {
      await running.listens(port, 60_000);
      await running.listens(admin);
      for (const probe of ['livez', 'readyz'])
        assert.equal((await fetch(`http://127.0.0.1:${admin}/${probe}`)).status, 200, probe);
    });
    await fact('its metrics are reached, which qci-appci had not', async () =>
      assert.match(await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text(), /^quayside_/m),
    );
    await fact('it ends by itself when it is told to', async () => {
      await running.stop('SIGTERM');
      assert.match(await running.output(), /"msg":"stopped"/);
    });
  },
};
