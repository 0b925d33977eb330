import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { digestFor } from '../../prune/memory-place.ts';
import { until } from '../../support/program.ts';
import { recordedIo } from '../io.ts';
import { integratedRig } from './integrated-rig.ts';

const act = ['--confirm', '--keep-tag-revisions', '1'];

test('links that could not be deleted are by the next run, though no stream names them', async (t) => {
  const { addImage, addStream, run, switches, writes, linkOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name, { layers: ['base', `${name}-layer`] });
  addStream('ns/app', { latest: ['a', 'b'] });
  switches.refusesDelete = (path) => (path.startsWith('/v2/') ? 500 : undefined);
  t.match(await run(...act), { code: 1, out: /Failed to delete 3 objects/ });
  delete switches.refusesDelete;
  writes.length = 0;
  t.match(await run(...act), { code: 0, out: /Deleted 3 objects out of 3/ });
  t.same(
    new Set(writes),
    new Set([linkOf('blobs', 'b-layer'), linkOf('blobs', 'b-config'), linkOf('manifests', 'b')]),
  );
  t.match(await run(...act), { code: 0, out: /Deleted 0 objects out of 0/ });
});

test('a link that an earlier run left stays once its stream needs it again', async (t) => {
  const { addImage, addStream, run, switches, writes } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name, { isManaged: false });
  addStream('ns/app', { latest: ['a', 'b'] });
  switches.refusesDelete = () => 500;
  await run(...act, '--all=false');
  delete switches.refusesDelete;
  addStream('ns/app', { latest: [['b', 0.5], 'a'] });
  t.match(await run('--confirm', '--all=false'), { code: 0, out: /Deleted 0 objects out of 0/ });
  t.notOk(writes.some((line) => line.includes('DELETE /v2/')));
});

test('a stop behind the update of a stream leaves its manifest links to the next run', async (t) => {
  const { addImage, addStream, run, runIn, switches, writes, linkOf, itemsOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b'] });
  const stop = new AbortController();
  switches.before = (line) => {
    if (line.startsWith('PUT ')) stop.abort(new Error('SIGTERM'));
  };
  t.match(await runIn(recordedIo(stop.signal), ...act), { code: 143, err: /the next run goes on from here/ });
  t.equal(itemsOf('ns/app'), 1);
  t.notOk(writes.includes(linkOf('manifests', 'b')));
  delete switches.before;
  t.match(await run(...act), { code: 0 });
  t.ok(writes.includes(linkOf('manifests', 'b')));
});

test('a blob whose Image is gone is deleted by the next run, unless an Image needs it', async (t) => {
  const { addImage, run, switches, writes, blobOf, images } = await integratedRig(t);
  addImage('a', { layers: ['x', 'y'] });
  const broken = ['x', 'y'].map((layer) => `/admin/blobs/${digestFor(layer)}`);
  switches.refusesDelete = (path) => (broken.includes(path) ? 500 : undefined);
  t.match(await run('--confirm'), { code: 1 });
  t.equal(images.size, 0);
  delete switches.refusesDelete;
  addImage('b', { layers: ['y'], hours: 0.5 });
  t.match(await run('--confirm'), { code: 0, out: /deleted 1 blob\(s\)/ });
  t.ok(writes.includes(blobOf('x')));
  t.notOk(writes.includes(blobOf('y')));
});

test('-f takes what failed again, and nothing that another Image refers to', async (t) => {
  const { addImage, addStream, run, switches, writes, images, dir, blobOf } = await integratedRig(t);
  addImage('a', { layers: ['shared', 'a-layer'] });
  addImage('b', { layers: ['shared', 'b-layer'] });
  for (const name of ['c', 'd']) addImage(name);
  addStream('ns/app', { latest: ['c', 'd'] });
  const failed = join(dir, 'failed');
  switches.refusesDelete = (path) => (path.includes(digestFor('b-')) ? undefined : 500);
  t.match(await run('--confirm', '--failed-file', failed, '--keep-tag-revisions=2'), { code: 1 });
  const text = await readFile(failed, 'utf8');
  t.match(text, new RegExp(`^# .*500.*\nblob ${digestFor('a-layer')}$`, 'm'));
  t.equal(images.size, 4);
  delete switches.refusesDelete;
  await writeFile(failed, `# why\nblob ${digestFor('a-layer')}\n`);
  t.match(await run(...act, '-f', failed, '--failed-file', failed), { code: 0 });
  t.same(new Set(images.keys()), new Set(['b', 'c', 'd'].map(digestFor)));
  t.ok(writes.includes(blobOf('a-layer')));
  t.notOk(writes.includes(blobOf('shared')), 'b was not wanted, and needs it');
  t.notOk(writes.some((line) => line.includes('/imagestreams/')));
  t.equal(await readFile(failed, 'utf8'), '');
});

test('-f with a namespace, and names that are no objects, are refused', async (t) => {
  const { run, dir } = await integratedRig(t);
  const names = join(dir, 'names');
  await writeFile(names, 'ns/app\n');
  await t.rejects(run('-f', names, '-n', 'ns'), /leave out --namespace/);
  await t.rejects(run('-f', names), /-f: ns\/app is no object that --failed-file has/);
});

test('bytes are told in the plan and in the end, and what stays by reason', async (t) => {
  const { addImage, addStream, run, switches } = await integratedRig(t);
  addImage('a', { layers: ['a-1'], layerBytes: 40_000_000 });
  addImage('b', { layers: ['b-1'], layerBytes: 2_000_000 });
  addImage('c');
  addStream('ns/app', { latest: ['c'] });
  const dry = await run();
  t.match(dry.out, 'Kept, in use: 1\nBytes that nothing else needs: 42MB\nDry run: nothing was deleted.');
  switches.refusesDelete = (path) => (path.includes(digestFor('b-1')) ? 500 : undefined);
  const { out } = await run('--confirm', '-o', 'json');
  const { summary } = JSON.parse(out.trim().split('\n').at(-1) ?? '');
  t.match(summary, {
    bytes: 42_000_000,
    deletedBytes: 40_000_000,
    images: 2,
    failed: 1,
    kept: { 'in use': 1 },
  });
});

test('with --every runs follow each other until a signal, and their metrics are served', async (t) => {
  const { addImage, runIn, images } = await integratedRig(t);
  addImage('a');
  const stop = new AbortController();
  const io = recordedIo(stop.signal);
  const ended = runIn(io, '--confirm', '--every', '1h', '--metrics', '127.0.0.1:0');
  let metrics = '';
  await until('the run counts', async () => {
    const [, url] = /metrics are at (\S+)/.exec(io.err()) ?? [];
    metrics = url === undefined ? '' : await (await fetch(url)).text();
    return metrics.includes('quayside_prune_runs_total{outcome="done"} 1');
  });
  t.match(metrics, 'quayside_prune_objects_total{outcome="deleted"} 4');
  t.match(metrics, 'quayside_prune_deleted_bytes_total 10');
  stop.abort(new Error('SIGTERM'));
  t.equal((await ended).code, 143);
  t.equal(images.size, 0);
});

test('one process at a time prunes a cluster', async (t) => {
  const { addImage, run, runIn, switches, writes } = await integratedRig(t);
  addImage('a');
  let second: Promise<unknown> | undefined;
  switches.before = () => {
    second ??= run('--confirm');
  };
  t.match(await runIn(recordedIo(), '--confirm', '--num-workers=1'), { code: 0 });
  t.match(await second, { code: 1, err: /another process does this now/ });
  t.equal(new Set(writes).size, writes.length);
});
