import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { reverting } from '../../../src/cli/images/revert.ts';
import { revertHold } from '../../../src/cli/images/revert-hold.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { admin } from '../admin-rig.ts';
import { recordedIo } from '../io.ts';

const repository = 'openshift/ci';
const now = Date.parse('2026-11-29T12:00:00Z');
const broken = '20261129120000_prune_ocp_4.20_cli_broken';
const kept = '20261128070102_prune_ocp_4.20_cli';
const older = '20261101000000_prune___ci_images_mirror__ocp_4.20_cli';

/** A registry with a tag and two kept versions of it, a server with holds, and the command. */
async function revertRig(t: Test) {
  const registry = await registryDouble();
  t.teardown(() => registry.close());
  const server = await admin(t);
  const dir = t.testdir({ 'auth.json': '{}' });
  const add = (tag: string, size: number) => registry.addImage(repository, tag, { layers: [size] }).digest;
  const bad = add('ocp_4.20_cli', 10);
  const good = add(kept, 20);
  const oldest = add(older, 30);
  for (const other of ['20261128070102_prune_ocp_4.20_cli-artifacts', 'aaa', 'ocp_4.20_cli__pre'])
    add(other, 40);
  const image = `${registry.host}/${repository}:ocp_4.20_cli`;
  async function runIn(io: ReturnType<typeof recordedIo>, ...args: string[]) {
    const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
    const code = await reverting(() => now)(['--insecure', ...args, image], { ...io, env });
    return { code, out: io.out(), err: io.err() };
  }
  return {
    ...{ registry, server, dir, bad, good, oldest, image, runIn },
    run: (...args: string[]) => runIn(recordedIo(), ...server.at, ...args),
    tag: (name: string) => registry.tagOf(repository, name),
    writes: () => registry.requests.filter(({ method }) => !['GET', 'HEAD'].includes(method)),
  };
}

test('without --confirm the plan is printed and nothing is changed', async (t) => {
  const { run, bad, good, oldest, image, server, writes } = await revertRig(t);
  const { code, out, err } = await run();
  t.equal(code, 0, err);
  t.same(out.split('\n'), [
    `${image} is ${bad}; 2 previous versions are kept:`,
    `  1  2026-11-28 07:01:02  ${good}  ${kept}`,
    `  2  2026-11-01 00:00:00  ${oldest}  ${older}`,
    'Plan:',
    `  1. hold ${image} at ${server.host}`,
    `  2. tag ${bad} as ${broken}`,
    `  3. tag ${good} as ocp_4.20_cli`,
    `  4. delete the tag ${kept}`,
    'Nothing was changed. Add --confirm to actually perform the revert',
    '',
  ]);
  t.same(writes(), []);
  t.same(await server.holds.list(), []);
});

test('with --confirm the tag is set back, its image kept, and held against the mirror', async (t) => {
  const { run, bad, good, oldest, image, server, tag } = await revertRig(t);
  const { code, out, err } = await run('--confirm', '--why', 'bug 1', '--until', '12h');
  t.equal(code, 0, err);
  t.equal(tag('ocp_4.20_cli'), good);
  t.equal(tag(broken), bad);
  t.equal(tag(kept), undefined);
  t.equal(tag(older), oldest);
  t.match(await server.holds.find(image), { why: 'bug 1' });
  t.match(out, `done: held by ${server.host}\ndone: ${broken} keeps ${bad}\ndone: ocp_4.20_cli is ${good}\n`);
  t.match(out, `quayside mirror release ${image}`);
});

test('-o json prints one document, of the plan and of what was done', async (t) => {
  const { run, bad, good, image } = await revertRig(t);
  const facts = { image, digest: bad, count: 2, previous: { tag: kept, digest: good }, keptAs: broken };
  t.match(JSON.parse((await run('-o', 'json')).out), { ...facts, outcome: 'planned' });
  const { steps, ...done } = JSON.parse((await run('-o', 'json', '--confirm')).out);
  t.match(done, { ...facts, outcome: 'done' });
  t.match(steps, [/^held by /, `${broken} keeps ${bad}`, `ocp_4.20_cli is ${good}`]);
});

