import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type NodeClient, nodeImage, nodeStand, source } from '../fixtures/node-stand.ts';
import type { Scenario, Scene } from '../scenario.ts';

/**
 * Nodes whose policy asks for a signature look one up before every pull, and do not change their
 * mirror for it: with the upstream gone, what the cache holds must be enough.
 */
export const signatures: Scenario = {
  name: 'signatures',
  needs: ['docker-registry', 'containerd', 'ctr', 'puller', 'puller-crio-1.37'],
  async play(scene) {
    const { stage, fact } = scene;
    const [signed, unsigned] = [await nodeImage(1), await nodeImage(2)];
    const key = join(stage.directory, 'cosign');
    const lookups = await registriesFolder(scene);
    const policy = join(stage.directory, 'policy.json');
    const stand = await nodeStand(scene, {
      targets: [signed, unsigned],
      flags: ['-registries-d', lookups, '-policy', policy],
    });
    await writeFile(policy, JSON.stringify(policyFor(`${source}/${signed.repository}`, key)));
    await sign(
      scene,
      { key, lookups, name: `${stand.registry}/${signed.repository}:latest` },
      signed.repository,
    );
    const pulls = async (client: NodeClient) => {
      for (const target of [signed, unsigned]) {
        const { isWhole, said, askedQci } = await stand.pull(client, target);
        assert.ok(isWhole, said);
        assert.equal(askedQci, false);
      }
    };

    await fact('an image is pulled with its signature, and one without is known to have none', () =>
      pulls('library'),
    );
    stand.link.down = true;
    for (const front of stand.others) front.down = true;
    for (const client of ['library', 'library of CRI-O 1.37'] as const)
      await fact(`with every registry gone, ${client}: both are pulled as before`, () => pulls(client));
    await fact('the signature came through the cache, and its config was never requested', () => {
      const asked = stand.cache.passed.filter(({ path }) => path.includes('.sig'));
      assert.ok(asked.some(({ status }) => status === 200));
      assert.ok(asked.some(({ status }) => status === 404));
    });
  },
};

/** Signatures are looked up at every registry. */
async function registriesFolder({ stage }: Scene): Promise<string> {
  const folder = join(stage.directory, 'registries.d');
  await mkdir(folder);
  await writeFile(join(folder, 'all.yaml'), 'default-docker:\n  use-sigstore-attachments: true\n');
  return folder;
}

function policyFor(repository: string, key: string) {
  const signedBy = {
    type: 'sigstoreSigned',
    keyPath: `${key}.pub`,
    signedIdentity: { type: 'matchRepository' },
  };
  return {
    default: [{ type: 'insecureAcceptAnything' }],
    transports: { docker: { [repository]: [signedBy] } },
  };
}

async function sign(
  { stage, path }: Scene,
  { key, lookups, name }: { readonly key: string; readonly lookups: string; readonly name: string },
  repository: string,
): Promise<void> {
  const conf = join(stage.directory, 'signing.conf');
  const [host = ''] = name.split('/');
  await writeFile(conf, `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  const flags = ['-registries-conf', conf, '-registries-d', lookups, '-scratch', stage.directory];
  const identity = `${source}/${repository}:latest`;
  await stage.run(path('puller'), [...flags, '-key', key, '-identity', identity, 'sign', name]);
}
