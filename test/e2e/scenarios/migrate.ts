import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { streamCluster } from '../fixtures/image-streams.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scenario } from '../scenario.ts';

const page = join(import.meta.dirname, '../../../docs/migrate.md');
const [old, now] = ['old.example.com', 'new.example.com'];
const move = `${old}/*=${now}/*`;
const namespace = 'ci';
const digest = `sha256:${'a'.repeat(64)}`;

interface ClusterObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** Logins as a person may have written them. */
const logins = (host: string) =>
  `{\n  "auths": {"${host}": {"auth":"b2xkOnNlY3JldA=="} ,\t"b.test":{}}, "n": 1.0 }\n`;

function objectsOf(): readonly object[] {
  const podSpec = {
    restartPolicy: 'Always',
    imagePullSecrets: [{ name: 'pull' }],
    initContainers: [{ name: 'first', image: `${old}/team/tool:v2`, args: ['a'] }],
    containers: [
      { name: 'app', image: `${old}/team/app:v1`, env: [{ name: 'IMAGE', value: `${old}/team/app:v1` }] },
      { name: 'other', image: `b.test/team/app@${digest}` },
    ],
  };
  const labels = { app: 'web' };
  const template = { metadata: { labels }, spec: podSpec };
  const selector = { matchLabels: labels };
  const job = { template: { spec: { ...podSpec, restartPolicy: 'Never' } } };
  const metadata = (name: string) => ({ name, namespace, annotations: { from: `${old}/team/app` } });
  const secret = (name: string, data: string, isImmutable = false) => ({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: metadata(name), type: 'kubernetes.io/dockerconfigjson' },
    data: { '.dockerconfigjson': Buffer.from(data).toString('base64'), other: 'AAEC/w==' },
    immutable: isImmutable,
  });
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata('web'), spec: { selector, template } },
    {
      ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: metadata('db') },
      spec: { selector, serviceName: 'db', template },
    },
    { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: metadata('agent'), spec: { selector, template } },
    {
      ...{ apiVersion: 'batch/v1', kind: 'CronJob', metadata: metadata('nightly') },
      spec: { schedule: '0 0 * * *', jobTemplate: { spec: job } },
    },
    secret('pull', logins(`https://${old}/v2/`)),
    secret('fixed', logins(old), true),
    { apiVersion: 'batch/v1', kind: 'Job', metadata: metadata('running'), spec: job },
  ];
}

