import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { imageInfo } from '../../../src/cli/images/info.ts';
import { mirroring } from '../../../src/cli/mirror/mirror.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { signedSchema1 } from '../../support/schema1.ts';
import { recordedIo } from '../io.ts';
import { addList, addReferrer, addTold, created, infoRig } from './info-rig.ts';

test('an image is shown in the lines of oc, with what else is known', async (t) => {
  const { registry, run } = await infoRig(t);
  const { digest, layers } = addTold(registry, 'team/app', ['v1']);
  const { code, out, err } = await run(`${registry.host}/team/app:v1`);
  t.equal(err, '');
  t.equal(code, 0);
  t.same(out.split('\n'), [
    `Name:          ${registry.host}/team/app:v1`,
    `Digest:        ${digest}`,
    `Media Type:    ${mediaTypes.dockerManifest}`,
    `Created:       ${created} (1d ago)`,
    'Image Size:    73kB in 2 layers',
    `Layers:        70kB  ${layers[0]?.digest}`,
    `               3kB   ${layers[1]?.digest}`,
    'OS:            linux',
    'Arch:          amd64',
    'Author:        CI',
    'Entrypoint:    /bin/tool',
    'Command:       --help',
    'Working Dir:   /work',
    'User:          1001',
    'Exposes Ports: 8080/tcp',
    'Environment:   PATH=/bin',
    '               HOME=/',
    'Labels:        summary=a tool',
    'Volumes:       /data',
    'Signatures:    <none>',
    '',
    '',
  ]);
});

test('the document has the field names of oc, and ours after them', async (t) => {
  const { registry, run } = await infoRig(t);
  const { digest, layers } = addTold(registry, 'team/app', ['v1']);
  const { code, out } = await run(`${registry.host}/team/app:v1`, '-o', 'json');
  t.equal(code, 0);
  const document = JSON.parse(out);
  t.same(Object.keys(document).slice(0, 7), [
    'name',
    'digest',
    'contentDigest',
    'listDigest',
    'mediaType',
    'layers',
    'config',
  ]);
  t.match(document, {
    digest,
    contentDigest: digest,
    listDigest: '',
    mediaType: mediaTypes.dockerManifest,
    layers,
    config: { created, architecture: 'amd64', os: 'linux', size: 73_000, config: { User: '1001' } },
    created,
    size: 73_000,
    schema1: false,
    platforms: [],
    referrers: [],
    signatures: [],
    gaps: [],
  });
});

test('an index is shown as an index, and its images when they are asked for', async (t) => {
  const { registry, run } = await infoRig(t);
  const list = addList(registry, 'team/app', 'v1', ['amd64', 'arm64']);
  const name = `${registry.host}/team/app:v1`;
  const whole = JSON.parse((await run(name, '-o', 'json')).out);
  t.match(whole, { digest: list.digest, listDigest: list.digest, layers: [], config: null });
  t.match(whole.platforms, [
    { os: 'linux', architecture: 'amd64', digest: list.children[0] },
    { os: 'linux', architecture: 'arm64', digest: list.children[1] },
  ]);
  t.match(
    (await run(name)).out,
    `Platforms:     linux/amd64  ${list.children[0]}\n               linux/arm64  `,
  );

  const arm = await run(name, '--filter-by-os=linux/arm64', '-o', 'json');
  t.match(JSON.parse(arm.out), {
    digest: list.children[1],
    listDigest: list.digest,
    config: { architecture: 'arm64' },
  });
  for (const args of [['--show-multiarch'], ['--filter-by-os', '.*']]) {
    const both = JSON.parse((await run(name, ...args, '-o', 'json')).out);
    t.same(
      both.map((each: { digest: string }) => each.digest),
      list.children,
    );
  }
  const none = await run(name, '--filter-by-os', 's390x');
  t.equal(none.code, 1);
  t.match(
    none.err,
    'no image of the list is for an OS/ARCH that fits s390x: it has linux/amd64, linux/arm64',
  );
});

