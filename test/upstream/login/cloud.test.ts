import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createUpstream } from '../../../src/upstream/client/client.ts';
import { createCredentialHelpers } from '../../../src/upstream/helpers/helpers.ts';
import { acr, cloudRegistry, ecr, gar } from '../../support/cloud-registries.ts';
import { helperProgram } from '../../support/helper-program.ts';
import { app, refusalOf, v1 } from '../rig.ts';

const clouds = { 'Amazon ECR': ecr, 'Google Artifact Registry': gar, 'Azure Container Registry': acr };

const usual = { environment: [], env: {}, timeoutMs: 20_000, keepMs: 3_600_000, exec: [] };

for (const [name, cloud] of Object.entries(clouds)) {
  test(`a helper of docker logs in at ${name}, and again when its answer has ended`, async (t) => {
    const folder = t.testdir();
    const { registry, docker, rotate } = await cloudRegistry(t, cloud);
    const program = helperProgram(folder, 'docker-credential-cloud', { says: docker() });
    const helpers = createCredentialHelpers({ ...usual, directories: [program.directory] });
    const authFile = join(folder, 'config.json');
    await writeFile(authFile, JSON.stringify({ credHelpers: { [registry.host]: 'cloud' } }));
    const settings = {
      name: registry.host,
      url: registry.url,
      allowPrivateAddresses: true,
      credentials: { authFile },
      helpers,
    };
    const upstream = createUpstream(settings);
    t.teardown(() => Promise.all([upstream.close(), helpers.close()]));
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    await upstream.manifest(app, v1);
    t.equal(program.runs.length, 1);
    rotate();
    program.answers({ says: docker() });
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    t.equal(program.runs.length, 2);
    t.notMatch(registry.requests.map(({ path, query }) => `${path}?${query}`).join('\n'), 'short-lived');
  });

  test(`a provider of the kubelet logs in at ${name}`, async (t) => {
    const { registry, kubelet, rotate } = await cloudRegistry(t, cloud);
    const program = helperProgram(t.testdir(), 'provider', { says: kubelet() });
    // A pattern of images has a host by its name or address, and its port.
    const exec = [{ name: 'provider', matchImages: [registry.host], args: [], env: {}, keepMs: 1 }];
    const helpers = createCredentialHelpers({ ...usual, directories: [program.directory], exec });
    const upstream = createUpstream({
      name: registry.host,
      url: registry.url,
      allowPrivateAddresses: true,
      helpers,
    });
    t.teardown(() => Promise.all([upstream.close(), helpers.close()]));
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    rotate();
    program.answers({ says: kubelet() });
    t.equal((await upstream.manifest(app, v1)).kind, 'found');
    t.equal(program.runs.length, 2);
  });
}

test('a login that stays refused is asked for once more, and then told', async (t) => {
  const folder = t.testdir();
  const { registry, docker, rotate } = await cloudRegistry(t, gar);
  const program = helperProgram(folder, 'docker-credential-cloud', { says: docker() });
  const helpers = createCredentialHelpers({ ...usual, directories: [program.directory] });
  const authFile = join(folder, 'config.json');
  await writeFile(authFile, JSON.stringify({ credsStore: 'cloud' }));
  const upstream = createUpstream({
    name: registry.host,
    url: registry.url,
    allowPrivateAddresses: true,
    credentials: { authFile },
    helpers,
  });
  t.teardown(() => Promise.all([upstream.close(), helpers.close()]));
  await upstream.manifest(app, v1);
  rotate();
  for (const _again of [1, 2, 3]) {
    const refusal = await refusalOf(upstream.manifest(app, v1));
    t.match(refusal, { code: 'DENIED', message: /refuses the configured credentials/ });
  }
  t.equal(program.runs.length, 2);
});
