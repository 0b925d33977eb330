import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { test } from 'tap';
import { mirrorVerify } from '../../../src/cli/images/verify.ts';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import type { RegistryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';
import { mirrorRig } from '../mirror/mirror-rig.ts';
import { addList, addReferrer } from './info-rig.ts';

/** Two registries, a directory between them, the mirror and its verification. */
async function verifyRig(t: Test) {
  const rig = await mirrorRig(t);
  async function verifyIn(io: ReturnType<typeof recordedIo>, ...args: string[]) {
    const env = { REGISTRY_AUTH_FILE: join(rig.dir, 'auth.json') };
    const code = await mirrorVerify(['--insecure', '--dir', rig.dir, ...args], { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  const blobFile = (digest: Digest) => join(rig.dir, 'v2/team/app/blobs', digest);
  return { ...rig, blobFile, verifyIn, verify: (...args: string[]) => verifyIn(recordedIo(), ...args) };
}

function writes({ requests }: RegistryDouble) {
  return requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD');
}

test('images that are at their destination are ok, one line each, and nothing is written', async (t) => {
  const { from, to, run, verify, file } = await verifyRig(t);
  const one = from.addImage('team/app', 'v1');
  const list = addList(from, 'team/app', 'v2', ['amd64', 'arm64']);
  const map = await file(
    'map.txt',
    `${from.host}/team/app:v1 ${to.host}/a:1 ${to.host}/b:1`,
    `${from.host}/team/app:v2=${to.host}/a`,
  );
  t.equal((await run('-f', map)).code, 0);
  to.requests.length = 0;
  const { code, out, err } = await verify('-f', map);
  t.equal(code, 0, err);
  t.equal(
    out,
    `ok: ${to.host}/a:1 ${one.digest}\nok: ${to.host}/b:1 ${one.digest}\nok: ${to.host}/a:v2 ${list.digest}\n`,
  );
  t.match(err, 'info: images: 3 ok, 0 missing, 0 differ, 0 cannot be told, 0 skipped\n');
  t.same(writes(to), []);
  const blobs = to.requests.filter(({ path }) => path.includes('/blobs/'));
  t.ok(blobs.every(({ method }) => method === 'HEAD'));
  t.equal(new Set(blobs.map(({ path }) => path)).size, blobs.length);
});

test('what is missing, differs or is damaged at a registry is named, and goes into the file of failures', async (t) => {
  const { from, to, run, verify, dir } = await verifyRig(t);
  for (const tag of ['v1', 'v2', 'v3', 'v4']) from.addImage('team/app', tag);
  const pairs = ['v1', 'v2', 'v3', 'v4'].map((tag) => `${from.host}/team/app:${tag}=${to.host}/copy:${tag}`);
  await run(...pairs);
  to.removeTag('copy', 'v1');
  const other = to.addImage('copy', 'v2', { layers: [5] });
  const wanted = from.tagOf('team/app', 'v2');
  const [layer] = from.addImage('team/app', 'v3').layers;
  if (layer === undefined) throw new Error('no layer');
  to.addBlob('copy', Buffer.alloc(3), layer.digest);
  const failed = join(dir, 'failed.txt');
  const { code, out } = await verify(...pairs, '--failed-file', failed);
  t.equal(code, 1);
  t.same(out.split('\n'), [
    `missing: ${to.host}/copy:v1: manifest v1 is not there`,
    `differs: ${to.host}/copy:v2: it is ${other.digest}, and ${from.host}/team/app:v2 is ${wanted}`,
    `differs: ${to.host}/copy:v3: blob ${layer.digest} has 3 bytes, and its manifest states 1000`,
    `ok: ${to.host}/copy:v4 ${to.tagOf('copy', 'v4')}`,
    '',
  ]);
  const again = await readFile(failed, 'utf8');
  t.match(again, `# missing: manifest v1 is not there\n${from.host}/team/app:v1 ${to.host}/copy:v1\n`);
  t.notMatch(again, 'copy:v4');
  t.equal((await run('-f', failed, '--force')).code, 0);
  t.equal((await verify(...pairs, '--failed-file', failed)).code, 0);
  t.equal(await readFile(failed, 'utf8'), '');
});

test('files are compared with their digests', async (t) => {
  const { from, run, verify, blobFile, dir } = await verifyRig(t);
  const images = ['v1', 'v2', 'v3', 'v4'].map((tag) => from.addImage('team/app', tag));
  const pairs = ['v1', 'v2', 'v3', 'v4'].map((tag) => `${from.host}/team/app:${tag}=file://team/app:${tag}`);
  await run(...pairs);
  t.equal((await verify(...pairs)).code, 0);
  const [lost, cut, cracked] = images.map(({ layers: [layer] }) => layer?.digest);
  if (lost === undefined || cut === undefined || cracked === undefined) throw new Error('no layers');
  await rm(blobFile(lost));
  await truncate(blobFile(cut), 10);
  await writeFile(blobFile(cracked), Buffer.alloc(1_000));
  await writeFile(join(dir, 'v2/team/app/manifests', images[3]?.digest ?? ''), '{}');
  const { code, out } = await verify(...pairs);
  t.equal(code, 1);
  t.same(out.split('\n'), [
    `missing: file://team/app:v1: blob ${lost} is not there`,
    `differs: file://team/app:v2: ${blobFile(cut)} does not hold what its name says`,
    `differs: file://team/app:v3: ${blobFile(cracked)} does not hold what its name says`,
    `differs: file://team/app:v4: ${join(dir, 'v2/team/app/manifests', images[3]?.digest ?? '')} does not hold what its name says`,
    '',
  ]);
});

test('with --deep every byte of a registry is compared', async (t) => {
  const { from, to, run, verify } = await verifyRig(t);
  const {
    layers: [layer],
  } = from.addImage('team/app', 'v1');
  const pair = `${from.host}/team/app:v1=${to.host}/copy:v1`;
  await run(pair);
  if (layer === undefined) throw new Error('no layer');
  to.addBlob('copy', Buffer.alloc(1_000), layer.digest);
  t.equal((await verify(pair)).code, 0);
  const { code, out } = await verify('--deep', pair);
  t.equal(code, 1);
  t.equal(out, `differs: ${to.host}/copy:v1: blob ${layer.digest} holds other bytes than its digest names\n`);
});

test('a registry that does not say is never told as missing', async (t) => {
  const { from, to, run, verify } = await verifyRig(t);
  from.addImage('team/app', 'v1');
  const pair = `${from.host}/team/app:v1=${to.host}/copy:v1`;
  await run(pair);
  for (const kind of ['manifests', 'blobs'] as const) {
    to.switches.status = { of: kind, code: 403 };
    const { code, out, err } = await verify(pair);
    t.equal(code, 1);
    t.match(out, new RegExp(`^cannot tell: ${to.host}/copy:v1: .*the registry refuses access`), kind);
    t.match(err, '0 ok, 0 missing, 0 differ, 1 cannot be told');
  }
});

test('where the source does not say, what is damaged is told all the same', async (t) => {
  const { from, to, run, verify, blobFile } = await verifyRig(t);
  const {
    digest,
    layers: [layer],
  } = from.addImage('team/app', 'v1');
  await run(`${from.host}/team/app:v1`, 'file://team/app:v1');
  from.switches.status = { of: 'manifests', code: 403 };
  const byTag = [`${from.host}/team/app:v1`, 'file://team/app:v1', `${to.host}/gone:v1`];
  const { code, out } = await verify(...byTag);
  t.equal(code, 1);
  t.match(out, /^cannot tell: file:\/\/team\/app:v1: .*refuses access/);
  t.match(out, `missing: ${to.host}/gone:v1: manifest v1 is not there`);
  from.requests.length = 0;
  const byDigest = `${from.host}/team/app@${digest}=file://team/app:v1`;
  t.equal((await verify(byDigest)).code, 0);
  t.same(
    from.requests.filter(({ path }) => path !== '/v2/'),
    [],
  );
  if (layer !== undefined) await rm(blobFile(layer.digest));
  t.match((await verify(byTag[0] ?? '', byTag[1] ?? '')).out, /^missing: file:\/\/team\/app:v1: blob /);
});

test('an image without a tag at its destination is looked for by its digest', async (t) => {
  const { from, to, run, verify } = await verifyRig(t);
  const { digest } = from.addImage('team/app', 'v1');
  const pair = `${from.host}/team/app@${digest}=${to.host}/copy`;
  t.match(await verify(pair), {
    code: 1,
    out: `missing: ${to.host}/copy: manifest ${digest} is not there\n`,
  });
  await run(pair);
  t.match(await verify(pair), { code: 0, out: `ok: ${to.host}/copy ${digest}\n` });
});

test('a source that is gone leaves the line undecided, unless it may be missing', async (t) => {
  const { from, to, verify } = await verifyRig(t);
  from.addImage('team/app', 'v1');
  to.addImage('copy', 'gone');
  const pair = `${from.host}/team/app:gone=${to.host}/copy:gone`;
  const plain = await verify(pair);
  t.equal(plain.code, 1);
  t.match(plain.out, `cannot tell: ${to.host}/copy:gone: ${from.host}/team/app:gone does not exist`);
  const skipping = await verify('--skip-missing', pair);
  t.equal(skipping.code, 0);
  t.match(skipping.out, 'skipped: ');
});

test('--skip-missing hides no damage at the destination of a source that is gone', async (t) => {
  const { from, to, verify } = await verifyRig(t);
  from.addImage('team/app', 'v1');
  const [layer] = to.addImage('copy', 'gone').layers;
  if (layer === undefined) throw new Error('no layer');
  to.addBlob('copy', Buffer.alloc(3), layer.digest);
  const pair = `${from.host}/team/app:gone=${to.host}/copy:gone`;
  const damaged = await verify('--skip-missing', pair);
  t.equal(damaged.code, 1);
  t.match(damaged.out, `differs: ${to.host}/copy:gone: blob ${layer.digest} has 3 bytes`);
  to.switches.status = { of: 'manifests', code: 500 };
  t.match(await verify('--skip-missing', pair), { code: 1, out: /^cannot tell: / });
  delete to.switches.status;
  to.removeTag('copy', 'gone');
  t.match(await verify('--skip-missing', pair), { code: 0, out: /^skipped: / });
});

test('a manifest of another algorithm that cannot be read does not differ', async (t) => {
  const { to, verify } = await verifyRig(t);
  const { manifest } = to.addImage('copy', 'v1');
  const digest = digestOf(manifest, 'sha512');
  const pair = `${to.host}/team/app@${digest}=${to.host}/copy:v1`;
  t.match(await verify(pair), { code: 0, out: /^ok: / });
  const put = to.requests.push.bind(to.requests);
  to.requests.push = (...records) => {
    if (records.some(({ method, path }) => method === 'GET' && path.includes('/manifests/sha256')))
      to.switches.status = { of: 'manifests', code: 500 };
    return put(...records);
  };
  t.match(await verify(pair), { code: 1, out: /^cannot tell: .*: manifest sha256:/ });
});

test('a list is judged by the platforms that the filter lets through', async (t) => {
  const { from, to, run, verify } = await verifyRig(t);
  const { children } = addList(from, 'team/app', 'v1', ['amd64', 'arm64']);
  const pair = `${from.host}/team/app:v1=${to.host}/copy:v1`;
  const arm = ['--filter-by-os', 'arm64', pair];
  await run(...arm);
  t.match(await verify(...arm), { code: 0, out: `ok: ${to.host}/copy:v1 ${children[1]}\n` });
  t.match(await verify(pair), { code: 1, out: /^differs: / });
  t.match(await verify('--filter-by-os', 's390x', pair), { code: 0, out: /^skipped: .*fits s390x/ });
});

test('with --referrers signatures must be there too', async (t) => {
  const { from, to, run, verify } = await verifyRig(t);
  const { digest } = from.addImage('team/app', 'v1');
  const artifactType = 'application/vnd.dev.cosign.artifact.sig.v1+json';
  const signature = addReferrer(from, 'team/app', { artifactType, subject: digest });
  const tag = `${digest.replace(':', '-')}.sig`;
  addReferrer(from, 'team/app', { artifactType: 'application/x', tag });
  const pair = `${from.host}/team/app:v1=${to.host}/copy:v1`;
  await run(pair);
  t.equal((await verify(pair)).code, 0);
  const { code, out } = await verify('--referrers', pair);
  t.equal(code, 1);
  t.match(
    out,
    `missing: ${to.host}/copy:v1: manifest ${signature} is not there; manifest ${tag} is not there`,
  );
  await run('--referrers', pair);
  t.equal((await verify('--referrers', pair)).code, 0);
});

test('globs are expanded; what comes to no image has its line', async (t) => {
  const { from, to, run, verify } = await verifyRig(t);
  for (const tag of ['v1', 'v2']) from.addImage('team/app', tag);
  const pairs = [`${from.host}/team/app:v*`, `${to.host}/copy`];
  await run(...pairs);
  from.addImage('team/app', 'v3');
  const { code, out } = await verify(...pairs);
  t.equal(code, 1);
  t.match(out, /^ok: .*:v1 .*\nok: .*:v2 .*\nmissing: .*:v3: /);
  t.match(await verify(`${from.host}/team/app:x*=${to.host}/copy`), {
    code: 1,
    out: /^cannot tell: .*no tag fits/,
  });
});

test('the document has each line', async (t) => {
  const { from, to, verify } = await verifyRig(t);
  from.addImage('team/app', 'v1');
  const { code, out } = await verify('--output=json', `${from.host}/team/app:v1=${to.host}/copy:v1`);
  t.equal(code, 1);
  t.match(JSON.parse(out), {
    images: { ok: 0, missing: 1 },
    lines: [{ source: `${from.host}/team/app:v1`, destination: `${to.host}/copy:v1`, state: 'missing' }],
    left: [],
  });
});

test('a signal ends it, and what was not judged is told', async (t) => {
  const { from, to, verifyIn, dir } = await verifyRig(t);
  from.addImage('team/app', 'v1');
  const stop = new AbortController();
  const held = Promise.withResolvers<void>();
  to.switches.holds = held.promise;
  const failed = join(dir, 'failed.txt');
  const io = recordedIo(stop.signal);
  const running = verifyIn(io, `${from.host}/team/app:v1=${to.host}/copy:v1`, '--failed-file', failed);
  stop.abort(new Error('SIGTERM'));
  const { code, err } = await running;
  held.resolve();
  t.equal(code, 143);
  t.match(err, 'error: stopped before ');
});

test('mistakes in the command line and in mappings are refused', async (t) => {
  const { from, to, verify, file } = await verifyRig(t);
  from.addImage('team/app', 'v1');
  const map = await file('map.txt', 'nonsense', `${from.host}/team/app:v1=${to.host}/copy:v1`);
  for (const args of [[], ['--deeep', 'a=b'], ['-f', map], ['--dir', '/nowhere', 'quay.io/a:b=file://a:b']])
    await t.rejects(verify(...args), { name: 'UsageError' }, args.join(' '));
  const goingOn = await verify('-f', map, '--continue-on-error');
  t.equal(goingOn.code, 1);
  t.match(goingOn.err, 'line 1: ');
  t.match(goingOn.out, 'missing: ');
});

test('a dry run says by its exit code whether anything is left to copy, when asked', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const pair = `${from.host}/team/app:v1=${to.host}/copy:v1`;
  t.equal((await run('--dry-run', pair)).code, 0);
  t.equal((await run('--dry-run', '--exit-code', pair)).code, 1);
  await run(pair);
  t.equal((await run('--dry-run', '--exit-code', pair)).code, 0);
  await t.rejects(run('--exit-code', pair), { name: 'UsageError' });
});