test('signatures and referrers of an image and of its list are listed', async (t) => {
  const { registry, run } = await infoRig(t);
  const { digest, children } = addList(registry, 'team/app', 'v1', ['amd64']);
  const [child] = children;
  if (child === undefined) throw new Error('no child');
  const cosign = 'application/vnd.dev.cosign.artifact.sig.v1+json';
  const notation = addReferrer(registry, 'team/app', {
    artifactType: 'application/vnd.cncf.notary.signature',
    subject: digest,
  });
  const bill = addReferrer(registry, 'team/app', { artifactType: 'application/spdx+json', subject: child });
  const tag = `${child.replace(':', '-')}.sig`;
  const signed = addReferrer(registry, 'team/app', { artifactType: cosign, tag });
  const name = `${registry.host}/team/app:v1`;
  const { signatures, referrers } = JSON.parse(
    (await run(name, '--filter-by-os', 'amd64', '-o', 'json')).out,
  );
  t.match(
    new Map(signatures.map((each: { digest: string }) => [each.digest, each])),
    new Map([
      [notation, { kind: 'signature', subject: digest }],
      [signed, { kind: 'signature', subject: child, tag }],
    ]),
  );
  t.match(
    referrers.find((each: { digest: string }) => each.digest === bill),
    { kind: 'sbom', subject: child },
  );
  t.equal(referrers.length, 3);
  const { out } = await run(name, '--filter-by-os', 'amd64');
  t.match(out, `${signed}  signature (`);
  t.match(out, `Referrers:     ${bill}  sbom (application/spdx+json)\n`);
});

test('Docker schema 1 is shown as such, with the sizes of its layers', async (t) => {
  const { registry, run } = await infoRig(t);
  const [base, top] = ['base', 'top'].map((text) => registry.addBlob('old', Buffer.alloc(1_000, text)));
  const history = [{ v1Compatibility: JSON.stringify({ created, architecture: 'amd64', os: 'linux' }) }];
  const payload = {
    schemaVersion: 1,
    name: 'old',
    tag: 'v1',
    fsLayers: [{ blobSum: top }, { blobSum: base }],
    history,
  };
  const bytes = signedSchema1(JSON.stringify(payload, undefined, 3));
  const digest = registry.addManifest('old', bytes, mediaTypes.dockerSchema1Signed, 'v1');
  const { code, out } = await run(`${registry.host}/old:v1`, '-o', 'json');
  t.equal(code, 0);
  t.match(JSON.parse(out), {
    digest,
    mediaType: mediaTypes.dockerSchema1Signed,
    schema1: true,
    layers: [{ digest: base, size: 1_000 }, { digest: top }],
    config: { created },
    size: 2_000,
  });
  const { out: text } = await run(`${registry.host}/old:v1`);
  t.match(text, 'Schema:        Docker schema 1: deprecated');
  t.match(text, 'Image Size:    2kB in 2 layers');
});

test('what does not exist is 1, what a registry does not say is 3', async (t) => {
  const { registry, run } = await infoRig(t);
  addTold(registry, 'team/app', ['v1']);
  const gone = await run(`${registry.host}/team/app:v2`);
  t.equal(gone.code, 1);
  t.match(gone.err, `error: image "${registry.host}/team/app:v2" not found: `);
  registry.switches.status = { of: 'manifests', code: 403 };
  const denied = await run(`${registry.host}/team/app:v1`);
  t.equal(denied.code, 3);
  t.match(denied.err, "does not exist or you don't have permission to access the repository");
  registry.switches.status = { of: 'referrers', code: 403 };
  const half = await run(`${registry.host}/team/app:v1`, '-o', 'json');
  t.equal(half.code, 3);
  t.match(JSON.parse(half.out), { referrers: null, signatures: null, gaps: [{ what: 'referrers' }] });
  t.equal((await run(`${registry.host}/team/app:v1`, '--skip-referrers')).code, 0);
});

