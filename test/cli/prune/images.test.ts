import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { pruningImages } from '../../../src/cli/prune/images.ts';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const now = Date.parse('2026-11-29T12:00:00Z');
const repository = 'team/app';
const hourMs = 3_600_000;

async function imagesRig(t: Test) {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const dir = t.testdir({ 'auth.json': '{}' });
  const config = join(dir, 'quayside.yaml');
  await writeFile(config, `store: { filesystem: { path: ${dir}/store } }\n`);
  const store = createFilesystemStore({ path: join(dir, 'store') });
  t.teardown(() => store.close());

  const pushed = new Map<Digest, Buffer>();

  /** An image that says when it was built. */
  function add(tag: string | undefined, hours: number, layer = 1_000, to = repository): Digest {
    const created = new Date(now - hours * hourMs).toISOString();
    const configBytes = Buffer.from(JSON.stringify({ created, tag }));
    const layerBytes = Buffer.alloc(layer, tag);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: registry.addBlob(to, configBytes),
        size: configBytes.length,
      },
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
          digest: registry.addBlob(to, layerBytes),
          size: layer,
        },
      ],
    };
    const tags = tag === undefined ? [] : [tag];
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = registry.addManifest(to, bytes, mediaTypes.ociManifest, ...tags);
    pushed.set(digest, bytes);
    return digest;
  }

  async function run(...args: string[]) {
    const io = recordedIo();
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const places = args.some((word) => word === '--repository')
      ? []
      : ['--repository', `${registry.host}/${repository}`];
    const words = ['--insecure', '--no-streams', '--config', config, ...places, ...args];
    const code = await pruningImages(() => now)(words, { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  const deleted = () => registry.seen('DELETE').map(({ path }) => path.split('/').at(-1));
  const bytesOf = (digest: Digest): Buffer => pushed.get(digest) ?? Buffer.alloc(0);
  return {
    registry,
    dir,
    store,
    add,
    run,
    deleted,
    bytesOf,
    tag: (name: string) => registry.tagOf(repository, name),
  };
}

test('bytes of their own are told of each image and in sum', async (t) => {
  const { add, run, registry } = await imagesRig(t);
  const [first, second] = [add('one', 100, 40_000_000), add('two', 100, 2_000_000)];
  const dry = await run('--keep-tag-revisions=0');
  t.match(dry.out, `${first}, 40MB): built 4 days ago`);
  t.match(dry.out, 'Bytes that nothing else needs: 42MB\n');
  registry.switches.failsDelete = (reference) => (reference === second ? 500 : undefined);
  const { out } = await run('--confirm', '--keep-tag-revisions=0');
  t.match(out, `${first}, 40MB): built 4 days ago`);
  t.match(out, 'Bytes that nothing else needs: 40MB deleted out of 42MB\n');
});

test('without --confirm the plan is told, with reasons and bytes', async (t) => {
  const { add, run, deleted, registry } = await imagesRig(t);
  const old = add('v1', 100);
  for (const [tag, hours] of [
    ['v2', 50],
    ['v3', 40],
    ['v4', 30],
  ] as const)
    add(tag, hours);
  const { code, out, err } = await run('-o', 'json');
  t.equal(code, 0, err);
  const [first, summary] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(first, { id: `${registry.host}/${repository}@${old}`, reason: 'built 4 days ago: v1' });
  t.ok(first.bytes > 1_000);
  t.match(summary, { summary: { planned: 1, bytes: first.bytes, deleted: 0 } });
  t.same(deleted(), []);
});

test('the largest goes first, and young, held and last images stay', async (t) => {
  const { add, run, deleted, tag, store, registry } = await imagesRig(t);
  const [small, large] = [add('v1', 100, 10), add('v2', 90, 9_000)];
  add('v3', 80);
  add('v4', 0.5);
  const place = `${registry.host}/${repository}`;
  await createHolds({ records: store.records }).put({ destination: `${place}:v3`, since: 1 });
  const { code, out, err } = await run('--confirm', '--keep-tag-revisions=0', '--max-per-registry=1');
  t.equal(code, 0, err);
  t.same(deleted(), [large, small]);
  t.ok(tag('v3') && tag('v4'));
  t.match(out, 'a hold is on v3');
  t.match(out, 'Deleted 2 objects out of 2. Failed to delete 0 objects.');
});

test('half of the repositories read-only: the other half is done, and the second run finishes', async (t) => {
  const { add, run, registry } = await imagesRig(t);
  const places = ['a', 'b', 'c', 'd'];
  const digests = places.map((name) => add(`old-${name}`, 100, 10, name));
  const broken = new Set<string>([digests[0] ?? '', digests[2] ?? '']);
  registry.switches.failsDelete = (digest) => (broken.has(digest) ? 500 : undefined);
  const words = places.flatMap((name) => ['--repository', `${registry.host}/${name}`]);
  const first = await run('--confirm', '--keep-tag-revisions=0', ...words);
  t.equal(first.code, 1);
  t.match(first.out, 'Deleted 2 objects out of 4. Failed to delete 2 objects.');
  t.equal(first.err.match(/error: cannot delete/g)?.length, 2);
  t.ok(registry.tagOf('a', 'old-a') && registry.tagOf('c', 'old-c'));
  broken.clear();
  t.match(await run('--confirm', '--keep-tag-revisions=0', ...words), {
    ...{ code: 0, out: /Deleted 2 objects out of 2/ },
  });
});

test('where the index cannot be deleted, what it lists stays', async (t) => {
  const { add, run, registry } = await imagesRig(t);
  const child = add(undefined, 100);
  const manifests = [{ mediaType: mediaTypes.ociManifest, digest: child, size: 300 }];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  const index = registry.addManifest(repository, bytes, mediaTypes.ociIndex, 'many');
  registry.switches.failsDelete = (digest) => (digest === index ? 500 : undefined);
  const { code, out } = await run('--confirm', '--keep-tag-revisions=0');
  t.equal(code, 1);
  t.match(out, `Kept ${registry.host}/${repository}@${child}: ${index} could not be deleted`);
  registry.switches.failsDelete = () => undefined;
  t.match(await run('--confirm', '--keep-tag-revisions=0'), { code: 0, out: /Deleted 2 objects out of 2/ });
});

test('a tag that is pushed meanwhile to an old image keeps it', async (t) => {
  const { add, run, registry, deleted, tag, bytesOf } = await imagesRig(t);
  const old = add('old', 100);
  const push = registry.requests.push.bind(registry.requests);
  let lists = 0;
  registry.requests.push = (...records) => {
    for (const { path } of records)
      if (path.endsWith('/tags/list') && ++lists === 2) {
        registry.addManifest(repository, bytesOf(old), mediaTypes.ociManifest, 'release');
      }
    return push(...records);
  };
  const { out } = await run('--confirm', '--keep-tag-revisions=0', '--match', 'old');
  t.same(deleted(), []);
  t.match(out, 'release names it too, and stays');
  t.ok(tag('old'));
});

test('a tag that moves meanwhile to an old image keeps it', async (t) => {
  const { add, run, registry, deleted, tag, bytesOf } = await imagesRig(t);
  const old = add('old', 100);
  add('release', 1);
  const push = registry.requests.push.bind(registry.requests);
  let lists = 0;
  registry.requests.push = (...records) => {
    for (const { path } of records)
      if (path.endsWith('/tags/list') && ++lists === 2)
        registry.addManifest(repository, bytesOf(old), mediaTypes.ociManifest, 'release');
    return push(...records);
  };
  const { out } = await run('--confirm', '--keep-tag-revisions=0', '--match', 'old');
  t.same(deleted(), []);
  t.match(out, 'release names it too, and stays');
  t.equal(tag('release'), old);
});

test('a tag that cannot be read keeps the whole repository', async (t) => {
  const { add, run, registry, deleted } = await imagesRig(t);
  add('old', 100);
  add('other', 90);
  registry.switches.status = { of: 'manifests/other' as 'manifests', code: 500 };
  const { code, err } = await run('--confirm', '--keep-tag-revisions=0');
  t.equal(code, 1);
  t.match(err, /other cannot be read, and may need anything here/);
  t.same(deleted(), []);
});

test('what an index listed is deleted by the next run, when the index is gone', async (t) => {
  const { add, run, registry } = await imagesRig(t);
  const child = add(undefined, 100);
  const manifests = [{ mediaType: mediaTypes.ociManifest, digest: child, size: 300 }];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  registry.addManifest(repository, bytes, mediaTypes.ociIndex, 'many');
  registry.switches.failsDelete = (digest) => (digest === child ? 500 : undefined);
  t.match(await run('--confirm', '--keep-tag-revisions=0'), { code: 1, out: /Deleted 1 objects out of 2/ });
  registry.switches.failsDelete = () => undefined;
  const { out } = await run('--confirm', '--keep-tag-revisions=0');
  t.match(out, new RegExp(`Successfully deleted \\S+@${child} .*: left by an earlier run`));
  t.match(await run('--confirm', '--keep-tag-revisions=0'), { code: 0, out: /Deleted 0 objects out of 0/ });
});

test('-f takes the images of --failed-file again, and no others', async (t) => {
  const { add, run, registry, dir, tag } = await imagesRig(t);
  const [first] = [add('one', 100), add('two', 90)];
  const failed = join(dir, 'failed');
  registry.switches.failsDelete = () => 500;
  t.match(await run('--confirm', '--keep-tag-revisions=0', '--failed-file', failed), { code: 1 });
  registry.switches.failsDelete = () => undefined;
  await writeFile(failed, `${registry.host}/${repository}@${first}\n`);
  t.match(await run('--confirm', '--keep-tag-revisions=0', '-f', failed), {
    ...{ code: 0, out: /Deleted 1 objects out of 1/ },
  });
  t.equal(tag('one'), undefined);
  t.ok(tag('two'));
  await writeFile(failed, 'one\n');
  await t.rejects(run('-f', failed), /one is no REGISTRY\/REPOSITORY@DIGEST/);
});

test('a repository is named, and nothing else', async (t) => {
  await t.rejects(pruningImages()(['x'], recordedIo()), /no arguments are allowed to this command/);
  await t.rejects(
    pruningImages()(['--repository', 'a.example/b:c'], recordedIo()),
    /is no REGISTRY\/REPOSITORY/,
  );
});
