import { test } from 'tap';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { digestFor } from '../../prune/memory-place.ts';
import { hoursAgo, integratedRig, now } from './integrated-rig.ts';

const host = 'registry.example:5000';

test('without --confirm the lines are told, and nothing is changed nor asked of the registry', async (t) => {
  const { addImage, addStream, run, writes } = await integratedRig(t);
  for (const name of ['a', 'b', 'c', 'd']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b', 'c', 'd'] });
  addImage('lost');
  const { code, out, err } = await run();
  t.equal(code, 0, err);
  t.match(err, 'Dry run enabled - no modifications will be made. Add --confirm to remove images');
  t.match(out, 'Deleting 1 items from image stream ns/app\n');
  t.match(out, `Deleting layer link ${digestFor('d-layer')} in repository ns/app\n`);
  t.match(out, `Deleting manifest link ${digestFor('d')} in repository ns/app\n`);
  t.match(out, `Deleting image ${digestFor('d')}\n`);
  t.match(out, `Deleting image ${digestFor('lost')}\n`);
  t.notMatch(out, `Deleting image ${digestFor('c')}\n`);
  t.same(writes, []);
});

test('layer links go before the status, manifest links after it, blobs before their Image', async (t) => {
  const { addImage, addStream, run, writes, linkOf, blobOf, imageOf, itemsOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name, { layers: ['base', `${name}-layer`] });
  addStream('ns/app', { latest: ['a', 'b'] });
  const { code, out, err } = await run('--confirm', '--keep-tag-revisions', '1', '--num-workers=1');
  t.equal(code, 0, err);
  t.same(writes, [
    linkOf('blobs', 'b-layer'),
    linkOf('blobs', 'b-config'),
    'PUT /apis/image.openshift.io/v1/namespaces/ns/imagestreams/app/status',
    linkOf('manifests', 'b'),
    blobOf('b-layer'),
    blobOf('b-config'),
    blobOf('b'),
    imageOf('b'),
  ]);
  t.equal(itemsOf('ns/app'), 1);
  t.match(
    out,
    'Summary: deleted 1 image object(s), deleted 1 image stream tag item(s), updated 1 image stream(s), deleted 2 layer link(s), deleted 1 manifest link(s), deleted 3 blob(s)',
  );
});

for (const [phase, hours, isKept] of [
  ['Pending', 100, true],
  ['Running', 100, true],
  ['Unknown', 100, true],
  ['Succeeded', 100, false],
  ['Failed', 100, false],
  ['Succeeded', 0.5, true],
] as const)
  test(`an image of a pod that is ${phase}, ${hours} h old, ${isKept ? 'stays' : 'goes'}`, async (t) => {
    const { addImage, addStream, addPod, run, images } = await integratedRig(t);
    addImage('a');
    addStream('ns/app', { latest: ['a'] });
    addPod(`${host}/ns/app@${digestFor('a')}`, { phase, hours });
    await run('--confirm', '--keep-tag-revisions', '0');
    t.equal(images.has(digestFor('a')), isKept);
  });

const template = (image: string) => ({
  template: { spec: { initContainers: [{ name: 'i', image }], containers: [{ name: 'c', image: '' }] } },
});
for (const [plural, spec] of [
  ['replicationcontrollers', template],
  ['deploymentconfigs', template],
  ['daemonsets', template],
  ['deployments', template],
  ['replicasets', template],
  ['statefulsets', template],
  ['jobs', template],
  ['cronjobs', (image: string) => ({ jobTemplate: { spec: template(image) } })],
  ['builds', (name: string) => ({ strategy: { sourceStrategy: { from: { kind: 'DockerImage', name } } } })],
  [
    'buildconfigs',
    () => ({
      strategy: { dockerStrategy: { from: { kind: 'ImageStreamTag', name: 'app:latest', namespace: 'ns' } } },
    }),
  ],
] as const)
  test(`an image that ${plural} use stays`, async (t) => {
    const { addImage, addStream, add, run, images, itemsOf } = await integratedRig(t);
    for (const name of ['a', 'b']) addImage(name);
    addStream('ns/app', { latest: ['a', 'b'] });
    add(plural, { metadata: { namespace: 'team', name: 'x' }, spec: spec(`${host}/ns/app:latest`) });
    t.equal((await run('--confirm', '--keep-tag-revisions', '0')).code, 0);
    t.ok(images.has(digestFor('a')));
    t.notOk(images.has(digestFor('b')));
    t.equal(itemsOf('ns/app'), 1);
  });

test('young items, young streams and young Images stay, and what they need of old ones', async (t) => {
  const { addImage, addStream, run, images, writes, itemsOf, blobOf } = await integratedRig(t);
  addImage('a');
  addImage('young', { hours: 0.5, layers: ['shared'] });
  addImage('old', { layers: ['shared', 'own'] });
  addStream('ns/app', { latest: [['a', 0.5]] });
  addStream('ns/new', { latest: ['a'] }, 0.5);
  await run('--confirm', '--keep-tag-revisions', '0');
  t.equal(itemsOf('ns/app') + itemsOf('ns/new'), 2);
  t.same([...images.keys()], ['a', 'young'].map(digestFor));
  t.ok(writes.includes(blobOf('own')));
  t.notOk(writes.includes(blobOf('shared')));
});

test('an image several times in a history loses its link with the last item of it', async (t) => {
  const { addImage, addStream, run, writes, linkOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b', 'a', 'b'] });
  await run('--confirm', '--keep-tag-revisions', '2');
  t.notOk(writes.some((line) => line.startsWith('DELETE /v2/')));
  await run('--confirm', '--keep-tag-revisions', '1');
  t.equal(writes.filter((line) => line === linkOf('manifests', 'b')).length, 1);
  t.notOk(writes.includes(linkOf('manifests', 'a')));
});

test('a failing blob, layer link or manifest link is of its object alone', async (t) => {
  const { addImage, addStream, run, images, switches, itemsOf } = await integratedRig(t);
  for (const name of ['a', 'b', 'c']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b', 'c'] });
  const broken = [`/v2/ns/app/blobs/${digestFor('b-layer')}`, `/v2/ns/app/manifests/${digestFor('b')}`];
  switches.refusesDelete = (path) =>
    broken.includes(path) || path === `/admin/blobs/${digestFor('b-layer')}` ? 500 : undefined;
  const { code, out, err } = await run('--confirm', '--keep-tag-revisions', '1');
  t.equal(code, 1);
  t.match(err, `imagestream ns/app: failed to delete layer link ${digestFor('b-layer')}: `);
  t.match(err, `imagestream ns/app: failed to delete manifest link ${digestFor('b')}: `);
  t.match(err, `image ${digestFor('b')}: failed to delete blob ${digestFor('b-layer')}: `);
  t.same([...images.keys()], [digestFor('a')], 'also the one of which some blobs could be deleted');
  t.equal(itemsOf('ns/app'), 1);
  t.match(out, /Failed to delete 3 objects\.\n/);
});

test('JSON lines tell each object, its failure, and the sums', async (t) => {
  const { addImage, addStream, run, switches } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b'] });
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const dry = lines((await run('--keep-tag-revisions', '1', '-o', 'json')).out);
  t.match(dry[0], { id: 'imagestream ns/app', planned: true });
  t.match(dry.at(-1), { summary: { images: 1, items: 1, failed: 0 } });
  const link = `/v2/ns/app/manifests/${digestFor('b')}`;
  switches.refusesDelete = (path) => (path === link ? 500 : undefined);
  const told = lines((await run('--confirm', '--keep-tag-revisions', '1', '-o', 'json')).out);
  const found = (id: string) => told.filter((line) => line.id === id);
  t.match(found('imagestream ns/app'), [{ outcome: 'deleted' }]);
  t.match(found(`image ${digestFor('b')}`), [{ outcome: 'deleted' }]);
  t.match(found(`manifest link ${digestFor('b')} in repository ns/app`), [{ outcome: 'failed', why: /500/ }]);
  t.match(told.at(-1), { summary: { images: 1, streams: 1, failed: 1 } });
});

test('an Image of which no blob can be deleted stays for the next run', async (t) => {
  const { addImage, run, images, switches } = await integratedRig(t);
  addImage('a');
  switches.refusesDelete = () => 500;
  t.match(await run('--confirm'), { code: 1 });
  t.equal(images.size, 1);
  delete switches.refusesDelete;
  t.match(await run('--confirm'), { code: 0 });
  t.equal(images.size, 0);
});

test('a stream that cannot be written keeps its manifests, and its Images', async (t) => {
  const { addImage, addStream, run, images, switches, writes } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b'] });
  switches.refusesWrite = (path) => (path.endsWith('/status') ? 500 : undefined);
  const { code, err } = await run('--confirm', '--keep-tag-revisions', '1');
  t.equal(code, 1);
  t.match(err, 'imagestream ns/app: failed to remove image references: ');
  t.notOk(writes.some((line) => line.includes('/manifests/')));
  t.equal(images.size, 2);
});

test('a stream that changes meanwhile is read again, and no link is asked for twice', async (t) => {
  const { addImage, addStream, run, switches, writes, itemsOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b'] });
  switches.conflicts = 2;
  t.match(await run('--confirm', '--keep-tag-revisions', '1'), { code: 0 });
  t.equal(itemsOf('ns/app'), 1);
  t.equal(new Set(writes).size, writes.length);
});

test('an item without its Image goes when it is old, and tags without items go', async (t) => {
  const { addStream, run, streams } = await integratedRig(t);
  addStream('ns/app', { absent: ['absent'], young: [['absent', 0.5]], empty: [] });
  t.match(await run('--confirm'), { code: 0 });
  const tags = JSON.stringify(streams.get('ns/app'));
  t.match(tags, '"tag":"young"');
  t.notMatch(tags, '"tag":"absent"');
  t.notMatch(tags, '"tag":"empty"');
  t.match(tags, '"dockerImageRepository":"kept"');
});

test('--all=false leaves Images that were not pushed here', async (t) => {
  const { addImage, run, images } = await integratedRig(t);
  addImage('a', { isManaged: false });
  addImage('b');
  await run('--confirm', '--all=false');
  t.same([...images.keys()], [digestFor('a')]);
  await run('--confirm');
  t.equal(images.size, 0);
});

test('--prune-over-size-limit drops what is above the limit of its namespace, of any age', async (t) => {
  const { addImage, addStream, add, run, itemsOf } = await integratedRig(t);
  addImage('large', { size: 2_000_000_000, hours: 0.1 });
  addImage('small', { size: 1_000_000 });
  for (const stream of ['ns/app', 'other/app']) addStream(stream, { latest: ['small', ['large', 0.1]] }, 0.1);
  add('limitranges', {
    metadata: { namespace: 'ns', name: 'l' },
    spec: { limits: [{ type: 'openshift.io/Image', max: { storage: '1Gi' } }] },
  });
  t.match(await run('--confirm', '--prune-over-size-limit'), { code: 0 });
  t.same([itemsOf('ns/app'), itemsOf('other/app')], [1, 2]);
});

test('with -n only streams of that namespace are pruned, and no Image is', async (t) => {
  const { addImage, addStream, run, images, itemsOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  for (const stream of ['ns/app', 'other/app']) addStream(stream, { latest: ['a', 'b'] });
  await run('--confirm', '-n', 'ns', '--keep-tag-revisions', '1');
  t.same([itemsOf('ns/app'), itemsOf('other/app')], [1, 2]);
  t.equal(images.size, 2);
});

test('a reference that cannot be read stops everything, all are named; ignored, it protects', async (t) => {
  const { addImage, addStream, addPod, run, writes, itemsOf, images } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b'] });
  addStream('other/app', { latest: ['b', 'a'] });
  for (const bad of [`${host}/ns/app@sha256:7d2c`, 'ns/app@@', `${host}/NS/app`]) addPod(bad);
  const { code, err } = await run('--confirm', '--keep-tag-revisions', '0');
  t.equal(code, 1);
  t.match(err, 'Failed to build graph!');
  t.match(
    err,
    `pod/app-7f namespace=team: container app: invalid image reference "${host}/ns/app@sha256:7d2c"`,
  );
  t.equal(err.match(/invalid image reference/g)?.length, 3);
  t.match(err, 'error: failed to build graph - no changes made');
  t.same(writes, []);
  t.match(await run('--confirm', '--keep-tag-revisions', '0', '--ignore-invalid-refs'), { code: 0 });
  t.same([itemsOf('ns/app'), itemsOf('other/app')], [2, 0]);
  t.equal(images.size, 2);
});

test('blanks around a reference do not count', async (t) => {
  const { addImage, addStream, addPod, run, images } = await integratedRig(t);
  addImage('a');
  addStream('ns/app', { latest: ['a'] });
  addPod(` ${host}/ns/app@${digestFor('a')}    `);
  t.match(await run('--confirm', '--keep-tag-revisions', '0'), { code: 0 });
  t.equal(images.size, 1);
});

test('configs of schema 2 and OCI that another Image needs stay', async (t) => {
  for (const type of [mediaTypes.dockerManifest, mediaTypes.ociManifest]) {
    const { addImage, addStream, run, writes, blobOf } = await integratedRig(t);
    addImage('a', { type, layers: ['b-config'] });
    addImage('b', { type });
    addStream('ns/app', { latest: ['a'] });
    t.match(await run('--confirm'), { code: 0 });
    t.notOk(writes.includes(blobOf('b-config')), 'one is a config of b and a layer of a');
    t.ok(writes.includes(blobOf('b-layer')));
  }
});

test('an index keeps what it lists, and its Images go with it', async (t) => {
  const { addImage, addStream, run, images } = await integratedRig(t);
  addImage('amd64');
  addImage('index', { layers: [], children: ['amd64'], type: mediaTypes.dockerList });
  addStream('ns/app', { latest: ['index'] });
  await run('--confirm');
  t.equal(images.size, 2);
  await run('--confirm', '--keep-tag-revisions', '0');
  t.equal(images.size, 0);
});

test('blobs of Images whose streams are gone are deleted', async (t) => {
  const { addImage, run, writes, blobOf } = await integratedRig(t);
  addImage('a');
  t.match(await run('--confirm'), { code: 0 });
  for (const name of ['a-layer', 'a-config', 'a']) t.ok(writes.includes(blobOf(name)));
});

test('--prune-registry=false leaves the registry alone', async (t) => {
  const { addImage, addStream, run, images, writes } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addStream('ns/app', { latest: ['a', 'b'] });
  const { out } = await run('--confirm', '--prune-registry=false', '--keep-tag-revisions', '1');
  t.match(out, 'Only API objects will be removed.');
  t.same([...images.keys()], [digestFor('a')]);
  t.notOk(writes.some((line) => line.includes('/v2/') || line.includes('/admin/')));
});

test('a kind that may not be listed ends the run before anything, one that does not exist is none', async (t) => {
  const { addImage, run, writes, switches } = await integratedRig(t);
  addImage('a');
  for (const plural of ['daemonsets', 'builds', 'limitranges', 'imagestreams', 'images'])
    for (const status of [403, 503]) {
      switches.refusesList = (name) => (name === plural ? status : undefined);
      t.match(await run('--confirm', '--prune-registry=false'), {
        code: 1,
        err: new RegExp(`list of ${plural}`),
      });
    }
  t.same(writes, []);
  switches.refusesList = (name) => (/builds|buildconfigs|deploymentconfigs/.test(name) ? 404 : undefined);
  t.match(await run('--confirm'), { code: 0 });
  switches.refusesList = (name) => (name === 'pods' ? 404 : undefined);
  t.match(await run('--confirm'), { code: 1 });
});

test('an Image that cannot be read leaves its streams alone, and all blobs', async (t) => {
  const { addImage, addStream, images, run, writes, itemsOf } = await integratedRig(t);
  for (const name of ['a', 'b']) addImage(name);
  addImage('odd');
  const odd = images.get(digestFor('odd'));
  if (odd !== undefined) images.set(digestFor('odd'), { ...odd, dockerImageLayers: [{ size: 1 }] });
  addStream('ns/app', { latest: ['a', 'odd'] });
  await run('--confirm', '--keep-tag-revisions', '0');
  t.equal(itemsOf('ns/app'), 2);
  t.notOk(writes.some((line) => line.includes('/admin/blobs/')));
  t.ok(images.has(digestFor('a')) && images.has(digestFor('odd')));
});

test('killed between any two writes, nothing that is referenced is lost, and the next run finishes', async (t) => {
  let boundaries = 1;
  let whole = new Set<string>();
  for (let killAt = 0; killAt <= boundaries; killAt += 1) {
    const rig = await integratedRig(t);
    for (const name of ['a', 'b', 'c']) rig.addImage(name, { layers: ['base', `${name}-layer`] });
    rig.addStream('ns/app', { latest: ['a', 'b'] });
    rig.addStream('ns/two', { latest: ['b', 'c'] });
    const words = ['--confirm', '--keep-tag-revisions', '1', '--num-workers', '1'];
    let count = 0;
    rig.switches.before = () => {
      count += 1;
      if (killAt > 0 && count > killAt) throw new Error('killed');
    };
    await rig.run(...words);
    if (killAt === 0) [boundaries, whole] = [rig.writes.length, new Set(rig.writes)];
    delete rig.switches.before;
    const kept = ['a', 'b'].flatMap((name) => [name, `${name}-layer`, `${name}-config`, 'base']);
    t.match(await rig.run(...words), { code: 0 }, `killed at ${killAt}`);
    for (const name of kept) t.notOk(rig.writes.includes(rig.blobOf(name)), `${name}, killed at ${killAt}`);
    t.same(new Set(rig.writes), whole, `all that was to go, killed at ${killAt}`);
    t.same([rig.itemsOf('ns/app'), rig.itemsOf('ns/two')], [1, 1]);
    t.same(new Set(rig.images.keys()), new Set(['a', 'b'].map(digestFor)));
  }
  t.ok(boundaries > 8, `${boundaries}`);
});

test('mistakes of the command line are told as oc tells them', async (t) => {
  const { run } = await integratedRig(t);
  const refused = (args: string[], why: RegExp) => t.rejects(run(...args), why);
  await refused(['x'], /no arguments are allowed to this command/);
  await refused(['--prune-over-size-limit', '--keep-tag-revisions=1'], /cannot be specified with/);
  await refused(['-o', 'yaml'], /--output must be one of text, json, table, not yaml/);
  await refused(['--confirm', '--registry-url', 'ftp://x'], /unsupported scheme: ftp/);
  await refused(['--confirm', '--registry-url', 'https://x/y'], /no path after/);
  await refused(['--certificate-authority=x', '--force-insecure'], /with --force-insecure/);
  await refused(['--match', 'x'], /--match is for --repository/);
  t.ok(hoursAgo(0) === new Date(now).toISOString());
});
