import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { ProgressState } from '../../../src/cli/flags/progress-line.ts';
import { kubeconfigFile } from '../../../src/cli/migrate/inputs.ts';
import { migratingReferences } from '../../../src/cli/migrate/migrate.ts';
import { expectedObjects } from '../../../src/migrate/expected.ts';
import { migratedKinds } from '../../../src/migrate/kinds.ts';
import { type DoubleObject, kindsDouble } from '../../support/kinds-double.ts';
import { recordedIo } from '../io.ts';

const deployments = '/apis/apps/v1/deployments';
const secrets = '/api/v1/secrets';
const pods = '/api/v1/pods';
const streams = '/apis/image.openshift.io/v1/imagestreams';
const images = '/apis/image.openshift.io/v1/images';
const move = 'old.test/*=new.test/*';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function migrateRig(t: Test, lists: readonly string[] = [deployments, secrets, pods, streams, images]) {
  const api = await kindsDouble(t, lists);
  const folder = t.testdir({ kubeconfig: api.kubeconfig });
  const pauses: number[] = [];
  const command = migratingReferences({ pause: async (ms) => void pauses.push(ms) });
  async function run(args: readonly string[], signal?: AbortSignal, input?: string): Promise<Ran> {
    const io = recordedIo(signal, input);
    const code = await command(['--kubeconfig', join(folder, 'kubeconfig'), '--no-check', ...args], io);
    return { code, out: io.out(), err: io.err() };
  }
  return { api, folder, pauses, run, file: (name: string) => join(folder, name) };
}

function deployment(name: string, image = 'old.test/app:v1', namespace = 'ci'): DoubleObject {
  return {
    metadata: { namespace, name, uid: name, annotations: { unknown: 'kept' } },
    spec: { replicas: 3, template: { spec: { containers: [{ name: 'a', image, unknown: { kept: [1] } }] } } },
    status: { replicas: 3 },
  };
}

function pullSecret(name: string, text: string): DoubleObject {
  return {
    metadata: { namespace: 'ci', name },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(text).toString('base64'), other: 'AAEC/w==' },
  };
}

const imageOf = (object: DoubleObject | undefined): unknown =>
  JSON.stringify(object).match(/"image":"([^"]*)"/)?.[1];

test('a dry run prints each change and its sum, and changes nothing', async (t) => {
  const { api, run } = await migrateRig(t);
  for (const name of ['a', 'b', 'c']) api.put(deployments, deployment(name));
  api.put(deployments, deployment('d', 'elsewhere.test/app'));
  const { code, out, err } = await run(['--include', 'deployments', move]);
  t.equal(code, 0);
  t.match(
    out,
    'migrated (dry run): -n ci deployments.apps/a\n  spec.template.spec.containers[0].image: old.test/app:v1 -> new.test/app:v1\n',
  );
  t.match(out, 'summary (dry run): total=4 errors=0 ignored=0 unchanged=1 migrated=3\n');
  t.match(err, 'info: nothing was changed; add --confirm');
  t.same(api.patches, []);
  // Two items a page, and once the service account of their pods.
  t.equal(api.requests.length, 3);
});

test('--confirm changes the fields alone, and a second run finds nothing left', async (t) => {
  const { api, run } = await migrateRig(t);
  const before = deployment('a');
  api.put(deployments, before);
  const first = await run(['--include=deploy', '--confirm', move]);
  t.equal(first.code, 0);
  t.match(first.out, /^migrated: {3}-n ci deployments\.apps\/a\n/);
  t.match(first.out, 'summary: total=1 errors=0 ignored=0 unchanged=0 migrated=1');
  const after = api.get(deployments, 'ci/a');
  const text = (object: DoubleObject | undefined) =>
    JSON.stringify({ ...object, metadata: { ...object?.metadata, resourceVersion: '' } });
  t.same(JSON.parse(text(after)), JSON.parse(text(before).replace('old.test/app:v1', 'new.test/app:v1')));
  const second = await run(['--include=deploy', '--confirm', move]);
  t.match(second.out, 'summary: total=1 errors=0 ignored=0 unchanged=1 migrated=0');
  t.equal(api.patches.length, 1);
});

