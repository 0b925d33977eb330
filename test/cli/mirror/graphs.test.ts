import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import type { RegistryDouble } from '../../support/registry-double.ts';
import { mirrorRig } from './mirror-rig.ts';

const repository = 'team/app';

/** An index of an image for each architecture. */
function addIndex(from: RegistryDouble) {
  const children = ['amd64', 'arm64'].map((architecture) => {
    const { digest, manifest } = from.addImage(repository, architecture);
    const platform = { os: 'linux', architecture };
    return { mediaType: mediaTypes.ociManifest, digest, size: manifest.length, platform };
  });
  const bytes = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children }),
  );
  const index = from.addManifest(repository, bytes, mediaTypes.ociIndex, 'all');
  return { index, arm: children[1]?.digest };
}

/** A signature of what the tag names. */
function addReferrer(from: RegistryDouble, subject: string) {
  const payload = Buffer.from('signed');
  const config = Buffer.from('{}');
  const blob = (bytes: Buffer) => ({ digest: from.addBlob(repository, bytes), size: bytes.length });
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: 'application/vnd.example.signature',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', ...blob(config) },
    layers: [{ mediaType: 'text/plain', ...blob(payload) }],
    subject: { mediaType: mediaTypes.ociManifest, digest: subject, size: 1 },
  };
  from.addManifest(repository, Buffer.from(JSON.stringify(body)), mediaTypes.ociManifest);
  return digestOf(payload);
}

test('an index is kept as it is', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { index } = addIndex(from);
  const { out, code } = await run(`${from.host}/${repository}:all`, `${to.host}/a:all`);
  t.equal(code, 0);
  t.equal(out, `${index} ${to.host}/a:all\n`);
});

test('with --keep-manifest-list each image of the list is a line, as with oc', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { index, arm } = addIndex(from);
  const pair = [`${from.host}/${repository}:all`, `${to.host}/a:all`];
  const { out } = await run('--keep-manifest-list', ...pair);
  const lines = out.trimEnd().split('\n');
  t.equal(lines.length, 3);
  t.ok(lines.includes(`${arm} ${to.host}/a`));
  t.equal(lines.at(-1), `${index} ${to.host}/a:all`);
  t.equal((await run('--keep-manifest-list', ...pair)).out, `${index} ${to.host}/a:all\n`, 'once pushed');
});

test('a filter leaves the only image that fits in its place', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { arm } = addIndex(from);
  const { out } = await run(
    '--filter-by-os=linux/arm64',
    `${from.host}/${repository}:all`,
    `${to.host}/a:all`,
  );
  t.equal(out, `${arm} ${to.host}/a:all\n`);
});

test('an image of which nothing fits the filter is skipped', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  addIndex(from);
  const source = `${from.host}/${repository}:all`;
  const { out, err, code } = await run('--filter-by-os=plan9', source, `${to.host}/a:all`);
  t.equal(code, 0);
  t.equal(out, '');
  t.match(err, `info: Filtered all images from ${source}, skipping\n`);
});

test('a list over some of its images is kept in a directory', async (t) => {
  const { from, run } = await mirrorRig(t);
  const { index } = addIndex(from);
  const kept = ['--filter-by-os=linux/arm64', '--keep-manifest-list', `${from.host}/${repository}:all`];
  const { out, err, code } = await run(...kept, 'file://a:all');
  t.equal(code, 0, err);
  t.match(out, `file://a\n${index} file://a:all\n`);
  t.match(err, 'blobs: 3 copied');
});

test('what refers to an image travels with it by choice, also by directory', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { digest } = from.addImage(repository, 'v1');
  const payload = addReferrer(from, digest);
  await run(`${from.host}/${repository}:v1`, `${to.host}/without:v1`);
  t.equal(to.blobOf('without', payload), undefined);
  const onto = await run('--referrers', `${from.host}/${repository}:v1`, 'file://a:v1');
  t.equal(onto.code, 0, onto.err);
  const off = await run('--referrers', 'file://a:v1', `${to.host}/with:v1`);
  t.equal(off.code, 0, off.err);
  t.ok(to.blobOf('with', payload));
});
