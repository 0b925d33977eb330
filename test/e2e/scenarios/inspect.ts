import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, hexOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { generatedArtifact, generatedImage, pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { onePlatform } from '../fixtures/images.ts';
import { mirrorLines, mirrorStand, names } from '../fixtures/mirror-stand.ts';
import { flat } from '../fixtures/mirrored.ts';
import { command } from '../fixtures/quayside.ts';
import { type Registry, registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** `image info`, `mirror verify` and `revert`, beside what other programs say of the same. */
export const inspect: Scenario = {
  name: 'inspect',
  needs: ['docker-registry', 'distribution', 'skopeo', 'crane', 'regctl'],
  async play(scene) {
    const programs = await tools(scene);
    const source = await registry(scene, { name: 'source', takesSchema1: true });
    await infoFacts(scene, source, programs);
    await verifyFacts(scene, source, programs);
    await revertFacts(scene, programs);
    await heldFacts(scene, programs);
  },
};

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Tools {
  quayside(...args: string[]): Promise<Finished>;
  /** Throws unless they end with 0. */
  skopeo(...args: string[]): Promise<string>;
  crane(...args: string[]): Promise<string>;
  regctl(...args: string[]): Promise<string>;
  /** Whether crane finds every blob, and that it is what its digest says. */
  isValid(reference: string): Promise<boolean>;
}

async function tools({ stage, path }: Scene): Promise<Tools> {
  const { env } = await containersConfig(stage);
  const run = async (program: 'crane' | 'regctl' | 'skopeo', args: readonly string[], mayFail = false) =>
    stage.run(path(program), [...args], { env: { ...env, HOME: stage.directory }, mayFail });
  return {
    async quayside(...args) {
      return stage.run(process.execPath, [command, ...args], { env, cwd: stage.directory, mayFail: true });
    },
    skopeo: async (...args) => (await run('skopeo', args)).stdout,
    crane: async (...args) => (await run('crane', [...args, '--insecure'])).stdout,
    async regctl(...args) {
      const host = args.at(-1)?.split('/')[0] ?? '';
      return (await run('regctl', ['--host', `reg=${host},tls=disabled`, ...args])).stdout;
    },
    isValid: async (reference) =>
      (await run('crane', ['validate', '--remote', reference, '--insecure'], true)).code === 0,
  };
}

interface Info {
  readonly digest: Digest;
  readonly listDigest: string;
  readonly mediaType: string;
  readonly schema1: boolean;
  readonly layers: readonly { readonly digest: Digest; readonly size: number }[];
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly platforms: readonly { readonly digest: Digest; readonly architecture: string }[];
  readonly referrers: readonly { readonly digest: Digest; readonly kind: string }[];
}

async function infoOf({ quayside }: Tools, ...args: string[]): Promise<Info> {
  const { code, stdout, stderr } = await quayside('image', 'info', '--insecure', '-o', 'json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function infoFacts({ fact }: Scene, source: Registry, programs: Tools) {
  const { crane, regctl, skopeo } = programs;
  const single = await onePlatform('single', 'docker', 1);
  const many = await generatedImage({
    seed: 'many',
    layers: [3_000, 70_000],
    platforms: ['linux/amd64', 'linux/arm64'],
    mediaTypes: 'oci',
  });
  await pushImage(source.url, 'team/app', 'single', single);
  await pushImage(source.url, 'team/app', 'many', many);
  const [one, list] = ['single', 'many'].map((tag) => `${source.host}/team/app:${tag}`);
  assert.ok(one !== undefined && list !== undefined);

  await fact('digest, layers and configuration are those that skopeo, crane and regctl see', async () => {
    const info = await infoOf(programs, one);
    const told = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${one}`));
    assert.equal(info.digest, told.Digest);
    assert.deepEqual(
      info.layers.map(({ digest }) => digest),
      told.Layers,
    );
    assert.equal(info.digest, (await crane('digest', one)).trim());
    assert.equal(info.digest, (await regctl('manifest', 'head', one)).trim());
    const { size: _size, ...config } = info.config ?? {};
    assert.deepEqual(config, JSON.parse(await crane('config', one)));
    const manifest = JSON.parse(await crane('manifest', one));
    assert.deepEqual(info.layers, manifest.layers);
  });
  await fact('a list has the platforms that crane and regctl see; a filter chooses one of them', async () => {
    const whole = await infoOf(programs, list);
    assert.equal(whole.digest, (await regctl('manifest', 'head', list)).trim());
    const { manifests } = JSON.parse(await crane('manifest', list));
    assert.deepEqual(
      whole.platforms.map(({ digest }) => digest),
      manifests.map(({ digest }: { digest: string }) => digest),
    );
    const arm = await infoOf(programs, list, '--filter-by-os', 'linux/arm64');
    assert.equal(arm.listDigest, whole.digest);
    assert.equal(arm.digest, (await crane('digest', '--platform', 'linux/arm64', list)).trim());
    assert.equal(arm.config?.['architecture'], 'arm64');
  });
  await fact('a signature in the list of referrers by tag is found, as by regctl', async () => {
    const artifactType = 'application/vnd.cncf.notary.signature';
    const artifact = generatedArtifact({ subject: many.root.descriptor, artifactType });
    await pushImage(source.url, 'team/app', undefined, artifact);
    const { digest } = artifact.root.descriptor;
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociIndex,
        manifests: [{ ...artifact.root.descriptor, artifactType }],
      }),
    );
    const tag = many.root.descriptor.digest.replace(':', '-');
    await fetch(`${source.url}/v2/team/app/manifests/${tag}`, {
      method: 'PUT',
      headers: { 'content-type': mediaTypes.ociIndex },
      body: index,
    });
    const { referrers } = await infoOf(programs, list);
    assert.deepEqual(
      referrers.map((each) => [each.kind, each.digest]),
      [['signature', digest]],
    );
    assert.match(await regctl('artifact', 'list', list), new RegExp(digest));
  });
  await fact('Docker schema 1 is told as such, layer by layer', async () => {
    const old = `${source.host}/team/app:old`;
    const flags = ['--insecure-policy', '--src-tls-verify=false', '--dest-tls-verify=false'];
    await skopeo('copy', ...flags, '--format', 'v2s1', `docker://${one}`, `docker://${old}`);
    const info = await infoOf(programs, old);
    assert.equal(info.mediaType, mediaTypes.dockerSchema1Signed);
    assert.equal(info.schema1, true);
    const raw = JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${old}`));
    const layers = raw.fsLayers.map(({ blobSum }: { blobSum: string }) => blobSum).toReversed();
    assert.deepEqual(
      info.layers.map(({ digest }) => digest),
      layers,
    );
    assert.ok(info.layers.every(({ size }) => size > 0));
  });
}

async function verifyFacts(scene: Scene, source: Registry, programs: Tools) {
  const { fact, stage } = scene;
  const { quayside, isValid } = programs;
  const copies = await registry(scene, { name: 'copies' });
  const map = join(stage.directory, 'map.txt');
  const device = join(stage.directory, 'device');
  const [first, second] = ['single', 'many'].map((tag) => `${copies.host}/copy:${tag}`);
  assert.ok(first !== undefined && second !== undefined);
  const lines = ['single', 'many'].map(
    (tag) => `${source.host}/team/app:${tag} ${copies.host}/copy:${tag} file://copy:${tag}\n`,
  );
  await writeFile(map, lines.join(''));
  const flags = ['--insecure', '--dir', device, '-f', map];
  assert.equal((await quayside('mirror', ...flags)).code, 0);
  const verify = (...more: string[]) => quayside('mirror', 'verify', ...flags, ...more);
  const { layers } = await infoOf(programs, first);
  const [layer, other] = layers;
  assert.ok(layer !== undefined && other !== undefined);
  const blob = ({ digest }: { readonly digest: Digest }) => {
    const hex = hexOf(digest);
    const folder = join(stage.directory, 'copies/data/docker/registry/v2/blobs/sha256');
    return join(folder, hex.slice(0, 2), hex, 'data');
  };

  await fact('what crane finds valid is ok, at a registry and on the disk', async () => {
    const { code, stdout } = await verify('--deep');
    assert.equal(code, 0, stdout);
    assert.equal(stdout.match(/^ok: /gm)?.length, 4);
    assert.ok((await isValid(first)) && (await isValid(second)));
  });
  await fact('a blob with other bytes of a registry is found with --deep, as by crane', async () => {
    const bytes = await readFile(blob(layer));
    await writeFile(blob(layer), Buffer.alloc(bytes.length));
    assert.equal((await verify()).code, 0);
    const { code, stdout } = await verify('--deep');
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^differs: ${first}: blob ${layer.digest}`, 'm'));
    assert.equal(await isValid(first), false);
    await writeFile(blob(layer), bytes);
  });
  await fact('a blob that a registry lost, and a file that was cut, are named and copied again', async () => {
    await rm(blob(other));
    await truncate(join(device, 'v2/copy/blobs', layer.digest), 10);
    const failed = join(stage.directory, 'failed.txt');
    const { code, stdout } = await verify('--failed-file', failed);
    assert.equal(code, 1);
    assert.match(stdout, new RegExp(`^missing: ${first}: blob ${other.digest} is not there`, 'm'));
    assert.match(stdout, /^differs: file:\/\/copy:single: .*does not hold what its name says/m);
    assert.equal(stdout.match(/^ok: /gm)?.length, 2);
    assert.equal(await isValid(first), false);
    const dryRun = ['mirror', '--insecure', '--dir', device, '--dry-run', '--exit-code'];
    assert.equal((await quayside(...dryRun, '-f', failed)).code, 1);
    assert.equal((await quayside('mirror', '--insecure', '--force', '--dir', device, '-f', failed)).code, 0);
    assert.equal((await verify('--deep')).code, 0);
    assert.equal((await quayside(...dryRun, '-f', map)).code, 0);
    assert.ok(await isValid(first));
  });
  await fact('a registry that is gone is cannot tell, and never missing', async () => {
    await copies.stop();
    const { code, stdout } = await verify();
    assert.equal(code, 1);
    assert.equal(stdout.match(/^cannot tell: /gm)?.length, 2);
    assert.doesNotMatch(stdout, /^missing/m);
  });
}

/** Where tags can be deleted. */
async function revertFacts(scene: Scene, { crane, quayside }: Tools) {
  const { fact } = scene;
  const there = await registry(scene, { name: 'reverted', program: 'distribution', deletes: true });
  const [good, bad] = [await onePlatform('good', 'oci', 1), await onePlatform('bad', 'oci', 1)];
  const kept = '20261128070102_prune_ci_tool_latest';
  await pushImage(there.url, flat, kept, good);
  await pushImage(there.url, flat, 'ci_tool_latest', bad);
  const image = `${there.host}/${flat}:ci_tool_latest`;
  const revert = (...more: string[]) => quayside('revert', '--insecure', '--no-hold', image, ...more);

  await fact('a revert that is not confirmed changes nothing', async () => {
    assert.equal((await revert()).code, 0);
    assert.equal((await crane('digest', image)).trim(), bad.root.descriptor.digest);
  });
  await fact(
    'a revert sets the tag, keeps what it was, and deletes the tag of the previous image',
    async () => {
      const { code, stderr } = await revert('--confirm');
      assert.equal(code, 0, stderr);
      assert.equal(stderr, '');
      assert.equal((await crane('digest', image)).trim(), good.root.descriptor.digest);
      const tags = (await crane('ls', `${there.host}/${flat}`)).trim().split('\n').toSorted();
      assert.equal(tags.length, 2);
      const [broken = '', tag] = tags;
      assert.equal(tag, 'ci_tool_latest');
      assert.match(broken, /^\d{14}_prune_ci_tool_latest_broken$/);
      const was = (await crane('digest', `${there.host}/${flat}:${broken}`)).trim();
      assert.equal(was, bad.root.descriptor.digest);
    },
  );
}

/** With the loop of a running Quayside, whose source still has the newer image. */
async function heldFacts(scene: Scene, { crane, quayside }: Tools) {
  const { fact } = scene;
  const [good, bad] = [await onePlatform('good', 'docker', 1), await onePlatform('bad', 'docker', 1)];
  const stand = await mirrorStand(scene, {
    yaml: `supplementalCIImages:\n  ci/tool:latest:\n    image: ${names.elsewhere}/ci/tool:latest\n`,
    before: async ({ elsewhere, qci }) => {
      await pushImage(qci.url, flat, 'ci_tool_latest', good);
      await pushImage(elsewhere.url, 'ci/tool', 'latest', bad);
    },
  });
  const { proxy, qci } = stand;
  const image = `${qci.host}/${flat}:ci_tool_latest`;
  const isNow = async (digest: Digest) => (await crane('digest', image)).trim() === digest;
  await until('the loop has copied', () => isNow(bad.root.descriptor.digest), 60_000);

  await fact('a revert of what the loop copied, and kept, is not undone by the loop', async () => {
    const args = ['revert', 'ci/tool:latest', '--config', proxy.configFile, '--confirm'];
    const { code, stderr } = await quayside(...args);
    assert.equal(code, 0, stderr);
    assert.ok(await isNow(good.root.descriptor.digest));
    // This registry deletes no tags.
    assert.match(
      stderr,
      /^warning: ci_tool_latest is reverted, but \d{14}_prune___ci_images_mirror__ci_tool_latest, .*is not deleted: /,
    );
    await proxy.stop();
    await proxy.start();
    const isHeld = async () =>
      (await mirrorLines(stand)).some(({ msg }) => msg === 'Held by an operator, skipping mirror');
    await until('the loop has skipped it', isHeld, 60_000);
    assert.ok(await isNow(good.root.descriptor.digest));
  });
}
