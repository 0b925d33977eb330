import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createRecordLease } from '../../../src/lease/record.ts';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import { createTaskRecords } from '../../../src/mirror/queue/task-records.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { temporary } from '../../bad-days/rig.ts';
import { until } from '../../support/bodies.ts';
import { type RegistryDouble, registryDouble } from '../../support/registry-double.ts';
import { type LogLine, type ServiceRig, serviceRig } from '../../support/service.ts';

const ci = 'openshift/ci';

interface MirrorRig extends ServiceRig {
  /** The registry of app.ci; `double` is QCI. */
  readonly source: RegistryDouble;
}

/** The whole service with a mirror, before doubles of QCI and of app.ci's registry. */
async function mirrorRig(
  t: Test,
  mirror: Readonly<Record<string, unknown>> = {},
  prepare: (source: RegistryDouble) => void = () => undefined,
  directory?: string,
): Promise<MirrorRig> {
  const [double, source] = await Promise.all([registryDouble(), registryDouble()]);
  prepare(source);
  const registry = ({ url }: RegistryDouble) => ({ url, allowPrivateAddresses: true, retries: 1 });
  const rig = await serviceRig(t, {
    double,
    ...(directory === undefined ? {} : { directory }),
    settings: {
      mirror: { listen: '127.0.0.1:0', ...mirror },
      upstreams: { 'quay.io': registry(double), 'registry.ci.openshift.org': registry(source) },
      tags: { freshMs: 0, refreshBehindMs: 0, negativeMs: 1 },
    },
  });
  t.teardown(() => Promise.all([double.close(), source.close()]));
  return Object.assign(rig, { source });
}

async function pulled(rig: MirrorRig, reference: string): Promise<Response> {
  return fetch(`${rig.url}/v2/quay.io/${ci}/manifests/${reference}`);
}

test('a tag that QCI lacks is answered from app.ci at once, and copied; each byte is read once', async (t) => {
  const rig = await mirrorRig(t);
  const image = rig.source.addImage('ocp/4.20', 'cli', { layers: [300_000, 200_000] });
  const answer = await pulled(rig, 'ocp_4.20_cli');
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('docker-content-digest'), image.digest);
  for (const { digest } of image.layers) {
    const blob = await fetch(`${rig.url}/v2/quay.io/${ci}/blobs/${digest}`);
    t.equal((await blob.arrayBuffer()).byteLength > 0, true);
  }
  await until(() => rig.double.tagOf(ci, 'ocp_4.20_cli') === image.digest);
  const gets = rig.source.requests.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'));
  t.equal(gets.length, new Set(gets.map(({ path }) => path)).size, 'no blob of the source was read twice');
  t.match(await rig.metrics(), /quayside_misses_total\{outcome="served"\} 1/);
  await until(() => rig.log.some(({ msg }) => msg === 'Mirrored successfully'));
  t.match(
    rig.log.find(({ msg }) => msg === 'Mirrored successfully'),
    { component: 'ci-images-mirror' },
  );
});

test('a tag without a source is a 404, and the queue is shown on its own address', async (t) => {
  const rig = await mirrorRig(t);
  t.equal((await pulled(rig, 'ocp_4.20_nothing')).status, 404);
  const api = `http://${rig.service.mirrorAddress}/api`;
  t.same(await (await fetch(`${api}/health`)).json(), { ok: true });
  t.same(await (await fetch(`${api}/v1/mirrors`)).json(), { total: 0 });
  t.equal((await fetch(`${api}/v1/mirrors`, { method: 'POST' })).status, 404, 'orders are not taken there');
});

const isSuccess = (line: LogLine, tag: string): boolean =>
  line.msg === 'Mirrored successfully' && String(line['pairs']).endsWith(`:${tag}`);

async function order(rig: MirrorRig, source: string, destination: string): Promise<Response> {
  return fetch(`http://${rig.service.adminAddress}/api/v1/mirrors`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source, destination }),
  });
}

test('an operator orders a copy, and a configuration lists what is copied at start', async (t) => {
  const configFile = join(await temporary(t), '_config.yaml');
  await writeFile(
    configFile,
    'supplementalCIImages:\n  ci/tool:latest: { image: registry.ci.openshift.org/tools/tool:v1 }\n',
  );
  const rig = await mirrorRig(t, { configFile }, (source) => void source.addImage('tools/tool', 'v1'));
  const ordered = rig.source.addImage('tools/other', 'v2');
  const answer = await order(
    rig,
    'registry.ci.openshift.org/tools/other:v2',
    'quay.io/openshift/ci:ci_other_v2',
  );
  t.equal(answer.status, 202);
  await until(() => rig.double.tagOf(ci, 'ci_other_v2') === ordered.digest);
  await until(() => rig.double.tagOf(ci, 'ci_tool_latest') === rig.source.tagOf('tools/tool', 'v1'));
  const successes = () => rig.log.filter(({ msg }) => msg === 'Mirrored successfully');
  await until(() => successes().length === 2);
  t.same(
    successes().map(({ component }) => component),
    ['ci-images-mirror', 'ci-images-mirror'],
  );
});