test('a missing or damaged configuration is named, and the rest is shown', async (t) => {
  const { registry, run } = await infoRig(t);
  const { config } = addTold(registry, 'team/app', ['v1']);
  registry.addBlob('team/app', Buffer.from('{"os":"windows"}'), config);
  const { code, out, err } = await run(`${registry.host}/team/app:v1`, '-o', 'json');
  t.equal(code, 1);
  t.match(JSON.parse(out), { config: null, size: 73_000, gaps: [{ what: 'config' }] });
  t.match(err, ': config: the content does not match its digest or size');
});

test('several names and globs are shown in order; the worst decides the exit code', async (t) => {
  const { registry, run } = await infoRig(t);
  for (const tag of ['v1', 'v2', 'w1']) addTold(registry, 'team/app', [tag]);
  const place = `${registry.host}/team/app`;
  const { code, out } = await run(`${place}:v*`, `${place}:gone`, `${place}:w1`);
  t.equal(code, 1);
  t.same(
    out.match(/^Name:.*$/gm),
    ['v1', 'v2', 'w1'].map((tag) => `Name:          ${place}:${tag}`),
  );
  t.equal((await run(`${place}:x*`)).code, 1);
});

test('text of an image cannot steer the terminal', async (t) => {
  const { registry, run } = await infoRig(t);
  addTold(registry, 'team/app', ['v1'], { labels: { evil: '\u001b[2J\r\n\u009b31m' } });
  const { out } = await run(`${registry.host}/team/app:v1`);
  t.match(out, 'evil=\uFFFD[2J\uFFFD\uFFFD\uFFFD31m\n');
});

test('images of a directory are shown too', async (t) => {
  const { registry, run, dir } = await infoRig(t);
  const { digest } = addTold(registry, 'team/app', ['v1']);
  const io = recordedIo();
  await mirroring()(['--insecure', '--dir', dir, `${registry.host}/team/app:v1`, 'file://team/app:v1'], io);
  const { code, out } = await run('file://team/app:v1', '-o', 'json');
  t.equal(code, 0);
  t.match(JSON.parse(out), { name: 'file://team/app:v1', digest, config: { architecture: 'amd64' } });
});

test('the settings of a server say where an upstream is, and who we are to it', async (t) => {
  const { registry, dir } = await infoRig(t);
  addTold(registry, 'openshift/ci', ['ci_tool_latest']);
  registry.switches.requiresBasic = { user: 'robot', password: 'secret' };
  await writeFile(join(dir, 'user'), 'robot');
  await writeFile(join(dir, 'password'), 'secret\n');
  const config = join(dir, 'quayside.yaml');
  const files = `usernameFile: ${join(dir, 'user')}, passwordFile: ${join(dir, 'password')}`;
  await writeFile(
    config,
    `store: { filesystem: { path: ${dir}/store } }\nupstreams:\n  quay.io: { url: "${registry.url}", credentials: { ${files} } }\n`,
  );
  const io = recordedIo();
  const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
  const name = 'quay.io/openshift/ci:ci_tool_latest';
  t.equal(await imageInfo()(['--config', config, name, '-o', 'json'], { ...io, env }), 0, io.err());
  t.match(JSON.parse(io.out()), { name });
  const asAnother = recordedIo();
  t.equal(
    await imageInfo()(['--config', config, '-a', env.REGISTRY_AUTH_FILE, name], { ...asAnother, env }),
    3,
  );
});

test('a command line that means nothing is refused', async (t) => {
  const { run } = await infoRig(t);
  for (const args of [
    [],
    ['quay.io/team/app'],
    ['https://quay.io/a:b'],
    ['a:b', '--icsp-file', 'x'],
    ['a:b', '-o', 'yaml'],
  ])
    await t.rejects(run(...args), { name: 'UsageError' }, args.join(' '));
});
