import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text as streamText } from 'node:stream/consumers';
import { test } from 'tap';
import { type ProgressState, progressLine } from '../../../src/cli/flags/progress-line.ts';
import { exists } from '../../mirror/endpoints/files.ts';
import type { RegistryDouble } from '../../support/registry-double.ts';
import { recordedIo } from '../io.ts';
import { mirrorRig } from './mirror-rig.ts';

const layers = { layers: [70_000, 3_000] };

type DoubleImage = ReturnType<RegistryDouble['addImage']>;

/** The image is in the repository, its layers byte for byte. */
function holds(to: RegistryDouble, repository: string, tag: string, image: DoubleImage): boolean {
  const blobs = image.layers.map(
    ({ digest, bytes }) => to.blobOf(repository, digest)?.equals(bytes) === true,
  );
  return to.tagOf(repository, tag) === image.digest && !blobs.includes(false);
}

function uploads(registry: RegistryDouble) {
  return registry.requests.filter(({ method }) => ['POST', 'PUT', 'PATCH'].includes(method));
}

test('images go from registry to registry; each is a line on standard output', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const one = from.addImage('team/app', 'v1', layers);
  const two = from.addImage('team/app', 'v2', layers);
  const { code, out, err } = await run(
    `${from.host}/team/app:v1=${to.host}/copy:one`,
    `${from.host}/team/app:v2=${to.host}/copy`,
  );
  t.equal(code, 0, err);
  const lines = [`${one.digest} ${to.host}/copy:one`, `${two.digest} ${to.host}/copy:v2`];
  t.same(new Set(out.trimEnd().split('\n')), new Set(lines));
  t.ok(holds(to, 'copy', 'one', one));
  t.ok(holds(to, 'copy', 'v2', two));
  t.match(err, `uploading: ${to.host}/copy ${one.layers[0]?.digest} 68.36KiB`);
  t.match(err, 'info: images: 2 copied, 0 up to date, 0 filtered, 0 missing, 0 failed');
  t.match(err, /info: Mirroring completed in [\d.]+m?s \([\d.]+[kM]B\/s\)\n$/);
});

test('a second run asks each side once for an image, and copies nothing', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  await run(`${from.host}/team/app:v1`, `${to.host}/copy:v1`);
  for (const { requests } of [from, to]) requests.length = 0;
  const { code, out, err } = await run(`${from.host}/team/app:v1`, `${to.host}/copy:v1`);
  t.equal(code, 0);
  t.match(out, /^sha256:.*\/copy:v1\n$/);
  t.match(err, '0 copied, 1 up to date');
  const asked = [from, to].map(({ requests }) => requests.filter(({ path }) => path !== '/v2/').length);
  t.same(asked, [1, 1]);
});

test('a repository, a glob and a file of mappings name many images', async (t) => {
  const { from, to, run, file } = await mirrorRig(t);
  for (const tag of ['v1', 'v2', 'latest']) from.addImage('team/app', tag);
  await run(`${from.host}/team/app:v*`, `${to.host}/globbed`);
  t.ok(to.tagOf('globbed', 'v2'));
  t.equal(to.tagOf('globbed', 'latest'), undefined);
  await run('--all-tags', `${from.host}/team/app=${to.host}/all`);
  t.ok(to.tagOf('all', 'latest'));
  const mappings = await file('m.txt', '# two', `${from.host}/team/app:v1 ${to.host}/a:1 ${to.host}/a:2`);
  t.equal((await run('-f', mappings)).code, 0);
  t.ok(to.tagOf('a', '2'));
});

test('SRC:PREFIX* DST:* takes the prefix off, and says how many staging tags it left out', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  for (const tag of ['lvms_op_v1', 'lvms_op_v1__pre', 'lvms_op_v2_incoming'])
    from.addImage('openshift/ci', tag);
  const { code, err } = await run(`${from.host}/openshift/ci:lvms_op_*`, `${to.host}/op:*`);
  t.equal(code, 0);
  t.match(err, `info: ${from.host}/openshift/ci:lvms_op_*: left out 2 staging and backup tags (`);
  t.ok(to.tagOf('op', 'v1'));
  t.equal(to.tagOf('op', 'v1__pre'), undefined);
  const all = await run('--staging-tags', `${from.host}/openshift/ci:lvms_op_*=${to.host}/op:*`);
  t.notMatch(all.err, 'left out');
  t.ok(to.tagOf('op', 'v1__pre'));
});

