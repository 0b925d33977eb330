import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createHolds } from '../../../src/mirror/queue/holds.ts';
import { taskBytes, taskKey } from '../../../src/mirror/queue/task-record.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { imageStreamDouble } from '../../support/image-stream-double.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { explainRig, saying, step } from './rig.ts';

const ci = 'openshift/ci';
const destination = 'quay.io/openshift/ci:ocp_4.5_base';
const source = 'registry.ci.openshift.org/ocp/4.5:base';

const configText = `supplementalCIImages:
  ci/tool:latest:
    image: registry.ci.openshift.org/tools/tool:v1
ignoredSources:
- namespace: ocp
  name: broken
  tag: "old"
  reason: schema 1
artImages: []
`;

/** A mirror with its file, its source as an upstream, and a cluster with image streams. */
async function stage(t: Test, mirror: Readonly<Record<string, unknown>> = {}) {
  const appCi = await registryDouble();
  t.teardown(() => appCi.close());
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  const rig = await explainRig(t, (directory, { url }) => ({
    clusters: { 'app.ci': { kubeconfigFile: join(directory, 'streams.kubeconfig') } },
    hosts: { '*': { auth: 'none' } },
    upstreams: {
      'quay.io': { url, allowPrivateAddresses: true, retries: 0 },
      'registry.ci.openshift.org': { url: appCi.url, allowPrivateAddresses: true, retries: 0 },
    },
    mirror: { configFile: join(directory, '_config.yaml'), imageStreams: { cluster: 'app.ci' }, ...mirror },
  }));
  await rig.file('streams.kubeconfig', api.kubeconfig);
  await rig.file('_config.yaml', configText);
  return { ...rig, appCi, api, store: () => createFilesystemStore({ path: join(rig.directory, 'store') }) };
}

test('a miss is answered from its source, and the mirror says that nothing waits', async (t) => {
  const { told, appCi } = await stage(t);
  const image = appCi.addImage('ocp/4.5', 'base');
  const document = await told('ocp/4.5:base');
  t.match(saying(document, 'tag'), `quay.io lacks it; registry.ci.openshift.org has ${image.digest}`);
  t.match(saying(document, 'sources'), /^ok\nregistry\.ci\.openshift\.org\/ocp\/4\.5:base: has it/);
  t.match(saying(document, 'mirror'), `would come from the image stream's tag: ${source}`);
  t.match(saying(document, 'source'), new RegExp(`${source} is ${image.digest}`));
});

test('a tag that no source has names what was asked', async (t) => {
  const { told } = await stage(t);
  const document = await told('ocp/4.5:base');
  t.equal(document.code, 1);
  t.match(
    saying(document, 'sources'),
    /^wrong\nregistry\.ci\.openshift\.org\/ocp\/4\.5:base: answers, and has no such image/,
  );
  t.match(
    saying(document, 'source'),
    /does not exist[\s\S]*oc --context app\.ci get is 4\.5 -n ocp -o yaml > 4\.5\.is\.yaml/,
  );
});

test('an entry of the configuration is named with its line', async (t) => {
  const { told } = await stage(t);
  const document = await told('ci/tool:latest');
  t.match(
    saying(document, 'mirror'),
    /supplementalCIImages at .*_config\.yaml:2: from registry\.ci\.openshift\.org\/tools\/tool:v1/,
  );
  t.match(
    saying(document, 'maker'),
    /ok\nci\/tool:latest is mirrored: supplementalCIImages, .*_config\.yaml:2/,
  );
});

test('an ignored source is named with line and reason', async (t) => {
  const { told } = await stage(t);
  const document = await told('ocp/broken:old');
  t.match(saying(document, 'mirror'), /^wrong[\s\S]*ignoredSources at .*_config\.yaml:5.*\(schema 1\)/);
});

