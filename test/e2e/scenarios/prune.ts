import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedImage, pushImage } from '../../support/images.ts';
import { containersConfig } from '../fixtures/containers.ts';
import { command } from '../fixtures/quayside.ts';
import { type Registry, registry, unprivileged } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** `quayside prune`, on registries whose storage refuses some deletions, and then none. */
export const prune: Scenario = {
  name: 'prune',
  needs: ['docker-registry', 'distribution', 'skopeo', 'setpriv'],
  async play(scene) {
    await chmod(scene.stage.directory, 0o711);
    const quayside = await program(scene);
    await imageFacts(scene, quayside);
    await tagFacts(scene, quayside);
    await digestFacts(scene, quayside);
  },
};

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Quayside = (...args: string[]) => Promise<Finished>;

async function program({ stage }: Scene): Promise<Quayside> {
  const { env } = await containersConfig(stage);
  const config = join(stage.directory, 'prune.yaml');
  await writeFile(config, `store: { filesystem: { path: ${join(stage.directory, 'prune-store')} } }\n`);
  const common = ['--config', config, '--no-streams', '--insecure'];
  return (...args) =>
    stage.run(process.execPath, [command, 'prune', ...args, ...common], {
      ...{ env, cwd: stage.directory, mayFail: true },
    });
}

/** A registry whose storage belongs to the user it runs as. */
async function ownRegistry(scene: Scene, name: string, isNew: boolean): Promise<Registry> {
  const folder = join(scene.stage.directory, name, 'data');
  await mkdir(folder, { recursive: true });
  if (process.getuid?.() === 0) await chown(folder, unprivileged, unprivileged);
  return registry(scene, {
    ...{ name, deletes: true, isUnprivileged: true },
    program: isNew ? 'distribution' : 'docker-registry',
  });
}

const repositories = ['a', 'b', 'c', 'd'];
const old = { days: 40, tags: ['v1', 'v2', 'v3'] };

async function pushed({ url }: Registry, repository: string, tag: string, days: number): Promise<void> {
  const created = new Date(Date.now() - days * 86_400_000).toISOString();
  const seed = `${repository}/${tag}`;
  const image = await generatedImage({ seed, layers: [2_000], mediaTypes: 'oci', created });
  await pushImage(url, repository, tag, image);
}

async function setWritable(folder: string, isWritable: boolean): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), isWritable ? 0o755 : 0o555);
  await chmod(folder, isWritable ? 0o755 : 0o555);
}

const folderOf = (held: Registry, repository: string): string =>
  join(held.folder, 'docker/registry/v2/repositories', repository);

async function digestAt({ url }: Registry, repository: string, tag: string): Promise<string | undefined> {
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
    method: 'HEAD',
    headers: { accept },
  });
  return answer.status === 200 ? (answer.headers.get('docker-content-digest') ?? undefined) : undefined;
}