test('a dry run prints the plan with its bytes, and writes nothing', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { digest } = from.addImage('team/app', 'v1', layers);
  const source = `${from.host}/team/app`;
  const { code, out, err } = await run('--dry-run', `${source}:v1`, `${to.host}/a`, `${to.host}/b`);
  t.equal(code, 0);
  t.equal(out, '');
  t.match(err, `${to.host}/\n  a\n    blobs:\n      ${source} sha256:`);
  t.match(err, `    manifests:\n      ${digest} -> v1\n  b\n`);
  t.match(err, /stats: shared=3 unique=0 size=71\.\d+KiB ratio=0\.00\n/);
  t.match(err, /info: Planning completed in .*\ninfo: Dry run complete\n$/);
  t.same(uploads(to), []);
  t.same(from.seen('/blobs/'), [], 'no layer was read');
  const failing = await run('--dry-run', `${from.host}/team/gone:v1`, `${to.host}/a`);
  t.equal(failing.code, 1);
  t.match(failing.err, /error: manifest .*gone:v1.*\n.*\n.*error: an error occurred during planning\n$/s);
});

test('a failure is told, the others are copied if asked, and what failed can be fed back', async (t) => {
  const { from, to, run, file, dir } = await mirrorRig(t);
  const refused = from.addImage('team/refused', 'v1', { layers: [5_000] });
  const gone = `${from.host}/team/gone:v1`;
  from.switches.status = { of: 'blobs', code: 403, error: 'DENIED' };
  const mappings = await file(
    'm.txt',
    `${gone}=${to.host}/gone:v1`,
    `${from.host}/team/refused:v1 ${to.host}/a:1`,
  );
  const failed = join(dir, 'failed.txt');
  const first = await run('-f', mappings, '--continue-on-error', '--failed-file', failed);
  t.equal(first.code, 1);
  t.match(first.err, /error: blob sha256:.* of .*team\/refused: /);
  t.match(first.err, `info: what was not copied is in ${failed}`);
  t.match(first.err, /info: Mirroring completed in .*\nerror: one or more errors occurred\n$/);
  t.equal(to.tagOf('a', '1'), undefined, 'no manifest over a missing layer');
  const list = await readFile(failed, 'utf8');
  t.match(list, `# denied: blob `);
  t.match(list, `# source-gone: manifest ${gone}: `);
  t.match(list, `\n${from.host}/team/refused:v1 ${to.host}/a:1\n`);
  delete from.switches.status;
  from.addImage('team/gone', 'v1');
  t.equal((await run('-f', failed, '--failed-file', failed)).code, 0);
  t.ok(holds(to, 'a', '1', refused));
  t.equal(await readFile(failed, 'utf8'), '');
});

test('without --continue-on-error no other image is begun after a failure, and the rest is listed', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const { err, code } = await run(
    '--max-per-registry=1',
    `${from.host}/team/gone:v1=${to.host}/a:1`,
    `${from.host}/team/app:v1=${to.host}/a:2`,
  );
  t.equal(code, 1);
  t.match(err, `\n# source-gone: manifest ${from.host}/team/gone:v1: `);
  t.match(err, `# not copied because the run ended before\n${from.host}/team/app:v1 ${to.host}/a:2\n`);
  t.same(uploads(to), []);
});

test('without --continue-on-error nothing is copied when any source is missing, as with oc', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const pairs = ['team/app:v1', 'team/gone:v1', 'team/gone:v2'].map(
    (source, index) => `${from.host}/${source}=${to.host}/a:${index}`,
  );
  const { err, code } = await run(...pairs);
  t.equal(code, 1);
  t.equal(err.match(/^error: manifest .*the source has no such image/gm)?.length, 2, 'each is told');
  t.same(uploads(to), []);
  t.equal((await run('--continue-on-error', ...pairs)).code, 1);
  t.ok(to.tagOf('a', '0'));
});

