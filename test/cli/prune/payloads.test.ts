import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { pruningTags } from '../../../src/cli/prune/tags.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';

const repository = 'openshift/ci';

/** A file as an entry of a tar. */
function entry(name: string, bytes: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(bytes.length.toString(8).padStart(11, '0'), 124);
  header.write('0', 156);
  header.write('ustar', 257);
  return Buffer.concat([header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

async function payloadRig(t: Test) {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const dir = t.testdir({ 'auth.json': '{}' });
  const config = join(dir, 'quayside.yaml');
  await writeFile(config, `store: { filesystem: { path: ${dir}/store } }\n`);
  const place = `${registry.host}/${repository}`;
  const cli = registry.addImage(repository, 'cli').digest;
  const etcd = registry.addImage(repository, 'etcd', { layers: [5] }).digest;

  /** A release image in whose last layer but one these are listed. */
  function addPayload(version: string, components: Readonly<Record<string, string>>): void {
    const tags = Object.entries(components).map(([name, from]) => ({ name, from: { name: from } }));
    const list = Buffer.from(JSON.stringify({ kind: 'ImageStream', spec: { tags } }));
    const layers = [
      [entry('other', Buffer.alloc(3_000))],
      [
        entry('large', Buffer.alloc(70_000)),
        entry('./release-manifests/image-references', list),
        entry('z', list),
      ],
      [entry('last', Buffer.alloc(10))],
    ].map((entries) => {
      const bytes = gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
      const digest = registry.addBlob(repository, bytes);
      return { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: bytes.length };
    });
    const configBytes = Buffer.from(JSON.stringify({ version }));
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: registry.addBlob(repository, configBytes),
        size: configBytes.length,
      },
      layers,
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    registry.addManifest(repository, bytes, mediaTypes.ociManifest, `rc_payload__${version}`);
  }

  async function run(...args: string[]) {
    const io = recordedIo();
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const words = ['--insecure', '--no-streams', '--config', config, ...args, place];
    const code = await pruningTags()(words, { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  return {
    registry,
    place,
    cli,
    etcd,
    addPayload,
    run,
    tag: (name: string) => registry.tagOf(repository, name),
  };
}

test('each component of a payload gets a tag, then the payload its marker', async (t) => {
  const { addPayload, place, cli, etcd, run, tag } = await payloadRig(t);
  addPayload('4.20.0', {
    cli: `${place}@${cli}`,
    etcd: `${place}@${etcd}`,
    elsewhere: `registry.example.com/a@${cli}`,
  });
  t.match(await run(), { code: 0, out: /Would preserve release payload 4\.20\.0/ });
  t.equal(tag('preserved__rc_payload__4.20.0'), undefined);
  const { code, out, err } = await run('--confirm');
  t.equal(code, 0, err);
  t.match(out, 'Preserved release payload 4.20.0');
  t.equal(tag('rc_payload__4.20.0__component__cli'), cli);
  t.equal(tag('rc_payload__4.20.0__component__etcd'), etcd);
  t.equal(tag('rc_payload__4.20.0__component__elsewhere'), undefined);
  t.equal(tag('preserved__rc_payload__4.20.0'), tag('rc_payload__4.20.0'));
  t.notMatch((await run('--confirm')).out, 'Preserved');
});

test('while a component is missing there is no marker, and the next run tries again', async (t) => {
  const { addPayload, place, cli, etcd, run, tag, registry } = await payloadRig(t);
  addPayload('4.20.0', { cli: `${place}@${cli}`, etcd: `${place}@${etcd}` });
  registry.switches.refusesTag = { tag: /component__etcd$/, times: 1 };
  t.match(await run('--confirm'), { code: 1, err: /cannot preserve release payload 4\.20\.0: / });
  t.equal(tag('preserved__rc_payload__4.20.0'), undefined);
  t.match(await run('--confirm'), { code: 0 });
  t.ok(tag('preserved__rc_payload__4.20.0'));
});

test('a payload without a list of components is told, and gets no marker', async (t) => {
  const { registry, run, tag } = await payloadRig(t);
  registry.addImage(repository, 'rc_payload__4.19.0');
  t.match(await run('--confirm'), { code: 1, err: /cannot preserve release payload 4\.19\.0/ });
  t.equal(tag('preserved__rc_payload__4.19.0'), undefined);
});

test('a removal takes all tags of a payload, and its request goes with the next run', async (t) => {
  const { addPayload, place, cli, etcd, run, tag, registry } = await payloadRig(t);
  addPayload('4.20.0', { cli: `${place}@${cli}` });
  addPayload('4.20.1', { etcd: `${place}@${etcd}` });
  await run('--confirm');
  registry.addImage(repository, 'remove__rc_payload__4.20.0');
  const failing = 'rc_payload__4.20.0__component__cli';
  registry.switches.failsDelete = (reference) => (reference === failing ? 500 : undefined);
  t.match(await run('--confirm'), { code: 1, out: /Deleted 2 objects out of 3/ });
  t.equal(tag('rc_payload__4.20.0'), undefined);
  t.ok(tag('remove__rc_payload__4.20.0'), 'stays while a component is left');
  registry.switches.failsDelete = () => undefined;
  t.match(await run('--confirm'), { code: 0 });
  t.equal(tag(failing), undefined);
  t.ok(tag('remove__rc_payload__4.20.0'));
  t.match(await run('--confirm'), { code: 0 });
  t.equal(tag('remove__rc_payload__4.20.0'), undefined);
  t.ok(tag('rc_payload__4.20.1') && tag('preserved__rc_payload__4.20.1'));
  t.equal(tag('rc_payload__4.20.1__component__etcd'), etcd);
});

test('payloads that cannot be listed are left as they are', async (t) => {
  const { addPayload, place, cli, run, registry } = await payloadRig(t);
  addPayload('4.20.0', { cli: `${place}@${cli}` });
  registry.addImage(repository, 'remove__rc_payload__4.18.0');
  registry.switches.status = { of: 'tags', code: 503 };
  t.match(await run('--confirm'), { code: 1, err: /cannot read the release payloads of / });
  t.ok(registry.tagOf(repository, 'remove__rc_payload__4.18.0'));
});

test('where only manifests are deleted, a removal takes those whose every tag goes', async (t) => {
  const { addPayload, place, cli, run, tag, registry } = await payloadRig(t);
  const own = registry.addImage(repository, 'own', { layers: [9] }).digest;
  addPayload('4.20.0', { cli: `${place}@${cli}`, own: `${place}@${own}` });
  await run('--confirm');
  const payload = tag('rc_payload__4.20.0') ?? '';
  registry.removeTag(repository, 'own');
  const named = await fetch(`${registry.url}/v2/${repository}/manifests/${payload}`);
  const bytes = Buffer.from(await named.arrayBuffer());
  registry.addManifest(repository, bytes, mediaTypes.ociManifest, 'remove__rc_payload__4.20.0');
  registry.switches.deletesNoTags = true;
  const plan = await run('--delete-by', 'digest');
  t.match(plan.out, 'Would have removed rc_payload__4.20.0__component__own');
  t.match(
    plan.out,
    `Kept rc_payload__4.20.0__component__cli: the registry deletes no tags, only manifests: cli names`,
  );
  const { code, out, err } = await run('--confirm');
  t.equal(code, 0, err);
  t.equal(tag('rc_payload__4.20.0__component__own'), undefined);
  t.equal(tag('rc_payload__4.20.0__component__cli'), cli, 'its manifest is that of a float');
  t.match(out, 'Kept rc_payload__4.20.0: the registry deletes no tags');
  t.equal(tag('rc_payload__4.20.0'), payload, 'the request names it, and stays while a component is left');
  registry.removeTag(repository, 'cli');
  t.equal((await run('--confirm')).code, 0);
  for (const each of ['rc_payload__4.20.0', 'preserved__rc_payload__4.20.0', 'remove__rc_payload__4.20.0'])
    t.equal(tag(each), undefined, each);
  t.equal(tag('rc_payload__4.20.0__component__cli'), undefined);
});