test('an older version is chosen by its number', async (t) => {
  const { run, oldest, tag, good } = await revertRig(t);
  t.equal((await run('--confirm', '--version', '2')).code, 0);
  t.equal(tag('ocp_4.20_cli'), oldest);
  t.equal(tag(kept), good);
  t.equal(tag(older), undefined);
});

test('versions are found in whatever order a registry lists its tags', async (t) => {
  const { run, registry, good } = await revertRig(t);
  registry.switches.reversesTags = true;
  registry.switches.ignoresPageSize = true;
  t.match(await run(), { code: 0, out: `  1  2026-11-28 07:01:02  ${good}  ${kept}` });
});

test('of many tags only those that begin with digits are listed', async (t) => {
  const { run, registry } = await revertRig(t);
  const { manifest } = registry.addImage(repository, 'b');
  const tags = Array.from({ length: 2_500 }, (_, index) => `b${index}`);
  registry.addManifest(repository, manifest, 'application/vnd.oci.image.manifest.v1+json', ...tags);
  t.equal((await run()).code, 0);
  t.equal(registry.seen('/tags/list').length, 1);
});

test('what does not exist is said, and changes nothing', async (t) => {
  const { run, registry, writes } = await revertRig(t);
  t.match(await run('--confirm', '--version=3'), {
    code: 1,
    err: /there is no version 3: 2 are kept of ocp_4.20_cli/,
  });
  for (const each of [kept, older]) registry.removeTag(repository, each);
  t.match(await run('--confirm'), { code: 1, err: /no previous versions are kept of ocp_4.20_cli/ });
  registry.removeTag(repository, 'ocp_4.20_cli');
  t.match(await run('--confirm'), { code: 1, err: /there is no tag ocp_4.20_cli/ });
  t.same(writes(), []);
});

test('the same image needs no revert', async (t) => {
  const { run, registry, writes, server } = await revertRig(t);
  registry.addImage(repository, '20261129000000_prune_ocp_4.20_cli', { layers: [20] });
  const { manifest } = registry.addImage(repository, kept, { layers: [20] });
  registry.addManifest(repository, manifest, 'application/vnd.oci.image.manifest.v1+json', 'ocp_4.20_cli');
  t.match(await run('--confirm', '--version', '2'), { code: 0, out: /No revert necessary\.\n$/ });
  t.same(writes(), []);
  t.same(await server.holds.list(), []);
});

test('a registry or a server that does not answer changes nothing', async (t) => {
  const { runIn, run, registry, writes } = await revertRig(t);
  const { code, err } = await runIn(recordedIo(), '--admin', 'http://127.0.0.1:1', '--confirm');
  t.equal(code, 3);
  t.match(err, 'the holds of 127.0.0.1:1: it cannot be asked');
  registry.switches.status = { of: 'tags', code: 403 };
  t.match(await run('--confirm'), { code: 3, err: /refuses access/ });
  t.same(writes(), []);
});

test('without a hold no server is needed', async (t) => {
  const { runIn, tag, good, server } = await revertRig(t);
  t.equal((await runIn(recordedIo(), '--no-hold', '--confirm')).code, 0);
  t.equal(tag('ocp_4.20_cli'), good);
  t.same(await server.holds.list(), []);
});

for (const [step, refused] of [
  ['the tag that keeps the image cannot be written', /_broken$/],
  ['the tag cannot be set', /^ocp_4\.20_cli$/],
] as const)
  test(`where ${step}, all is as before`, async (t) => {
    const { run, registry, bad, good, image, server, tag } = await revertRig(t);
    registry.switches.refusesTag = { tag: refused, times: 1 };
    const { code, err } = await run('--confirm');
    t.equal(code, 1);
    t.match(err, `error: ${image} is not reverted: the registry refuses access to this repository`);
    t.match(err, 'info: all is as it was before');
    t.equal(tag('ocp_4.20_cli'), bad);
    t.equal(tag(broken), undefined);
    t.equal(tag(kept), good);
    t.same(await server.holds.list(), []);
  });