test('--skip-missing makes a warning of a source that is not there', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const gone = `${from.host}/team/gone:v1`;
  const pairs = [`${gone}=${to.host}/a:1`, `${from.host}/team/app:v1=${to.host}/a:2`];
  const { code, err } = await run('--skip-missing', '--max-per-registry=1', ...pairs);
  t.equal(code, 0);
  t.match(err, `warning: Image ${gone} does not exist and will not be mirrored\n`);
  t.match(err, '1 copied, 0 up to date, 0 filtered, 1 missing, 0 failed');
  t.ok(to.tagOf('a', '2'));
});

test('--output=json prints one document', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { digest } = from.addImage('team/app', 'v1');
  const pairs = [`${from.host}/team/app:v1=${to.host}/a:1`, `${from.host}/team/gone:v1=${to.host}/a:2`];
  const { out } = await run('--output=json', '--continue-on-error', ...pairs);
  t.match(JSON.parse(out), {
    images: { copied: 1, failed: 1 },
    blobs: { copied: 3, failed: 0 },
    done: [{ source: `${from.host}/team/app:v1`, destination: `${to.host}/a:1`, outcome: 'copied', digest }],
    failed: [{ source: `${from.host}/team/gone:v1`, destination: `${to.host}/a:2`, kind: 'source-gone' }],
    left: [],
  });
});

test('blobs are mounted from a repository beside, unless --skip-mount is given', async (t) => {
  const { from, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1', layers);
  const mounted = await run(`${from.host}/team/app:v1`, `${from.host}/team/copy:v1`);
  t.match(mounted.err, `mounted: ${from.host}/team/copy sha256:`);
  t.match(mounted.err, 'blobs: 0 copied (0B), 3 mounted');
  const sent = await run('--skip-mount', `${from.host}/team/app:v1`, `${from.host}/team/other:v1`);
  t.match(sent.err, /blobs: 3 copied \(73\.\d+kB\), 0 mounted/);
});

test('a mount that a registry ignores is told, and the blob is sent', async (t) => {
  const { from, run } = await mirrorRig(t);
  const { layers: blobs } = from.addImage('team/app', 'v1', layers);
  from.switches.refusesMounts = true;
  const { err, code } = await run(`${from.host}/team/app:v1`, `${from.host}/team/copy:v1`);
  t.equal(code, 0, err);
  const where = `${blobs[0]?.digest} from ${from.host}/team/app`;
  t.match(err, `warning: Expected to mount ${where} but mount was ignored\n`);
  t.match(err, 'blobs: 3 copied');
});

test('--upload-host lets a registry lead uploads to another name of it', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1', layers);
  const other = `localhost:${new URL(to.url).port}`;
  to.switches.uploadsAt = `http://${other}`;
  const pair = [`${from.host}/team/app:v1`, `${to.host}/copy:v1`];
  t.match(await run(...pair), { code: 1, err: `to another host, ${other}: ` });
  t.equal((await run('--upload-host', other, ...pair)).code, 0);
});

test('--force writes what is there', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const pair = `${from.host}/team/app:v1=${to.host}/a:1`;
  await run(pair);
  t.match((await run('--force', pair)).err, 'blobs: 3 copied');
});