test('a change of another writer in between is kept, and the object is read again', async (t) => {
  const { api, run, pauses } = await migrateRig(t);
  api.put(deployments, deployment('a'));
  api.switches.conflicts = 3;
  const { code, out } = await run(['--include=deployments', '--confirm', '-v=2', move]);
  t.equal(code, 0);
  t.match(out, /retry: {6}-n ci deployments\.apps\/a: the API server answered with status 409/);
  const after = api.get(deployments, 'ci/a');
  t.match(after?.metadata, { labels: { theirs: /\d/ } });
  t.equal(imageOf(after), 'new.test/app:v1');
  t.equal(pauses.length, 3);
  api.put(deployments, deployment('b'));
  api.switches.conflicts = 100;
  const never = await run(['--include=deployments', '--confirm', move]);
  t.equal(never.code, 1);
  t.equal(pauses.length, 3 + 9);
});

test('a failing object fails alone, is written down, and is taken again', async (t) => {
  const { api, run, file, pauses } = await migrateRig(t);
  for (const name of ['a', 'b', 'c']) api.put(deployments, deployment(name));
  api.put(deployments, deployment('busy'));
  api.switches.refuses = new Map([
    ['b', 403],
    ['busy', 503],
  ]);
  const flags = ['--include=deployments', '--confirm', '--failed-file', file('failed')];
  const { code, out, err } = await run([...flags, move]);
  t.equal(code, 1);
  t.match(out, 'summary: total=4 errors=2 ignored=0 unchanged=0 migrated=2');
  t.match(err, /error: {6}-n ci deployments\.apps\/b: the API server refuses the request \(403\): refused:/);
  t.match(err, 'info: to rerun only failing resources, add --include=deployments.apps\n');
  t.match(err, 'error: 2 resources failed to migrate\n');
  t.equal(pauses.length, 9);
  const lines = (await readFile(file('failed'), 'utf8')).trim().split('\n');
  t.same(
    lines.map((line) => line.split(' # ', 1)[0]),
    ['deployments.apps ci/b', 'deployments.apps ci/busy'],
  );
  api.switches.refuses = new Map();
  api.requests.length = 0;
  const again = await run(['--confirm', '--only', file('failed'), '--failed-file', file('failed'), move]);
  t.equal(again.code, 0);
  t.match(again.out, 'summary: total=2 errors=0 ignored=0 unchanged=0 migrated=2');
  t.equal(await readFile(file('failed'), 'utf8'), '');
  t.same(
    api.requests.filter((line) => line.endsWith('/deployments')),
    [],
  );
});