test('an earlier hold comes back when a revert is undone', async (t) => {
  const { run, registry, image, server } = await revertRig(t);
  await server.holds.put({ destination: image, since: 1, why: 'earlier' });
  registry.switches.refusesTag = { tag: /_broken$/, times: 1 };
  t.equal((await run('--confirm')).code, 1);
  t.match(await server.holds.find(image), { why: 'earlier', until: undefined });
});

test('a tag that changes meanwhile is left to whom it belongs', async (t) => {
  const { run, registry, tag, server } = await revertRig(t);
  const newer = registry.addImage(repository, 'newer', { layers: [77] });
  const put = registry.requests.push.bind(registry.requests);
  registry.requests.push = (...records) => {
    if (records.some(({ method, path }) => method === 'PUT' && path.endsWith('_broken')))
      registry.addManifest(
        repository,
        newer.manifest,
        'application/vnd.oci.image.manifest.v1+json',
        'ocp_4.20_cli',
      );
    return put(...records);
  };
  const { code, err } = await run('--confirm');
  t.equal(code, 1);
  t.match(err, 'ocp_4.20_cli changed meanwhile');
  t.equal(tag('ocp_4.20_cli'), newer.digest);
  t.equal(tag(broken), undefined);
  t.same(await server.holds.list(), []);
});

test('what cannot be undone is named', async (t) => {
  const { run, registry, bad, tag } = await revertRig(t);
  registry.switches.refusesTag = { tag: /^ocp_4\.20_cli$/, times: 1 };
  registry.switches.refusesDeletes = 405;
  const { code, err } = await run('--confirm');
  t.equal(code, 1);
  t.match(err, `error: cannot be undone: the tag ${broken}: the registry refuses it: UNSUPPORTED`);
  t.notMatch(err, 'all is as it was');
  t.equal(tag('ocp_4.20_cli'), bad);
});

test('a registry that deletes no tags leaves a warning and a good revert', async (t) => {
  const { run, registry, good, tag, server } = await revertRig(t);
  registry.switches.refusesDeletes = 405;
  const { code, err } = await run('--confirm');
  t.equal(code, 0);
  const what = `ocp_4.20_cli is reverted, but ${kept}, which names the same image, is not deleted`;
  t.match(err, `warning: ${what}: the registry refuses it: UNSUPPORTED`);
  t.match(err, 'It does no harm: delete it by hand, or leave it to "quayside prune tags"\n');
  t.equal(tag('ocp_4.20_cli'), good);
  t.equal((await server.holds.list()).length, 1);
});

test('where a registry deletes a manifest with all its tags, the tag is set once more', async (t) => {
  const { run, registry, good, tag } = await revertRig(t);
  registry.switches.deletesManifests = true;
  t.equal((await run('--confirm')).code, 0);
  t.equal(tag('ocp_4.20_cli'), good);
});

test('where the registry takes the tag away too, and it cannot be set again, that is said', async (t) => {
  const { run, registry, good, tag } = await revertRig(t);
  registry.switches.deletesManifests = true;
  const push = registry.requests.push.bind(registry.requests);
  registry.requests.push = (...records) => {
    if (records.some(({ method }) => method === 'DELETE'))
      registry.switches.refusesTag = { tag: /^ocp_4\.20_cli$/, times: 9 };
    return push(...records);
  };
  const { code, err } = await run('--confirm');
  t.equal(code, 1);
  t.match(err, `warning: the registry deleted ocp_4.20_cli together with ${kept}, and does not take it back`);
  t.match(err, `set ocp_4.20_cli to ${good} by hand\n`);
  t.equal(tag('ocp_4.20_cli'), undefined);
});

test('where a registry deletes a manifest with all its tags, an undone revert leaves the tag', async (t) => {
  const { run, registry, bad, tag } = await revertRig(t);
  registry.switches.deletesManifests = true;
  registry.switches.refusesTag = { tag: /^ocp_4\.20_cli$/, times: 1 };
  const { code, err } = await run('--confirm');
  t.equal(code, 1);
  t.match(err, 'info: all is as it was before');
  t.equal(tag('ocp_4.20_cli'), bad);
  t.equal(tag(broken), undefined);
});

