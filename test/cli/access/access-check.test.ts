import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createRepositoryIndex } from '../../../src/cache/records/repository-index.ts';
import { createTagPointers } from '../../../src/cache/records/tag-pointers.ts';
import { run } from '../../../src/cli/commands/run.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { type ClusterDouble, clusterDouble } from '../../support/cluster-double.ts';
import { servedStreams } from '../../support/served-streams.ts';
import { recordedIo } from '../io.ts';

const layer = digestOf(Buffer.from('a layer'));
/** Known to a stream alone. */
const promoted = digestOf(Buffer.from('a promoted manifest'));
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(Buffer.from('{}')),
      size: 2,
    },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: 7 }],
  }),
);

interface Stage {
  readonly cluster: ClusterDouble;
  readonly directory: string;
  /** Runs `quayside access check` with these words behind the configuration. */
  check(...words: readonly string[]): Promise<{ code: number; out: string; err: string }>;
}

/** Ann may pull `ocp/4.5`, and the tag of that stream was pulled into the store. */
async function stage(
  t: Test,
  hosts = '{ ci.example.com: { auth: cluster, access: imagestream, upstream: quay.io } }',
  streams?: string,
): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-check-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const served = servedStreams();
  served.name('ocp/4.5', [`quay.io/openshift/ci@${promoted}`]);
  const cluster = await clusterDouble({
    bindings: [{ to: 'ann', namespace: 'ocp', name: '4.5' }],
    streams: served,
  });
  t.teardown(() => cluster.close());
  const file = join(directory, 'quayside.yaml');
  await writeFile(
    file,
    `store: { filesystem: { path: ${join(directory, 'store')} } }
clusters: { app.ci: { kubeconfigFile: ${await cluster.kubeconfig(directory)}${streams === undefined ? '' : `, streams: ${streams}`} } }
hosts: ${hosts}
`,
  );
  await filled(join(directory, 'store'));
  return {
    cluster,
    directory,
    async check(...words) {
      const io = recordedIo();
      const code = await run(['access', 'check', '--config', file, ...words], io);
      return { code, out: io.out(), err: io.err() };
    },
  };
}

async function filled(path: string): Promise<void> {
  const store = createFilesystemStore({ path });
  const events = { storeFailed: () => {} };
  const scope = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
  const digest = digestOf(manifest);
  const size = manifest.byteLength;
  const tag = parseTag('ocp_4.5_cli');
  const members = createRepositoryIndex({ records: store.records, events });
  const pointers = createTagPointers({ records: store.records, maxEntries: 10, confirmEveryMs: 0, events });
  await store.blobs.put({ digest, size }, bytesOf(manifest));
  await members.add(
    scope,
    [
      { digest, size, mediaType: mediaTypes.ociManifest },
      { digest: layer, size: 7 },
    ],
    tag,
  );
  const now = Date.now();
  pointers.set(scope, tag, {
    digest,
    size,
    mediaType: mediaTypes.ociManifest,
    checkedAt: now,
  });
  await members.settled();
  await pointers.settled();
  await members.close();
  await pointers.close();
  await store.close();
}

test('an allowed pull ends with 0 and says by which rule and question', async (t) => {
  const { check } = await stage(t);
  const { code, out, err } = await check('--as', 'ann', 'openshift/ci:ocp_4.5_cli');
  t.equal(err, '');
  t.equal(code, 0);
  t.match(out, /^verdict {3}allowed$/m);
  t.match(out, /^rule {6}imagestream: tag$/m);
  t.match(out, /^question {2}get imagestreams.image.openshift.io\/layers 4.5 -n ocp$/m);
  t.match(out, /^cluster {3}app.ci$/m);
  t.match(out, /^wanted {4}quay.io\/openshift\/ci:ocp_4.5_cli$/m);
});

test('a refused pull ends with 1 and says what would help', async (t) => {
  const { check } = await stage(t);
  const { code, out } = await check('--as', 'bob', 'ci.example.com/openshift/ci:ocp_4.5_cli');
  t.equal(code, 1);
  t.match(out, /^verdict {3}refused$/m);
  t.match(out, /^reason .*ask for a role that allows `get .* 4.5 -n ocp` on cluster app.ci/m);
});

