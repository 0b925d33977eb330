import { lstat, mkdir, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { ocDirectory } from '../../../src/mirror/endpoints/oc-directory.ts';
import { allTags } from '../../../src/mirror/endpoints/reading.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';

const repository = parseRepository('team/app');
const other = parseRepository('team/other');
const tag = parseTag('v1');
const bytes = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }),
);
const manifest = {
  bytes,
  descriptor: { digest: digestOf(bytes), size: bytes.length, mediaType: mediaTypes.ociIndex },
};
const blob = { digest: digestOf(bytes), size: bytes.length };

test('files, links and modes are those that oc makes', async (t) => {
  const path = t.testdir({});
  await ocDirectory(path).putManifest(repository, { tag }, manifest);
  const folder = join(path, 'v2/team/app');
  const file = await stat(join(folder, 'blobs', blob.digest));
  t.equal(file.mode & 0o777, 0o600);
  t.equal((await stat(join(folder, 'blobs'))).mode & 0o777, 0o755);
  t.equal((await lstat(join(folder, 'manifests', blob.digest))).ino, file.ino);
  t.equal(await readlink(join(folder, 'manifests', 'v1')), blob.digest);
});

test('a file system that takes no directory is trouble at once', async (t) => {
  const nowhere = ocDirectory('/proc/nope');
  const refused = nowhere.putManifest(repository, { tag }, manifest);
  await t.rejects(refused, { code: 'UNAVAILABLE', message: 'the directory cannot be used (ENOENT)' });
});

test('what oc left is read, also a tag that leads nowhere', async (t) => {
  const path = t.testdir({
    v2: {
      team: {
        app: {
          manifests: {
            [blob.digest]: bytes.toString(),
            v1: t.fixture('symlink', blob.digest),
            v2: t.fixture('symlink', `sha256:${'0'.repeat(64)}`),
          },
        },
      },
    },
  });
  const directory = ocDirectory(path);
  t.match(await directory.manifest(repository, { tag }), { kind: 'found', bytes });
  t.same(await directory.manifest(repository, { tag: parseTag('v2') }), { kind: 'absent' });
  t.same((await Array.fromAsync(allTags(directory, repository))).sort(), ['v1', 'v2']);
});

test('a blob of another repository becomes a hard link', async (t) => {
  const path = t.testdir({});
  const directory = ocDirectory(path);
  t.notOk(await directory.mountBlob(other, blob.digest, repository), 'not before it is there');
  await directory.putBlob(repository, blob, async () => bytesOf(bytes));
  t.ok(await directory.mountBlob(other, blob.digest, repository));
  const [first, second] = await Promise.all(
    [repository, other].map((each) => stat(join(path, 'v2', each, 'blobs', blob.digest))),
  );
  t.equal(first?.ino, second?.ino);
});

test('a directory where a blob should be is trouble of the directory', async (t) => {
  const path = t.testdir({});
  await mkdir(join(path, 'v2/team'), { recursive: true });
  await writeFile(join(path, 'v2/team/app'), 'a file');
  const directory = ocDirectory(path);
  await t.rejects(
    directory.putBlob(repository, blob, async () => bytesOf(bytes)),
    { code: 'UNAVAILABLE', message: 'the directory cannot be used (ENOTDIR)' },
  );
});