test('a listed source without a tag is its latest, and copied', async (t) => {
  const configFile = join(await temporary(t), '_config.yaml');
  await writeFile(
    configFile,
    'supplementalCIImages:\n  ci/tool:1: { image: registry.ci.openshift.org/tools/tool }\n',
  );
  const rig = await mirrorRig(t, { configFile }, (source) => void source.addImage('tools/tool', 'latest'));
  await until(() => rig.double.tagOf(ci, 'ci_tool_1') === rig.source.tagOf('tools/tool', 'latest'));
  t.equal(rig.log.filter(({ msg }) => msg === 'Failed to mirror').length, 0);
});

test('image streams that are selected without a cluster to read them from are warned of once, at start', async (t) => {
  const configFile = join(
    t.testdir({ '_config.yaml': 'artImages: [{namespace: ocp, name: ^builder$}]' }),
    '_config.yaml',
  );
  const rig = await mirrorRig(t, { configFile });
  await until(() => rig.log.some(({ msg }) => msg === 'Mirroring QCI images to app.ci ...'));
  const warnings = rig.log.filter(({ msg }) => msg.includes('artImages'));
  t.match(warnings, [
    { level: 'warn', component: 'ci-images-mirror', file: configFile, msg: /mirror\.imageStreams/ },
  ]);
  t.equal(warnings.length, 1);
});

test('a task that waits from before ends when its entry is gone', async (t) => {
  const directory = t.testdir({ '_config.yaml': '{}' });
  const { records } = createFilesystemStore({ path: join(directory, 'store') });
  const source = 'registry.ci.openshift.org/tools/tool:v1';
  const destination = 'quay.io/openshift/ci:ci_tool_latest';
  const owner = 'supplementalCIImagesService';
  await createTaskRecords({ records }).keep(destination, {
    source: parseImageReference(source),
    destination: parseImageReference(destination),
    priority: 'change',
    owner,
    createdAt: 1,
  });
  const configFile = join(directory, '_config.yaml');
  const rig = await mirrorRig(
    t,
    { configFile },
    (double) => void double.addImage('tools/tool', 'v1'),
    directory,
  );
  await until(() => rig.log.some(({ msg }) => msg === 'No longer configured, skipping mirror'));
  await rig.stop();
  t.equal(rig.double.tagOf(ci, 'ci_tool_latest'), undefined);
  t.same(await createTaskRecords({ records }).load(), []);
});

test('a mirror that only looks copies nothing', async (t) => {
  const rig = await mirrorRig(t, { dryRun: true });
  rig.source.addImage('ocp/4.20', 'cli');
  t.equal((await pulled(rig, 'ocp_4.20_cli')).status, 404);
  t.equal(rig.source.requests.length, 0);
});

const everything = '(?<host>[^/]+)/(?<name>.+)';
const tagOf = (name: string) => `\${${name}}`;

