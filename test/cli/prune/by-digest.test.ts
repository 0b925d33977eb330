import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { pruningTags } from '../../../src/cli/prune/tags.ts';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { digestDeletion } from '../../../src/prune/images/by-digest.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { createUpstream } from '../../../src/upstream/client/client.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const repository = 'openshift/ci';
const now = Date.parse('2026-11-29T12:00:00Z');
const old = '20261120000000_prune_cli';
const older = '20261110000000_prune_cli';
const young = '20261128000000_prune_cli';
const listType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** A registry that deletes manifests alone, with one old tag, and the command. */
async function manifestsOnly(t: Test) {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  registry.switches.deletesNoTags = true;
  const dir = t.testdir({ 'auth.json': '{}' });
  const config = join(dir, 'quayside.yaml');
  await writeFile(config, `store: { filesystem: { path: ${dir}/store } }\n`);
  const store = createFilesystemStore({ path: join(dir, 'store') });
  t.teardown(() => store.close());
  const { digest } = registry.addImage(repository, old);
  const place = `${registry.host}/${repository}`;
  async function run(...args: string[]) {
    const io = recordedIo();
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const isDry = args.includes('--dry-run');
    const own = args.filter((word) => word !== '--dry-run');
    const words = [
      '--insecure',
      '--no-streams',
      ...(isDry ? [] : ['--confirm']),
      '--config',
      config,
      ...own,
      place,
    ];
    const code = await pruningTags(() => now)(words, { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  return {
    ...{ registry, digest, run, dir, place, store },
    tag: (name: string) => registry.tagOf(repository, name),
    /** Another tag of the old one's manifest. */
    async also(...tags: string[]) {
      const headers = { accept: `${manifestType}, application/vnd.docker.distribution.manifest.v2+json` };
      const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${digest}`, { headers });
      const type = answer.headers.get('content-type') ?? '';
      const bytes = Buffer.from(await answer.arrayBuffer());
      t.equal(registry.addManifest(repository, bytes, type, ...tags), digest);
      return bytes.length;
    },
  };
}

test('where no tags are deleted a manifest goes once every tag of it is old', async (t) => {
  const { run, also, tag, registry } = await manifestsOnly(t);
  await also(older);
  registry.addImage(repository, 'cli');
  registry.addImage(repository, young);
  const { code, out, err } = await run();
  t.equal(code, 0, err);
  t.match(out, 'Deleted 2 objects out of 2. Failed to delete 0 objects.');
  t.strictSame([tag(old), tag(older)], [undefined, undefined]);
  t.ok(tag('cli') && tag(young));
});

for (const other of ['cli', 'unknown', young, '20261120000000_prune_other_x-y'])
  test(`a manifest that ${other} names too is deleted ${other.endsWith('y') ? 'with it' : 'never'}`, async (t) => {
    const { run, also, tag, digest } = await manifestsOnly(t);
    await also(other);
    const { code, out, err } = await run();
    t.equal(code, 0, err);
    t.equal(tag(old), other.endsWith('y') ? undefined : digest);
    if (other.endsWith('y')) return;
    t.match(out, `Kept ${old}: the registry deletes no tags, only manifests: ${other} names ${digest} too`);
    t.match(out, 'Kept, shared: 1');
  });

test('a tag that moves to the manifest after the first reading keeps it', async (t) => {
  const { registry, also, digest } = await manifestsOnly(t);
  registry.addImage(repository, 'cli');
  const upstream = createUpstream({ name: 'x', url: registry.url, allowPrivateAddresses: true });
  t.teardown(() => upstream.close());
  const deleted: string[] = [];
  const deletion = digestDeletion({
    place: {
      ...{ name: 'x', reader: upstream, repository: parseRepository(repository) },
      ...{ deleteTag: async () => undefined, putTag: async () => undefined },
    },
    ...{ needs: { inSync: true, namedBy: () => undefined }, atOnce: 2, readingMs: -1 },
    signal: new AbortController().signal,
    deleteManifest: async (each) => void deleted.push(each),
  });
  const stays = async (id: string) => ({ id, kept: 'in use' as const, why: 'no rule' });
  const other = registry.tagOf(repository, 'cli');
  const remove = (tag: string, named: Digest) =>
    deletion.remove({ tag: parseTag(tag), digest: named, verdict: stays });
  t.match(await remove('cli', other as Digest), 'deleted');
  await also('cli');
  t.match(await remove(old, digest), { kept: 'shared' });
  t.same(deleted, [other]);
});

test('a hold on one of its tags keeps the manifest', async (t) => {
  const { run, also, tag, store, place, digest } = await manifestsOnly(t);
  await also('20261120000000_prune_other');
  await createHolds({ records: store.records }).put({ destination: `${place}:other`, since: 1 });
  t.match(await run(), { code: 0, out: 'a hold is on other' });
  t.equal(tag(old), digest);
});

test('a manifest that an index lists stays', async (t) => {
  const { run, also, tag, registry, digest } = await manifestsOnly(t);
  const size = await also(old);
  const manifests = [{ mediaType: manifestType, digest, size }];
  const index = JSON.stringify({ schemaVersion: 2, mediaType: listType, manifests });
  registry.addManifest(repository, Buffer.from(index), listType, 'index');
  t.match(await run(), { code: 0, out: /Kept, in use: 1/ });
  t.equal(tag(old), digest);
});

test('one tag that cannot be read may name anything, so nothing goes', async (t) => {
  const { run, tag, registry, digest } = await manifestsOnly(t);
  registry.addImage(repository, 'cli');
  registry.switches.status = { of: 'manifests/cli' as 'manifests', code: 503 };
  t.match(await run(), { code: 1, out: `Kept ${old}: the registry deletes no tags` });
  t.equal(tag(old), digest);
});

test('a listing that fails deletes nothing', async (t) => {
  const { run, tag, registry, digest } = await manifestsOnly(t);
  const push = registry.requests.push.bind(registry.requests);
  registry.requests.push = (...records) => {
    if (records.some(({ method }) => method === 'DELETE'))
      registry.switches.status = { of: 'tags', code: 503 };
    return push(...records);
  };
  t.match(await run(), { code: 1, err: `cannot delete ${old}` });
  t.equal(tag(old), digest);
});

test('with -f only the tags of the file count as going', async (t) => {
  const { run, also, tag, dir, digest } = await manifestsOnly(t);
  await also(older);
  const file = join(dir, 'names');
  await writeFile(file, `${old}\n`);
  t.match(await run('-f', file), {
    code: 0,
    out: `${older} names ${digest} too, and stays: it is not among`,
  });
  t.equal(tag(old), digest);
});

test('where nothing is deleted at all each tag has its error', async (t) => {
  const { run, registry, tag, digest } = await manifestsOnly(t);
  registry.switches.refusesDeletes = 405;
  t.match(await run(), { code: 1, out: /Failed to delete 1 objects/, err: `cannot delete ${old}` });
  t.equal(tag(old), digest);
});

test('with --delete-by digest the plan that is printed is the one that is run', async (t) => {
  const { run, also, registry, tag, digest } = await manifestsOnly(t);
  await also('cli');
  const other = registry.addImage(repository, older, { layers: [7] }).digest;
  const guess = await run('--dry-run');
  t.match(guess, {
    code: 0,
    out: `Would have removed ${old}`,
    err: /known only by trying\..*--delete-by digest/,
  });
  const plan = await run('--dry-run', '--delete-by', 'digest');
  t.match(plan, { code: 0, err: '' });
  t.match(plan.out, `Would have removed ${older} (${other})`);
  t.match(plan.out, `Kept ${old}: the registry deletes no tags, only manifests: cli names ${digest} too`);
  t.same(
    registry.requests.filter(({ method }) => method === 'DELETE'),
    [],
  );
  t.match(await run('--delete-by', 'digest'), { code: 0, out: /Deleted 1 objects out of 2/ });
  t.strictSame([tag(old), tag(older)], [digest, undefined]);
  t.notOk(registry.requests.some(({ method, path }) => method === 'DELETE' && path.endsWith(older)));
});

test('the registry is asked once whether it deletes tags, and with --delete-by tag for each', async (t) => {
  const { run, also, registry } = await manifestsOnly(t);
  for (const second of [1, 2, 3]) await also(`2026112000000${second}_prune_x`);
  const tries = () =>
    registry.requests.filter(({ method, path }) => method === 'DELETE' && !path.includes('sha256:'));
  t.match(await run('--delete-by', 'tag'), { code: 1, out: /Failed to delete 4 objects/ });
  t.equal(tries().length, 4);
  registry.requests.length = 0;
  t.match(await run('--max-per-registry', '1'), { code: 0 });
  t.equal(tries().length, 1);
});