test('a parked task gives its reason, and the commands for a broken source', async (t) => {
  const { told, store } = await stage(t);
  const medium = store();
  const reason = 'blob sha256:e3 of registry.ci.openshift.org/ocp/4.5: unknown blob';
  await medium.records.put(
    taskKey(destination),
    taskBytes({
      source: parseImageReference(source),
      destination: parseImageReference(destination),
      priority: 'change',
      owner: 'x',
      createdAt: Date.now(),
      sourceTagRef: { namespace: 'ocp', name: '4.5', tag: 'base' },
      state: 'parked',
      attempts: 6,
      doubts: 0,
      notBefore: Date.now() + 3_600_000,
      failure: { kind: 'blob-unknown', reason, at: Date.now() - 60_000 },
    }),
  );
  await medium.close();
  const document = await told('ocp/4.5:base');
  const text = saying(document, 'mirror');
  t.match(
    text,
    /^wrong\nthe copy failed: blob-unknown: blob sha256:e3[\s\S]*task parked, from registry[\s\S]*next try in (?:59 min|1 h)/,
  );
  t.match(text, 'oc --context app.ci delete is 4.5 -n ocp');
  t.match(text, '- namespace: ocp\n  name: 4.5\n  tag: "base"');
  t.match(step(document, 'mirror').next?.who, 'the owner of ocp/4.5');
});

test('a hold on a missing image is wrong, and says how to end it', async (t) => {
  const { told, store, double } = await stage(t);
  const medium = store();
  await createHolds({ records: medium.records }).put({ destination, since: Date.now(), why: 'a bad day' });
  await medium.close();
  const missing = await told('ocp/4.5:base');
  t.match(
    saying(missing, 'mirror'),
    /^wrong[\s\S]*held by an operator since .*, until it is released: a bad day/,
  );
  t.match(saying(missing, 'mirror'), `quayside mirror release ${destination}`);
  double.addImage(ci, 'ocp_4.5_base');
  const there = await told('ocp/4.5:base');
  t.equal(step(there, 'mirror').mark, 'ok');
});

test('a source that is another image than the tag is told', async (t) => {
  const { told, double, appCi } = await stage(t);
  double.addImage(ci, 'ocp_4.5_base');
  const newer = appCi.addImage('ocp/4.5', 'base', { layers: [5] });
  const document = await told('ocp/4.5:base');
  t.match(
    saying(document, 'source'),
    new RegExp(`^wrong\n${source} is ${newer.digest}[\\s\\S]*the tag is another one: sha256:`),
  );
  t.match(saying(document, 'source'), '/api/v1/mirrors');
});

test('the image stream of the cluster is shown: where it points, and a failed import with its age', async (t) => {
  const { told, api } = await stage(t);
  api.putObject('openshift/ansible-runner', {
    spec: {
      tags: [
        { name: 'latest', from: { kind: 'DockerImage', name: 'docker.io/ansible/ansible-runner:latest' } },
      ],
    },
    status: {
      tags: [
        {
          tag: 'latest',
          conditions: [
            {
              type: 'ImportSuccess',
              status: 'False',
              reason: 'InternalError',
              lastTransitionTime: '2021-06-03T16:24:42Z',
              message:
                'Internal error occurred: docker.io/ansible/ansible-runner:latest: toomanyrequests: You have reached your pull rate limit.',
            },
          ],
          items: [
            {
              created: '2020-06-02T11:50:06Z',
              image: `sha256:${'b'.repeat(64)}`,
              dockerImageReference: `docker.io/ansible/ansible-runner@sha256:${'b'.repeat(64)}`,
            },
          ],
        },
      ],
    },
  });
  const document = await told('openshift/ansible-runner:latest');
  const text = saying(document, 'image stream');
  t.match(
    text,
    /^wrong\nImportSuccess is False: InternalError: docker\.io\/ansible\/ansible-runner:latest: toomanyrequests/,
  );
  t.match(text, 'points to DockerImage docker.io/ansible/ansible-runner:latest');
  t.match(text, 'oc -n openshift import-image ansible-runner:latest');
  t.match(saying(document, 'image stream'), /docker\.io\/ansible\/ansible-runner@sha256:b/);
});