test('--json is one document', async (t) => {
  const { check } = await stage(t);
  const words = [
    '--as',
    'system:serviceaccount:ci:bot',
    '--groups',
    'x,y',
    '--host',
    'ci.example.com',
    '--json',
  ];
  const { code, out } = await check(...words, 'openshift/ci:ocp_4.5_cli');
  t.equal(code, 1);
  t.match(JSON.parse(out), {
    verdict: 'refused',
    rule: 'imagestream: tag',
    question: 'get imagestreams.image.openshift.io/layers 4.5 -n ocp',
    cluster: 'app.ci',
    subject: 'system:serviceaccount:ci:bot',
    groups: ['x', 'y', 'system:serviceaccounts', 'system:serviceaccounts:ci', 'system:authenticated'],
    host: 'ci.example.com',
    wanted: 'quay.io/openshift/ci:ocp_4.5_cli',
  });
});

test('a digest is judged by the image streams of the cluster, where they are followed', async (t) => {
  const { check } = await stage(t, undefined, '{ trusted: [ocp] }');
  const named = `openshift/ci@${promoted}`;
  const { code, out, err } = await check('--as', 'ann', named);
  t.equal(code, 0, err);
  t.match(out, /^question {2}get .* 4.5 -n ocp$/m);
  const refused = await check('--as', 'bob', named);
  t.equal(refused.code, 1, refused.out);
  const without = await stage(t);
  t.equal((await without.check('--as', 'ann', named)).code, 1, 'no stream is followed');
});

test('a digest is judged by what the store knows of it', async (t) => {
  const { check } = await stage(t);
  const { code, out } = await check('--as', 'ann', `openshift/ci@${layer}`);
  t.equal(code, 0);
  t.match(out, /^question {2}get .* 4.5 -n ocp$/m);
  t.equal((await check('--as', 'bob', `openshift/ci@${layer}`)).code, 1);
  t.equal((await check('--as', 'ann', `openshift/ci:x@${digestOf(Buffer.from('unknown'))}`)).code, 1);
});

test('what the cluster does not answer is neither allowed nor refused, and ends with 3', async (t) => {
  const { check, cluster } = await stage(t);
  cluster.switches.answersStatus = 500;
  const { code, out } = await check('--as', 'ann', 'openshift/ci:ocp_4.5_cli');
  t.equal(code, 3);
  t.match(out, /^verdict {3}unknown: the question could not be decided$/m);
  t.match(out, /^reason .*app.ci/m);
});

test('a cluster of which it is not known where it is ends with 3 as well', async (t) => {
  const { check, directory } = await stage(t);
  await writeFile(join(directory, 'kubeconfig'), 'not: a kubeconfig');
  t.equal((await check('--as', 'ann', 'openshift/ci:ocp_4.5_cli')).code, 3);
});

test('words that make no sense end with 2 and say what would', async (t) => {
  const { check } = await stage(
    t,
    '{ a.example.com: { auth: cluster, access: open }, b.example.com: { auth: cluster, access: open }, c.example.com: {} }',
  );
  const mistakes: readonly (readonly [RegExp, ...string[]])[] = [
    [/needs exactly one REFERENCE/, '--as', 'ann'],
    [/needs --host HOST, one of a.example.com, b.example.com/, '--as', 'ann', 'ci/x:1'],
    [/needs --as USER/, 'a.example.com/ci/x:1'],
    [/auth: none, so no rules/, '--as', 'ann', '--host', 'c.example.com', 'ci/x:1'],
    [/not configured here/, '--as', 'ann', '--host', 'd.example.com', 'ci/x:1'],
    [
      /does not ask app.cl \(did you mean app.ci\?\)/,
      '--as',
      'ann',
      '--cluster',
      'app.cl',
      'a.example.com/ci/x:1',
    ],
    [/not a repository name/, '--as', 'ann', '--host', 'a.example.com', 'CI/x:1'],
    [/not a tag/, '--as', 'ann', '--host', 'a.example.com', 'ci/x:-'],
    [/not a sha256/, '--as', 'ann', '--host', 'a.example.com', 'ci/x@sha256:12'],
  ];
  for (const [message, ...words] of mistakes) {
    const { code, err, out } = await check(...words);
    t.equal(code, 2, words.join(' '));
    t.match(err, message);
    t.equal(out, '');
  }
});