async function imageFacts(scene: Scene, quayside: Quayside): Promise<void> {
  const { fact } = scene;
  const held = await ownRegistry(scene, 'prune-images', false);
  for (const repository of repositories) {
    for (const tag of old.tags) await pushed(held, repository, tag, old.days);
    await pushed(held, repository, 'new', 1);
  }
  const words = repositories.flatMap((name) => ['--repository', `${held.host}/${name}`]);
  const run = (...args: string[]) =>
    quayside('images', ...words, '--keep-younger-than', '30d', '--keep-tag-revisions', '0', ...args);
  const left = async (): Promise<number> => {
    const found = repositories.flatMap((name) => old.tags.map((tag) => digestAt(held, name, tag)));
    return (await Promise.all(found)).filter((digest) => digest !== undefined).length;
  };
  const failed = join(scene.stage.directory, 'failed-images');

  await fact('read-only storage refuses a deletion, as it should here', async () => {
    await setWritable(folderOf(held, 'a'), false);
    const digest = await digestAt(held, 'a', 'v1');
    const answer = await fetch(`${held.url}/v2/a/manifests/${digest}`, { method: 'DELETE' });
    assert.equal(answer.status, 500);
    await setWritable(folderOf(held, 'a'), true);
  });
  await fact('without --confirm the plan is told, and docker-registry gets no DELETE', async () => {
    const { code, stdout, stderr } = await run();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Images targeted for pruning: 12\n/);
    assert.ok(
      !(await held.asked()).some(({ method, userAgent }) => method === 'DELETE' && userAgent !== 'node'),
    );
    assert.equal(await left(), 12);
  });
  await fact('with read-only storage every image has its error, and the run ends with 1', async () => {
    await setWritable(held.folder, false);
    const { code, stdout, stderr } = await run('--confirm', '--failed-file', failed);
    assert.equal(code, 1);
    assert.match(stdout, /Deleted 0 objects out of 12\. Failed to delete 12 objects\.\n/);
    assert.equal(stderr.match(/^error: cannot delete .*500/gm)?.length, 12);
    assert.equal((await readFile(failed, 'utf8')).match(/^[^#].*@sha256:/gm)?.length, 12);
    assert.equal(await left(), 12);
  });
  await fact('with half of the repositories read-only the other half is gone after one run', async () => {
    await setWritable(held.folder, true);
    for (const name of ['a', 'c']) await setWritable(folderOf(held, name), false);
    const { code, stdout } = await run('--confirm');
    assert.equal(code, 1);
    assert.match(stdout, /Deleted 6 objects out of 12\. Failed to delete 6 objects\.\n/);
    assert.equal(await left(), 6);
    assert.equal(await digestAt(held, 'b', 'v1'), undefined);
  });
  await fact('made writable, the second run finishes, and new images are there', async () => {
    await setWritable(held.folder, true);
    const { code, stdout, stderr } = await run('--confirm', '--failed-file', failed);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Deleted 6 objects out of 6\. Failed to delete 0 objects\.\n/);
    assert.equal(await left(), 0);
    assert.equal(await readFile(failed, 'utf8'), '');
    const { stdout: whole } = await scene.stage.run(scene.path('skopeo'), [
      ...['inspect', '--tls-verify=false', `docker://${held.host}/a:new`],
    ]);
    assert.match(whole, /"Digest": "sha256:/);
  });
}

async function tagFacts(scene: Scene, quayside: Quayside): Promise<void> {
  const { fact } = scene;
  const held = await ownRegistry(scene, 'prune-tags', true);
  const oldTags = Array.from(
    { length: 20 },
    (_, index) => `202401${String(index + 10)}000000_prune_ocp_4.20_cli`,
  );
  await pushed(held, 'ci', 'ocp_4.20_cli', 1);
  for (const tag of oldTags) await pushed(held, 'ci', tag, 1);
  const young = `${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}_prune_ocp_4.20_cli`;
  await pushed(held, 'ci', young, 1);
  const place = `${held.host}/ci`;
  const present = async (): Promise<number> =>
    (await Promise.all(oldTags.map((tag) => digestAt(held, 'ci', tag)))).filter(
      (digest) => digest !== undefined,
    ).length;
  const failed = join(scene.stage.directory, 'failed-tags');

  await fact('registry 3 deletes tags by name: those that it cannot delete stay, all others go', async () => {
    const tags = join(folderOf(held, 'ci'), '_manifests/tags');
    for (const tag of oldTags.slice(0, 5)) await setWritable(join(tags, tag), false);
    const { code, stdout, stderr } = await quayside('tags', place, '--confirm', '--failed-file', failed);
    assert.equal(code, 1);
    assert.match(stdout, /Deleted 15 objects out of 20\. Failed to delete 5 objects\.\n/);
    assert.equal(stderr.match(/^error: cannot delete 202401/gm)?.length, 5);
    assert.equal(await present(), 5);
    assert.ok(await digestAt(held, 'ci', young));
  });
  await fact('with -f those that failed are deleted once they can be', async () => {
    await setWritable(held.folder, true);
    const { code, stdout, stderr } = await quayside('tags', place, '--confirm', '-f', failed);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Deleted 5 objects out of 5\./);
    assert.equal(await present(), 0);
    assert.ok(await digestAt(held, 'ci', 'ocp_4.20_cli'));
  });
}

async function digestFacts(scene: Scene, quayside: Quayside): Promise<void> {
  const held = await ownRegistry(scene, 'prune-by-digest', false);
  const created = new Date(0).toISOString();
  const oldTag = (name: string): string => `20240110000000_prune_${name}`;
  for (const [seed, ...tags] of [
    ['going', oldTag('a'), oldTag('b')],
    ['shared', oldTag('c'), 'c'],
    ['float', 'a'],
  ] as const) {
    const image = await generatedImage({ seed, layers: [2_000], mediaTypes: 'oci', created });
    for (const tag of tags) await pushImage(held.url, 'ci', tag, image);
  }
  await scene.fact('docker-registry deletes no tags: a manifest goes once all its tags may', async () => {
    const { code, stdout, stderr } = await quayside('tags', `${held.host}/ci`, '--confirm');
    assert.equal(code, 0, stderr);
    for (const name of ['a', 'b']) assert.equal(await digestAt(held, 'ci', oldTag(name)), undefined);
    assert.match(stdout, /Kept 20240110000000_prune_c: the registry deletes no tags.*: c names/);
    for (const tag of [oldTag('c'), 'c', 'a']) assert.ok(await digestAt(held, 'ci', tag), tag);
  });
}