test("a job's tag is explained by what it points to, while its namespace is there", async (t) => {
  const { told, api, double } = await stage(t);
  double.addImage(ci, 'ocp_4.5_base');
  api.putObject('ci-op-abc/pipeline', {
    spec: {
      tags: [
        {
          name: 'base',
          from: { kind: 'DockerImage', name: 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base' },
        },
      ],
    },
  });
  const document = await told('ci-op-abc/pipeline:base');
  t.match(document.notes, ['the tag points to quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base']);
  t.equal(step(document, 'tag').mark, 'ok');
  const gone = await told('ci-op-gone/pipeline:base');
  t.equal(gone.code, 3);
  t.match(saying(gone, 'tag'), /give its imagestreams\.json/);
});

test('who promotes it is read from a checkout, with the job to run', async (t) => {
  const { told, directory, file } = await stage(t);
  const folder = join(directory, 'release', 'ci-operator', 'config', 'openshift', 'oc');
  await mkdir(folder, { recursive: true });
  await file(
    'release/ci-operator/config/openshift/oc/openshift-oc-release-4.5.yaml',
    `images:
- to: cli
promotion:
  to:
  - namespace: ocp
    name: "4.5"
zz_generated_metadata:
  branch: release-4.5
  org: openshift
  repo: oc
`,
  );
  await file('release/ci-operator/config/openshift/oc/openshift-oc-broken.yaml', 'promotion: [ocp 4.5 cli');
  const checkout = ['--checkout', join(directory, 'release')];
  const document = await told(...checkout, 'ocp/4.5:cli');
  t.match(
    saying(document, 'maker'),
    /^ok\npromoted by openshift\/oc@release-4\.5 \(ci-operator\/config\/openshift\/oc\/openshift-oc-release-4\.5\.yaml\); to make it anew, run the job branch-ci-openshift-oc-release-4\.5-images/,
  );
  t.equal(step(await told(...checkout, 'ocp/4.5:nope'), 'maker').mark, 'unknown');
});

test('of a backup the pruner says since when it goes, and which default that assumes', async (t) => {
  const { told, double: registry } = await stage(t);
  registry.addImage(ci, '20240603235401_prune_ocp_4.5_base');
  const text = saying(await told('20240603235401_prune_ocp_4.5_base'), 'pruner');
  t.match(text, /^ok\na backup of 3 June 2024 of ocp_4\.5_base; since 2024-06-09T23:54:01Z the next run/);
  t.match(text, 'unless an image stream names its digest');
  t.match(text, /assumed: --ttl-days 5, the default/);
  registry.addImage(ci, '20990603000000_prune_ocp_4.5_base');
  const young = saying(await told('20990603000000_prune_ocp_4.5_base'), 'pruner');
  t.match(young, 'runs from 2099-06-09T00:00:00Z on delete it');
});

test('a backup of what is held stays, and so does one that cannot be read', async (t) => {
  const { told, double: registry, store } = await stage(t);
  const backup = '20240603235401_prune_ocp_4.5_base';
  registry.addImage(ci, backup);
  const held = store();
  await createHolds({ records: held.records }).put({ destination, since: 1 });
  await held.close();
  t.match(
    saying(await told(backup), 'pruner'),
    /^ok\n.*it stays while this is so: a hold is on ocp_4\.5_base/,
  );
});

test('a backup that cannot be read has an unknown end', async (t) => {
  const { told, double: registry } = await stage(t);
  registry.switches.status = { of: 'manifests', code: 503 };
  t.match(saying(await told('20240603235401_prune_ocp_4.5_base'), 'pruner'), /^unknown\n/);
  t.match(
    saying(await told('rc_payload__4.20.0'), 'pruner'),
    /^unknown\n.*removal is requested cannot be told/,
  );
});

test('a release payload stays until its removal is requested', async (t) => {
  const { told, double: registry } = await stage(t);
  registry.addImage(ci, 'rc_payload__4.20.0');
  const stays = saying(await told('rc_payload__4.20.0'), 'pruner');
  t.match(
    stays,
    /^ok\nthe release payload 4\.20\.0: it stays until there is a tag remove__rc_payload__4\.20\.0/,
  );
  t.match(stays, 'the next run gives each of its components a tag');
  registry.addImage(ci, 'remove__rc_payload__4.20.1');
  for (const tag of [
    'rc_payload__4.20.1',
    'rc_payload__4.20.1__component__cli',
    'preserved__rc_payload__4.20.1',
  ]) {
    registry.addImage(ci, tag);
    t.match(saying(await told(tag), 'pruner'), /^ok\n.*is requested by the tag remove__rc_payload__4\.20\.1/);
  }
  t.match(saying(await told('remove__rc_payload__4.20.1'), 'pruner'), /^ok\nasks for the removal/);
});

test('the pruner deletes no other tag', async (t) => {
  const { told } = await stage(t);
  t.match(saying(await told('ocp/4.5:base'), 'pruner'), /^ok\nquayside prune tags never deletes/);
});

test('what the upstream could not be asked for is not said to lack a copy', async (t) => {
  const { told, double } = await stage(t);
  double.switches.status = { of: 'manifests', code: 500 };
  const document = await told('ci/tool:latest');
  t.not(step(document, 'mirror').mark, 'wrong', saying(document, 'mirror'));
});