/** Objects of a real API server, changed with the rights of `docs/migrate.md` alone. */
export const migrate: Scenario = {
  name: 'migrate',
  needs: ['kubernetes'],
  limitMs: 240_000,
  async play(scene) {
    const { stage, fact } = scene;
    const server = await streamCluster(scene, [namespace]);
    const { kubectl, apply } = server;
    const file = (name: string) => join(stage.directory, name);
    await apply('objects.json', objectsOf());
    const token = await server.newAccount(`${namespace}:migrator`);
    const kubeconfig = await server.kubeconfig('migrator', token, server.way);
    const run = (...args: readonly string[]) =>
      stage.run(
        process.execPath,
        [command, 'migrate', 'image-references', '--no-check', '--kubeconfig', kubeconfig, ...args],
        { mayFail: true },
      );
    const all = async (): Promise<readonly ClusterObject[]> => {
      const kinds = 'deployments,statefulsets,daemonsets,cronjobs,jobs,secrets,imagestreams';
      const { stdout } = await kubectl(['get', kinds, '--namespace', namespace, '--output=json']);
      return (JSON.parse(stdout) as { readonly items: readonly ClusterObject[] }).items;
    };
    await server.put(`${namespace}/app`, { v1: digest }, `${old}/team/app`);
    const from = { kind: 'DockerImage', name: `${old}/team/app:v1` };
    const tags = JSON.stringify({ spec: { tags: [{ name: 'v1', from, reference: false }] } });
    await kubectl(['patch', 'imagestream', 'app', '-n', namespace, '--type=merge', '--patch', tags]);

    await fact('an account without rights is told each kind that it may not list', async () => {
      const { code, stderr } = await run('--include=secrets,deployments', move);
      assert.equal(code, 1);
      assert.match(stderr, /^error: secrets cannot be read: this account may not list them: .*\(403\)/m);
      assert.match(stderr, /^error: deployments\.apps cannot be read: this account may not list them/m);
    });

    const [, role = ''] = /```yml\n([\s\S]*?)```/.exec(await readFile(page, 'utf8')) ?? [];
    await apply('role.yaml', role);
    const subject = `--serviceaccount=${namespace}:migrator`;
    await kubectl(['create', 'clusterrolebinding', 'migrator', '--clusterrole=quayside-migrator', subject]);
    const before = await all();

    await fact('a dry run changes no object, with the rights of the page', async () => {
      const { code, stdout } = await run('--include=deployments,statefulsets,cronjobs,secrets,is', move);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^summary \(dry run\): total=6 errors=0 ignored=0 unchanged=0 migrated=6$/m);
      assert.deepEqual(await all(), before);
    });
    await fact('what -o yaml prints is what kubectl replaces an object with', async () => {
      const { code, stdout } = await run('--include=daemonsets', '--output=yaml', move);
      assert.equal(code, 0);
      await writeFile(file('changed.yaml'), stdout);
      await kubectl(['replace', '--filename', file('changed.yaml')]);
      assert.match((await run('--include=daemonsets', move)).stdout, /unchanged=1 migrated=0/);
    });
    await fact('workloads whose pull secrets stay are told that they lack the new host', async () => {
      const lacking =
        /^warning: {4}-n ci deployments\.apps\/web: .* no login for new\.example\.com\/team\/app:v1/m;
      assert.match((await run('--include=deployments', move)).stderr, lacking);
      const { stderr } = await run('--include=deployments,secrets', move);
      assert.doesNotMatch(stderr, /warning/);
      assert.doesNotMatch(stderr, /is not known everywhere/, 'the rights of the page suffice');
    });
    await fact('the server refuses a patch of a version that is over, as a conflict', async () => {
      const patch = JSON.stringify([
        { op: 'replace', path: '/metadata/resourceVersion', value: '1' },
        { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'any' },
      ]);
      const words = ['patch', 'deployment', 'web', '-n', namespace, '--type=json', '--patch', patch];
      const { code, stderr } = await kubectl(words, { mayFail: true });
      assert.equal(code, 1);
      assert.match(stderr, /Conflict|the object has been modified/);
    });
    await fact('image fields and names of logins change, and nothing else of any object', async () => {
      const failed = file('failed.txt');
      const { code, stdout, stderr } = await run('--include=all', '--confirm', '--failed-file', failed, move);
      assert.equal(code, 1, stderr);
      assert.match(stdout, /^summary: total=8 errors=2 ignored=0 unchanged=1 migrated=5$/m);
      assert.match(stderr, /^info: images\.image\.openshift\.io is passed over/m);
      const lines = (await readFile(failed, 'utf8')).trim().split('\n');
      assert.deepEqual(
        lines.map((line) => line.split(' # ')[0]),
        ['secrets ci/fixed', 'jobs.batch ci/running'],
      );
      const kept = ['Secret/fixed', 'Job/running'];
      assert.deepEqual(
        (await all()).map(plain),
        before.map((each) => expected(each, kept)),
      );
    });
    await fact('the bytes of a login file are the same but for the name', async () => {
      const { data } = (await all()).find(({ metadata }) => metadata.name === 'pull') ?? {};
      assert.equal(Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString(), logins(now));
      assert.equal(data?.['other'], 'AAEC/w==');
    });
    await fact('a second run finds what is left alone, and finishes once that can be done', async () => {
      const again = await run('--confirm', '--only', file('failed.txt'), move);
      assert.equal(again.code, 1);
      assert.match(again.stdout, /total=2 errors=2/);
      await kubectl(['delete', 'job/running', 'secret/fixed', '--namespace', namespace]);
      const last = await run('--include=all', '--confirm', move);
      assert.equal(last.code, 0, last.stderr);
      assert.match(last.stdout, /^summary: total=6 errors=0 ignored=0 unchanged=6 migrated=0$/m);
    });
    await fact('a login of a file is added for the new place, beside the one for the old place', async () => {
      await writeFile(file('auth.json'), '{"auths":{"far.example.com":{"auth":"bmV3OnNlY3JldA=="}}}');
      const words = ['--include=secrets', '--confirm', '--add-logins', file('auth.json')];
      const { code, stderr } = await run(...words, `${now}/team/app=far.example.com/mirror/app`);
      assert.equal(code, 0, stderr);
      const { data } = (await all()).find(({ metadata }) => metadata.name === 'pull') ?? {};
      const text = Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString();
      const added = '"far.example.com":{"auth":"bmV3OnNlY3JldA=="},';
      assert.equal(text, logins(now).replace('{"new', `{${added}"new`));
    });
    await fact('among other writers no change is lost, neither theirs nor ours', async () => {
      const writes = async () => {
        for (let count = 1; count <= 8; count += 1)
          await kubectl(['annotate', 'deployment/web', '-n', namespace, `theirs-${count}=x`]);
      };
      const back = async () => {
        for (const [source, target] of [
          [now, 'third.example.com'],
          ['third.example.com', 'fourth.example.com'],
        ] as const) {
          const { code, stderr } = await run('--include=deployments', '--confirm', `${source}/*=${target}/*`);
          assert.equal(code, 0, stderr);
        }
      };
      await Promise.all([writes(), back()]);
      const web = JSON.stringify((await all()).find(({ kind }) => kind === 'Deployment'));
      assert.equal(web.match(/"theirs-\d":"x"/g)?.length, 8);
      assert.equal(web.match(/"image":"fourth\.example\.com/g)?.length, 2);
    });
  },
};

/** The object without what the server counts. */
function plain({ metadata: { resourceVersion: _version, ...metadata }, ...object }: ClusterObject): object {
  const counted = { generation: 0, managedFields: 0, creationTimestamp: 0 };
  const { status, ...rest } = object;
  const own = object.kind === 'ImageStream' ? { status } : {};
  return withoutOthers({ ...rest, ...own, metadata: { ...metadata, ...counted } });
}

/** A copy of the object as kubectl applied it, and a count of the server. */
const notOurs = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.daemonset.template.generation',
];

function withoutOthers(object: object): object {
  return JSON.parse(JSON.stringify(object, (key, value) => (notOurs.includes(key) ? undefined : value)));
}

/** As it should be after the run: every image moved, in annotations and environment nothing. */
function expected(object: ClusterObject, kept: readonly string[]): object {
  if (kept.includes(`${object.kind}/${object.metadata.name}`)) return plain(object);
  const moved = JSON.parse(JSON.stringify(plain(object)), (key, value) => {
    const names = ['image', 'dockerImageReference'];
    const isFrom = object.kind === 'ImageStream' && key === 'name';
    if (typeof value !== 'string') return value;
    if (names.includes(key) || isFrom) return value.replace(`${old}/`, `${now}/`);
    if (key !== '.dockerconfigjson') return value;
    const text = Buffer.from(value, 'base64').toString().replace(`https://${old}/v2/`, now);
    return Buffer.from(text).toString('base64');
  });
  return moved;
}