test('a hold that another revert set meanwhile, in the same words, outlives an undone one', async (t) => {
  const { run, registry, image, server } = await revertRig(t);
  registry.switches.refusesTag = { tag: /_broken$/, times: 1 };
  const put = registry.requests.push.bind(registry.requests);
  const since = Date.now() + 60_000;
  let setting: Promise<unknown> = Promise.resolve();
  registry.requests.push = (...records) => {
    if (records.some(({ method, path }) => method === 'PUT' && path.endsWith('_broken')))
      setting = server.holds.put({ destination: image, since, why: 'ours' });
    return put(...records);
  };
  t.equal((await run('--confirm', '--why', 'ours')).code, 1);
  await setting;
  t.match(await server.holds.find(image), { since, why: 'ours' });
});

test('an earlier hold that has ended meanwhile needs not come back', async (t) => {
  const destination = 'quay.io/openshift/ci:a';
  const posts: (readonly [string, object | undefined])[] = [];
  const listener = {
    host: 'localhost',
    post: async (path: string, body?: object) => {
      posts.push([path, body]);
      return { status: 200, text: '{"since":"2026-11-29T12:00:00.000Z"}' };
    },
    get: async () => ({
      status: 200,
      text: JSON.stringify({ holds: [{ destination, since: '2026-11-29T12:00:00.000Z', why: 'ours' }] }),
    }),
  };
  const before = { until: '2020-01-01T00:00:00.000Z', why: 'earlier' };
  const hold = revertHold(listener, { destination, why: 'ours' }, before);
  const { signal } = new AbortController();
  await hold.set(signal);
  await hold.restore(signal);
  t.match(posts[1], ['/api/v1/mirrors/release', { destination }]);
});

test('a signal in the middle undoes what was done', async (t) => {
  const { runIn, registry, bad, tag, server } = await revertRig(t);
  const stop = new AbortController();
  const put = registry.requests.push.bind(registry.requests);
  registry.requests.push = (...records) => {
    if (records.some(({ method, path }) => method === 'PUT' && path.endsWith('/ocp_4.20_cli')))
      stop.abort(new Error('SIGINT'));
    return put(...records);
  };
  const { code, err } = await runIn(recordedIo(stop.signal), ...server.at, '--confirm');
  t.equal(code, 130);
  t.match(err, 'is not reverted: stopped');
  t.equal(tag('ocp_4.20_cli'), bad);
  t.equal(tag(broken), undefined);
  t.same(await server.holds.list(), []);
});

test('a flat tag and an image stream tag are those of QCI, asked at its upstream', async (t) => {
  const { registry, dir, server, good } = await revertRig(t);
  const config = join(dir, 'quayside.yaml');
  await writeFile(
    config,
    `store: { filesystem: { path: ${dir}/store } }\nupstreams: { quay.io: { url: "${registry.url}" } }\n`,
  );
  const env = { REGISTRY_AUTH_FILE: join(dir, 'auth.json') };
  for (const word of [
    'ocp_4.20_cli',
    'ocp/4.20:cli',
    'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.20_cli',
  ]) {
    const io = recordedIo();
    t.equal(
      await reverting(() => now)(['--config', config, ...server.at, word], { ...io, env }),
      0,
      io.err(),
    );
    t.match(io.out(), `tag ${good} as ocp_4.20_cli`);
    t.match(io.out(), 'hold quay.io/openshift/ci:ocp_4.20_cli at ');
  }
});

test('a command line that means nothing is refused', async (t) => {
  for (const args of [
    [],
    ['a', 'b'],
    ['a/b'],
    ['a/b/c:d'],
    ['quay.io/openshift/ci'],
    [`quay.io/openshift/ci@sha256:${'0'.repeat(64)}`],
    ['a', '--version=0'],
    ['a', '--no-hold', '--why', 'x'],
    ['a', '--until', 'soon'],
  ])
    await t.rejects(reverting()(args, recordedIo()), { name: 'UsageError' }, args.join(' '));
});