test("registries that are each other's source answer, and never wait for each other", async (t) => {
  const appCi = 'registry.ci.openshift.org';
  const sources = ['quay.io', appCi].flatMap((host) => [
    { match: `${everything}:(?<tag>.+)`, from: `${host}/${tagOf('name')}:${tagOf('tag')}` },
    { match: `${everything}@(?<digest>.+)`, from: `${host}/${tagOf('name')}@${tagOf('digest')}` },
  ]);
  const rig = await mirrorRig(t, { misses: { sources } });
  const image = rig.source.addImage('team/app', 'v1', { layers: [100_000] });
  const other = rig.double.addImage('team/app', 'v2', { layers: [200_000] });
  const ask = (path: string) => fetch(`${rig.url}/v2/${path}`, { signal: AbortSignal.timeout(10_000) });
  const [layer, otherLayer] = [image, other].map(({ layers }) => layers[0]?.digest);
  const found = ['quay.io', appCi].flatMap((host) =>
    [
      ...['manifests/v1', 'manifests/v2', `manifests/${image.digest}`, `manifests/${other.digest}`],
      ...[`blobs/${layer}`, `blobs/${otherLayer}`],
    ].map((path) => `${host}/team/app/${path}`),
  );
  const absent = ['quay.io', appCi].flatMap((host) => [
    `${host}/team/app/manifests/v3`,
    `${host}/team/app/blobs/sha256:${'a'.repeat(64)}`,
  ]);
  for (const [paths, status] of [
    [found, 200],
    [absent, 404],
  ] as const) {
    const answers = await Promise.all(paths.map(async (path) => (await ask(path)).status));
    t.same(
      answers,
      paths.map(() => status),
    );
  }
  const reason = await (await ask('quay.io/team/app/manifests/v3')).text();
  t.match(reason, /not in quay\.io\/team\/app; not at registry\.ci\.openshift\.org[" ]/);
});

test('with the preset config-file only entries of the file are sources', async (t) => {
  const entry = 'supplementalCIImages: {ci/tool:latest: {image: registry.ci.openshift.org/tools/tool:v1}}';
  const configFile = join(t.testdir({ '_config.yaml': entry }), '_config.yaml');
  const sources = [{ match: String.raw`quay\.io/.+:ci_.+`, preset: 'config-file', copy: false }];
  const rig = await mirrorRig(t, { configFile, misses: { sources } }, (source) => {
    source.addImage('ocp/4.20', 'cli');
    source.addImage('ci/other', 'latest');
  });
  for (const tag of ['ocp_4.20_cli', 'ci_other_latest']) t.equal((await pulled(rig, tag)).status, 404, tag);
  rig.source.addImage('tools/tool', 'v1');
  t.equal((await pulled(rig, 'ci_tool_latest')).status, 200);
});

test('a mirror that only looks asks no source', async (t) => {
  const sources = [{ match: `${everything}:(?<tag>.+)`, from: 'registry.ci.openshift.org/ocp/4.20:cli' }];
  const rig = await mirrorRig(t, { dryRun: true, misses: { sources } });
  rig.source.addImage('ocp/4.20', 'cli');
  t.equal((await pulled(rig, 'anything')).status, 404);
  t.equal(rig.source.requests.length, 0);
});

test('a mirror that only looks leaves to others what waits, and their turn', async (t) => {
  const directory = await temporary(t);
  const { records } = createFilesystemStore({ path: join(directory, 'store') });
  const source = 'registry.ci.openshift.org/ocp/4.20:cli';
  const destination = 'quay.io/openshift/ci:ocp_4.20_cli';
  const waiting = {
    source: parseImageReference(source),
    destination: parseImageReference(destination),
    priority: 'change',
    owner: 'misses',
    createdAt: 1,
  } as const;
  await createTaskRecords({ records }).keep(destination, waiting);
  const prepare = (double: RegistryDouble) => void double.addImage('ocp/4.20', 'cli');
  const rig = await mirrorRig(t, { dryRun: true }, prepare, directory);
  for (const tag of ['ordered', 'ordered-later']) {
    t.equal((await order(rig, source, `quay.io/openshift/ci:${tag}`)).status, 202);
    await until(() => rig.log.some((line) => isSuccess(line, tag)));
  }
  await rig.stop();
  const keys = (prefix: string) => Array.fromAsync(records.list(prefix));
  t.equal((await keys('v1/tasks/')).length, 1);
  t.same(await keys('v1/leases/'), []);
  t.equal(rig.double.tagOf(ci, 'ordered'), undefined);
});

test('what a mirror is asked for after it has lost its lease, it leaves to others', async (t) => {
  const directory = await temporary(t);
  const { records } = createFilesystemStore({ path: join(directory, 'store') });
  const rig = await mirrorRig(t, {}, undefined, directory);
  await until(() => rig.log.some(({ msg }) => msg === 'acquired the mirror lease; this process copies now'));
  const medium = createRecordLease(records, { name: 'mirror' });
  const taken = async () =>
    (await medium.write({ holder: 'another', ttlMs: 60_000 }, await medium.read())) !== undefined;
  await until(taken);
  await until(() => rig.log.some(({ msg }) => msg === 'lost the mirror lease; this process stops copying'));
  const source = 'registry.ci.openshift.org/ocp/4.20:cli';
  t.equal((await order(rig, source, 'quay.io/openshift/ci:ordered')).status, 202);
  t.same(await Array.fromAsync(records.list('v1/tasks/queued/')), []);
  t.equal((await Array.fromAsync(records.list('v1/tasks/offered/'))).length, 1);
});

test('a hold that an operator orders from a process that only inspects counts for those that copy', async (t) => {
  const directory = await temporary(t);
  const rig = await mirrorRig(t, { dryRun: true }, undefined, directory);
  const destination = 'quay.io/openshift/ci:ci_tool_latest';
  const answer = await fetch(`http://${rig.service.adminAddress}/api/v1/mirrors/hold`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ destination }),
  });
  t.equal(answer.status, 200);
  const { records } = createFilesystemStore({ path: join(directory, 'store') });
  t.match(await createHolds({ records }).find(destination), { destination });
});