test('a kind that may not be listed is named and an error, the others are migrated', async (t) => {
  const { api, run, file } = await migrateRig(t);
  api.put(deployments, deployment('a'));
  api.switches.forbidden = ['secrets'];
  const flags = ['--include=secrets,deployments', '--confirm', '--failed-file', file('failed')];
  const { code, out, err } = await run([...flags, move]);
  t.equal(code, 1);
  t.match(err, /^error: secrets cannot be read: this account may not list them: .*\(403\)$/m);
  t.match(err, /^error: exited without processing all resources: secrets: this account/m);
  t.match(out, 'migrated=1');
  t.match(await readFile(file('failed'), 'utf8'), /^secrets # /);
  api.switches.forbidden = [];
  api.put(secrets, pullSecret('pull', '{"auths":{"old.test":{}}}'));
  t.match(await run(['--confirm', '--only', file('failed'), move]), { code: 0, out: /migrated=1/ });
});

test('a kind that the server does not have is passed over and told', async (t) => {
  const { api, run } = await migrateRig(t, [secrets]);
  api.put(secrets, pullSecret('pull', '{"auths":{"b.test":{}}}'));
  const { code, err } = await run([move]);
  t.equal(code, 0);
  t.match(err, 'info: imagestreams.image.openshift.io is passed over: this API server does not have it\n');
  t.match(err, 'info: images.image.openshift.io is passed over');
  t.match(err, 'info: workloads were not looked at; --include=all looks at them too\n');
});

test('the logins of a pull secret are renamed; nothing else of it changes or is printed', async (t) => {
  const { api, run } = await migrateRig(t);
  const text = (name: string) => ` {"auths": {"${name}":\n{"auth":"c2VjcmV0"}, "b.test": {}}, "x": 1.0}`;
  api.put(secrets, pullSecret('pull', text('https://old.test/v2/')));
  api.put(secrets, pullSecret('two', '{"auths":{"old.test":{"auth":"c2VjcmV0"},"new.test":{}}}'));
  api.put(secrets, { metadata: { namespace: 'ci', name: 'any' }, type: 'Opaque', data: { a: '!' } });
  const { code, out, err } = await run(['--include', 'secrets', '--confirm', move]);
  t.equal(code, 1);
  t.match(out, 'migrated:   -n ci secrets/pull\n  auths: https://old.test/v2/ -> new.test\n');
  t.match(err, 'error:      -n ci secrets/two: its logins for new.test and old.test would become one');
  t.match(out, 'summary: total=2 errors=1');
  t.notMatch(out + err, /c2VjcmV0/);
  const after = api.get(secrets, 'ci/pull');
  t.match(after, { data: { other: 'AAEC/w==' }, type: 'kubernetes.io/dockerconfigjson' });
  const data = (after as unknown as { data: Record<string, string> }).data['.dockerconfigjson'] ?? '';
  t.equal(Buffer.from(data, 'base64').toString(), text('new.test'));
});

test('a refusal of a secret is told without what the server says of it', async (t) => {
  const { api, run } = await migrateRig(t);
  api.put(secrets, pullSecret('pull', '{"auths":{"old.test":{"auth":"c2VjcmV0"}}}'));
  api.switches.refuses = new Map([['pull', 400]]);
  const { code, err } = await run(['--include=secrets', '--confirm', move]);
  t.equal(code, 1);
  t.match(err, /secrets\/pull: the API server answered with status 400\n/);
});

test('the history of an image stream is written before its spec, and a rerun finishes', async (t) => {
  const { api, run } = await migrateRig(t);
  const from = { kind: 'DockerImage', name: 'old.test/app:v1' };
  api.put(streams, {
    metadata: { namespace: 'ci', name: 'app' },
    spec: { tags: [{ name: 'v1', from }] },
    status: { tags: [{ tag: 'v1', items: [{ dockerImageReference: 'old.test/app:v1' }] }] },
  });
  const flags = ['--include=is', '--confirm', move];
  let patch = 0;
  api.switches.patching = () => {
    patch += 1;
    api.switches.refuses = new Map(patch === 2 ? [['app', 403]] : []);
  };
  t.match(await run(flags), { code: 1, out: /errors=1/ });
  t.match(api.get(streams, 'ci/app'), {
    spec: { tags: [{ from: { name: 'old.test/app:v1' } }] },
    status: { tags: [{ items: [{ dockerImageReference: 'new.test/app:v1' }] }] },
  });
  t.match(await run(flags), { code: 0, out: /^migrated: .*\n {2}spec\.tags\[0\]\.from\.name: old/ });
  t.match(api.get(streams, 'ci/app'), { spec: { tags: [{ from: { name: 'new.test/app:v1' } }] } });
  t.same(
    api.requests.filter((line) => line.startsWith('PATCH')).map((line) => line.split('/').at(-1)),
    ['status', 'app', 'app'],
  );
});

test('pages that expire begin again, and no object is counted twice', async (t) => {
  const { api, run } = await migrateRig(t);
  for (const name of ['a', 'b', 'c', 'd', 'e']) api.put(deployments, deployment(name));
  api.switches.expires = 2;
  const { code, out } = await run(['--include=deployments', '--confirm', move]);
  t.equal(code, 0);
  t.match(out, 'total=5 errors=0 ignored=0 unchanged=0 migrated=5');
  t.equal(api.patches.length, 5);
});

test('an object that is gone meanwhile is unchanged; an end-point that is not there is an error', async (t) => {
  const { api, run } = await migrateRig(t);
  api.put(deployments, deployment('a'));
  api.switches.refuses = new Map([['a', 404]]);
  t.match(await run(['--include=deployments', '--confirm', move]), { code: 1, err: /a: .* status 404/ });
  api.switches.patching = () => api.remove(deployments, 'ci/a');
  t.match(await run(['--include=deployments', '--confirm', move]), {
    code: 0,
    out: /unchanged=1 migrated=0/,
  });
});

test('a list that changed under a patch is no mistake of the patch', async (t) => {
  const { api, run } = await migrateRig(t);
  api.put(deployments, deployment('a'));
  let isFirst = true;
  api.switches.patching = () => {
    if (!isFirst) return;
    isFirst = false;
    const empty = { ...deployment('a'), spec: { template: { spec: { containers: [] } } } };
    api.put(deployments, empty);
  };
  t.match(await run(['--include=deployments', '--confirm', move]), { code: 0, out: /unchanged=1/ });
});

test('-o prints the objects as they would be, and nothing else, and changes nothing', async (t) => {
  const { api, run } = await migrateRig(t);
  api.put(deployments, deployment('a'));
  api.put(deployments, deployment('b', 'elsewhere.test/app'));
  api.put(deployments, deployment('c'));
  const json = await run(['--include=deployments', '-o', 'json', move]);
  const { kind, items } = JSON.parse(json.out);
  t.equal(kind, 'List');
  t.match(items, [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a', resourceVersion: '1' } },
    { metadata: { name: 'c' } },
  ]);
  t.equal(imageOf(items[0]), 'new.test/app:v1');
  const yaml = await run(['--include=deployments', '-o', 'yaml', move]);
  t.match(yaml.out, /^apiVersion: apps\/v1\nkind: Deployment\n/);
  t.equal(yaml.out.match(/^---$/gm)?.length, 1);
  t.notMatch(yaml.out, /summary/);
  t.same(api.patches, []);
});

test('a namespace and keys narrow what is looked at; what has no namespace is passed over', async (t) => {
  const { api, run } = await migrateRig(t);
  for (const name of ['a', 'b', 'c']) api.put(deployments, deployment(name));
  api.put(deployments, deployment('a', 'old.test/app:v1', 'ocp'));
  const count = async (...flags: readonly string[]) =>
    /total=(\d+)/.exec((await run(['--include=deployments', ...flags, move])).out)?.[1];
  t.equal(await count(), '4');
  t.equal(await count('-A'), '4');
  t.equal(await count('-n', 'ocp'), '1');
  t.equal(await count('--from-key', 'ci/b'), '3');
  t.equal(await count('--from-key', 'ci/b', '--to-key', 'ci/c'), '1');
  const narrowed = await run(['-n', 'ci', '--include=images', move]);
  t.match(narrowed.err, 'info: images.image.openshift.io is passed over: it has no namespace');
});

test('the mapping file of the mirror is taken, and what a line for a tag leaves is told', async (t) => {
  const { api, run, file } = await migrateRig(t);
  const digest = `sha256:${'a'.repeat(64)}`;
  api.put(deployments, deployment('a'));
  api.put(deployments, deployment('b', `old.test/app@${digest}`));
  const map = '# moved\nold.test/app:v1=new.test/app:v1\nold.test/app:v2 file://app:v2\n';
  await writeFile(file('map'), map);
  const { code, out, err } = await run(['--include=deployments', '-f', file('map')]);
  t.equal(code, 0);
  t.match(out, 'unchanged=1 migrated=1');
  t.match(err, 'info: 1 references by digest stay: lines of their repositories map tags.');
  t.match(await run(['--include=deployments', '-f', '-'], undefined, map), { code: 0, out: /migrated=1/ });
});

test('what a controller owns is told unless its owner is looked at too', async (t) => {
  const { api, run } = await migrateRig(t);
  const owned = (name: string, kind: string): DoubleObject => ({
    metadata: { namespace: 'ci', name, ownerReferences: [{ kind, name: 'x', controller: true }] },
    spec: { containers: [{ name: 'a', image: 'old.test/app' }] },
  });
  api.put(pods, owned('a', 'ReplicaSet'));
  api.put(pods, owned('b', 'Rollout'));
  const { code, out, err } = await run(['--include=all', move]);
  t.equal(code, 0);
  t.match(out, 'ignored:    -n ci pods/b: Rollout/x controls it\n');
  t.notMatch(out, 'pods/a');
  t.match(out, 'ignored=2');
  t.notMatch(err, 'workloads');
});

test('a signal stops it with its code, and says that something is left', async (t) => {
  const { api, run } = await migrateRig(t);
  for (const name of ['a', 'b', 'c', 'd']) api.put(deployments, deployment(name));
  const controller = new AbortController();
  api.switches.patching = () => controller.abort(new Error('SIGINT'));
  const { code, err } = await run(
    ['--include=deployments', '--num-workers=1', '--confirm', move],
    controller.signal,
  );
  t.equal(code, 130);
  t.match(err, 'error: stopped before all was looked at: run it again for what is left\n');
  t.equal(api.patches.length, 1);
  api.switches.patching = () => undefined;
  t.match(await run(['--include=deployments', '--confirm', move]), {
    code: 0,
    out: /unchanged=1 migrated=3/,
  });
});

test('stopped before any of its writes, the next run finishes, and no write is made twice', async (t) => {
  const { api, run } = await migrateRig(t);
  const from = { kind: 'DockerImage', name: 'old.test/app:v1' };
  const put = () => {
    for (const name of ['a', 'b']) api.put(deployments, deployment(name));
    api.put(secrets, pullSecret('pull', '{"auths":{"old.test":{}}}'));
    api.put(streams, {
      metadata: { namespace: 'ci', name: 'app' },
      spec: { tags: [{ name: 'v1', from }] },
      status: { tags: [{ tag: 'v1', items: [{ dockerImageReference: 'old.test/app:v1' }] }] },
    });
  };
  const writes = 5;
  for (let stopped = 1; stopped <= writes; stopped += 1) {
    put();
    api.patches.length = 0;
    const controller = new AbortController();
    api.switches.patching = () => {
      if (api.patches.length === stopped) controller.abort(new Error('SIGTERM'));
    };
    const flags = ['--include=all', '--num-workers=1', '--confirm', move];
    t.equal((await run(flags, controller.signal)).code, 143);
    t.match(await run(flags), { code: 0, out: /errors=0/ });
    t.equal(api.patches.length, writes);
    t.match(await run(flags), { code: 0, out: /total=4 errors=0 ignored=0 unchanged=4 migrated=0/ });
  }
});

test('a command line that means nothing is refused before a cluster is asked', async (t) => {
  const { api, run, file } = await migrateRig(t);
  await writeFile(file('disk'), 'old.test/app:v1=file://app:v1\n');
  await writeFile(file('bad'), 'old.test/app:v1\n');
  await writeFile(file('only'), 'pods a\n');
  const refused: readonly (readonly [RegExp, ...string[]])[] = [
    [/at least one mapping argument must be specified: REGISTRY\/NAME=REGISTRY\/NAME/],
    [/no line of the files maps a registry to a registry/, '-f', file('disk')],
    [/bad, line 1: all arguments must be valid SRC=DST mappings/, '-f', file('bad')],
    [/lacking cannot be read \(ENOENT\)/, '-f', file('lacking')],
    [/takes --confirm or -o/, '-o', 'yaml', '--confirm', move],
    [/takes -n or -A/, '-n', 'ci', '-A', move],
    [/deploymens is no kind that names images \(did you mean deployments\?\)/, '--include=deploymens', move],
    [/--only: pods a is not KIND NAMESPACE\/NAME/, '--only', file('only'), move],
    [/unknown option --as/, '--as', 'alice', move],
    [/the mappings lead on/, move, 'new.test/*=old.test/*'],
  ];
  for (const [message, ...args] of refused)
    await t.rejects(run(args), { name: 'UsageError', message }, args.join(' '));
  t.same(api.requests, []);
});

test('the kubeconfig is that of the flag, the environment, or the home folder', async (t) => {
  const home = t.testdir({ '.kube': { config: '' } });
  const found = (kubeconfig: string | undefined, env: Readonly<Record<string, string>>) =>
    kubeconfigFile({ kubeconfig }, { env });
  t.equal(await found('a', { KUBECONFIG: 'b', HOME: home }), 'a');
  t.equal(await found(undefined, { KUBECONFIG: 'b', HOME: home }), 'b');
  t.equal(await found(undefined, { KUBECONFIG: '', HOME: home }), join(home, '.kube/config'));
  t.equal(await found(undefined, { HOME: join(home, 'nothing') }), undefined);
  t.equal(await found(undefined, {}), undefined);
  await t.rejects(found(undefined, { KUBECONFIG: 'a:b' }), { name: 'UsageError' });
});

test('the progress has a share of all objects, those left out that no server counts', async (t) => {
  const { api, file } = await migrateRig(t);
  for (const name of ['a', 'b', 'c']) api.put(deployments, deployment(name));
  api.put(secrets, pullSecret('login', '{"auths":{}}'));
  const io = recordedIo();
  let shown: () => ProgressState = () => ({ unit: '', done: 0 });
  const progress = (state: () => ProgressState) => {
    shown = state;
    return () => undefined;
  };
  const args = ['--kubeconfig', file('kubeconfig'), '--no-check', '--include=deploy,secrets', move];
  t.equal(await migratingReferences()(args, { ...io, progress }), 0);
  t.match(shown(), { unit: 'objects', done: 4, total: 4 });
});

test('the share is of what was asked for: a list of objects, and no range of keys', async (t) => {
  const objects = { count: async () => 7 };
  const { signal } = new AbortController();
  const [kind] = migratedKinds;
  if (kind === undefined) throw new Error('no kinds');
  const all = { namespace: undefined, fromKey: undefined, toKey: undefined };
  const wanted = [{ kind, places: undefined }];
  t.same(await expectedObjects(wanted, all, objects, signal), new Map([[kind, 7]]));
  t.equal(await expectedObjects(wanted, { ...all, fromKey: 'ci' }, objects, signal), undefined);
  const places = [{ namespace: 'ci', name: 'a' }];
  t.same(await expectedObjects([{ kind, places }], all, objects, signal), new Map([[kind, 1]]));
  const refused = { count: () => Promise.reject(new Error('403')) };
  t.same(await expectedObjects(wanted, all, refused, signal), new Map());
});