test('a run that is broken off says what is left', async (t) => {
  const { from, to, runIn } = await mirrorRig(t);
  from.addImage('team/app', 'v1', layers);
  const abort = new AbortController();
  from.switches.stallsAfter = { bytes: 10, times: Number.POSITIVE_INFINITY };
  const io = recordedIo(abort.signal);
  const stderr = {
    write(text: string) {
      io.stderr.write(text);
      if (text.startsWith('uploading')) abort.abort(new Error('SIGINT'));
    },
  };
  const { code, err } = await runIn({ ...io, stderr }, `${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.equal(code, 130);
  t.match(err, `# not copied because the run ended before\n${from.host}/team/app:v1 ${to.host}/a:1\n`);
  t.match(err, /\nerror: stopped before everything was copied\n$/);
  t.equal(to.openUploads(), 0);
});

test('a terminal gets one line that changes', async (t) => {
  const { from, to, runIn } = await mirrorRig(t);
  from.addImage('team/app', 'v1', layers);
  const io = recordedIo();
  const stderr = { write: io.stderr.write, isTTY: true };
  const shown: string[] = [];
  const progress = (state: () => ProgressState) => () => shown.push(progressLine(state(), 1_000));
  const { err } = await runIn({ ...io, stderr, progress }, `${from.host}/team/app:v1`, `${to.host}/a:1`);
  t.match(shown[0], /^1\/1 images {2}100 % {2}/);
  t.notMatch(err, 'uploading:');
});

test('mistakes end with 1 and say where they are', async (t) => {
  const { run, file } = await mirrorRig(t);
  const mappings = await file('m.txt', '', 'q.io/a:1 r.io/a@sha256:12');
  const { code, err } = await run('-f', mappings);
  t.equal(code, 1);
  t.match(err, `error: file ${mappings}, line 2: "r.io/a@sha256:12" is not a valid image reference`);
  t.equal((await run('q.io/a:1', 's3://s3.amazonaws.com/r/b/a:1')).code, 1);
  await t.rejects(run(), { name: 'UsageError', message: /you must specify at least one source image/ });
  await t.rejects(run('-f', '/nowhere'), { name: 'UsageError', message: '/nowhere cannot be read' });
  const tagged = run('--all-tags', 'q.io/a:1', 'r.io/a');
  await t.rejects(tagged, { name: 'UsageError', message: /--all-tags is for repositories, not q.io\/a:1/ });
});

test('what failed is said where its file cannot be written', async (t) => {
  const { run, from, to, dir } = await mirrorRig(t);
  const file = join(dir, 'nowhere/failed.txt');
  const gone = `${from.host}/team/gone:v1`;
  const { code, err } = await run('--failed-file', file, `${gone}=${to.host}/team/gone:v1`);
  t.equal(code, 1);
  t.match(err, `error: ${file} cannot be written (ENOENT)\n`);
  t.match(err, `\n${gone} ${to.host}/team/gone:v1\n`);
  t.match(err, /\nerror: one or more errors occurred\n$/);
});

test('authorities that cannot be read are a mistake, told before anything is asked', async (t) => {
  const { run, from, to } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const pair = `${from.host}/team/app:v1=${to.host}/team/app:v1`;
  await t.rejects(run('--certificate-authority', '/nowhere.pem', pair), {
    name: 'UsageError',
    message: 'the authorities in /nowhere.pem cannot be read',
  });
});

test('-f - reads the mappings from standard input', async (t) => {
  const program = join(import.meta.dirname, '../../../bin/quayside.js');
  const mirroring = spawn(process.execPath, [program, 'mirror', '-f', '-'], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  mirroring.stdin.end('# a comment\nq.io/a:1\n');
  const [err, [code]] = await Promise.all([streamText(mirroring.stderr), once(mirroring, 'exit')]);
  t.equal(code, 1);
  t.match(err, 'error: file -, line 2: ');
});

test('with --continue-on-error no line holds up another one, and what failed can be fed back', async (t) => {
  const { from, to, run, file, dir } = await mirrorRig(t);
  const app = from.addImage('team/app', 'v1');
  from.addImage('team/more', 'a');
  const bad = [
    `quay.io:team/app ${to.host}/x:1`,
    `${from.host}/team/app:nope-* ${to.host}/y`,
    `${from.host}/team/none ${to.host}/z`,
    `${from.host}/team/more:a ${to.host}/app:v1`,
  ];
  const good = [`${from.host}/team/app:v1=${to.host}/app:v1`, `${from.host}/team/more ${to.host}/more`];
  const mappings = await file('m.txt', ...good, ...bad);
  const failed = join(dir, 'failed.txt');
  const { code, err } = await run('-f', mappings, '--continue-on-error', '--failed-file', failed);
  t.equal(code, 1);
  t.equal(to.tagOf('app', 'v1'), app.digest);
  t.ok(to.tagOf('more', 'a'));
  t.match(err, `error: file ${mappings}, line 3: "quay.io:team/app" is not a valid image reference`);
  t.match(err, `error: file ${mappings}, line 4: no tag fits `);
  t.match(err, `error: the tags of ${from.host}/team/none cannot be listed`);
  t.match(err, `error: file ${mappings}, line 6: each destination tag may only be specified once`);
  t.match(err, /2 copied, 0 up to date, 0 filtered, 0 missing, 4 failed/);
  const list = await readFile(failed, 'utf8');
  t.match(list, `# file ${mappings}, line 3: `);
  t.match(list, `# file ${mappings}, line 6: `);
  t.match(list, `# source-gone: the tags of ${from.host}/team/none `);
  t.match(list, `\n${from.host}/team/none ${to.host}/z\n`);
  from.addImage('team/none', 'v1');
  from.addImage('team/app', 'nope-1');
  t.equal((await run('-f', failed, '--failed-file', failed)).code, 0);
  t.ok(to.tagOf('z', 'v1'));
  t.ok(to.tagOf('y', 'nope-1'));
  t.equal(to.tagOf('app', 'v1'), app.digest, 'what was a mistake takes nothing from what was none');
});

test('--skip-missing makes warnings of globs and repositories that are not there', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const pairs = ['team/app:nope-*', 'team/none', 'team/app:v1'].map(
    (one) => `${from.host}/${one}=${to.host}/a`,
  );
  const { code, err } = await run('--skip-missing', ...pairs);
  t.equal(code, 0, err);
  t.match(err, 'warning: no tag fits ');
  t.match(err, `warning: the tags of ${from.host}/team/none cannot be listed: no such repository`);
  t.match(err, '1 copied, 0 up to date, 0 filtered, 2 missing, 0 failed');
});

test('every faulty line of a file is told before anything is copied', async (t) => {
  const { from, to, run, file } = await mirrorRig(t);
  from.addImage('team/app', 'v1');
  const mappings = await file(
    'm.txt',
    `${from.host}/team/app:v1 ${to.host}/a:1`,
    'quay.io:99999/a q.io/a:1',
    'dir:x/y q.io/b:1',
  );
  const { code, err } = await run('-f', mappings);
  t.equal(code, 1);
  t.match(err, `error: file ${mappings}, line 2: "quay.io:99999/a" is not a valid image reference: what`);
  t.match(err, `\nerror: file ${mappings}, line 3: "dir:x/y" is not a valid image reference: dir: is a`);
  t.same(uploads(to), []);
  t.equal((await run('quay.io:team/app', `${to.host}/a`)).code, 1);
});

test('tags that cannot be listed are told as such', async (t) => {
  const { from, to, run } = await mirrorRig(t);
  const { code, err } = await run(`${from.host}/team/none`, `${to.host}/a`);
  t.equal(code, 1);
  t.match(err, `error: the tags of ${from.host}/team/none cannot be listed: no such repository`);
});

for (const [medium, place] of [
  ['file', () => 'file://ns/app'],
  ['oci', (dir: string) => `oci:${dir}/layout`],
] as const) {
  test(`${medium}: images travel by directory, and a run that was cut is made whole by the next`, async (t) => {
    const { from, to, run, dir } = await mirrorRig(t);
    const images = ['v1', 'v2'].map((tag) => from.addImage('team/app', tag, { layers: [90_000, 2_000] }));
    from.switches.status = { of: 'blobs', code: 403, error: 'DENIED' };
    const onto = ['--continue-on-error', `${from.host}/team/app`, place(dir)];
    const cut = await run(...onto);
    t.equal(cut.code, 1, cut.err);
    t.notOk(await exists(join(dir, 'v2/ns/app/blobs'), /download/));
    delete from.switches.status;
    t.equal((await run(...onto)).code, 0);
    from.requests.length = 0;
    t.equal((await run(...onto)).code, 0);
    t.same(from.seen('/blobs/'), [], 'nothing is missing any more');
    const off = await run(place(dir), `${to.host}/far`);
    t.equal(off.code, 0, off.err);
    images.forEach((image, index) => {
      t.ok(holds(to, 'far', `v${index + 1}`, image));
    });
  });
}
