import { test } from 'tap';
import type { Fields } from '../../src/base/text/json.ts';
import { changed, changesOf, jsonPatch } from '../../src/migrate/changes.ts';
import { kindNamed, type MigratedKind, migratedKinds } from '../../src/migrate/kinds.ts';
import { assessed } from '../../src/migrate/migrate-object.ts';
import { MigrationFault } from '../../src/migrate/rules/logins.ts';
import { parsePlaceRule } from '../../src/migrate/rules/place-rules.ts';
import { createReferenceRules } from '../../src/migrate/rules/rules.ts';

const rules = createReferenceRules([parsePlaceRule('old.test/*=new.test/*')]);
const image = { image: 'old.test/app:v1' };
const podSpec = {
  initContainers: [{ name: 'first', ...image }],
  containers: [
    { name: 'a', image: 'b.test/x' },
    { name: 'b', ...image },
  ],
  volumes: [{ name: 'v', image: { reference: 'old.test/data:v1', pullPolicy: 'Always' } }, { name: 'w' }],
};

function kind(word: string): MigratedKind {
  const found = kindNamed(word);
  if (found === undefined) throw new Error(word);
  return found;
}

/** The paths that change, those of the history first. */
function paths(word: string, object: Fields): readonly string[] {
  const { history, rest } = changesOf(object, kind(word), rules);
  return [...history, ...rest].flatMap(({ told }) => told.map(({ where }) => where));
}

test('init containers, containers and image volumes change in every kind with a pod template', async (t) => {
  const below: Readonly<Record<string, string>> = {
    ...Object.fromEntries(
      ['deploy', 'statefulsets', 'daemonset', 'dc', 'replicasets.apps', 'rc'].map((word) => [
        word,
        'spec.template.spec',
      ]),
    ),
    cronjobs: 'spec.jobTemplate.spec.template.spec',
    pods: 'spec',
  };
  for (const [word, path] of Object.entries(below)) {
    const object = path.split('.').reduceRight<Fields>((inner, name) => ({ [name]: inner }), podSpec);
    t.same(
      paths(word, object),
      [
        `${path}.initContainers[0].image`,
        `${path}.containers[1].image`,
        `${path}.volumes[0].image.reference`,
      ],
      word,
    );
  }
});

test('of an image stream the history comes first; only what is of kind DockerImage changes', async (t) => {
  const object = {
    spec: {
      dockerImageRepository: 'old.test/app',
      tags: [
        { name: 'a', from: { kind: 'ImageStreamTag', name: 'old.test/app:v1' } },
        { name: 'b', from: { kind: 'DockerImage', name: 'old.test/app:v1' } },
      ],
    },
    status: {
      dockerImageRepository: 'old.test/ours',
      tags: [
        { tag: 'a', items: null },
        {
          tag: 'b',
          items: [{ dockerImageReference: 'b.test/x' }, { dockerImageReference: 'old.test/app:v1' }],
        },
      ],
    },
  };
  t.same(paths('is', object), [
    'status.tags[1].items[1].dockerImageReference',
    'spec.dockerImageRepository',
    'spec.tags[1].from.name',
  ]);
  t.same(paths('images', { dockerImageReference: `old.test/app@sha256:${'a'.repeat(64)}` }), [
    'dockerImageReference',
  ]);
});

test('of a build configuration output, sources and strategies change', async (t) => {
  const from = { kind: 'DockerImage', name: 'old.test/app:v1' };
  const spec = {
    output: { to: from },
    source: { images: [{ from: { kind: 'ImageStreamTag', name: 'x:y' } }, { from }] },
    strategy: { dockerStrategy: { from }, sourceStrategy: { from } },
  };
  t.same(paths('buildconfigs.build.openshift.io', { spec }), [
    'spec.output.to.name',
    'spec.source.images[1].from.name',
    'spec.strategy.sourceStrategy.from.name',
    'spec.strategy.dockerStrategy.from.name',
  ]);
});

test('a patch names the version that was read and the changed fields, and nothing else', async (t) => {
  const object = { metadata: { name: 'a', resourceVersion: '12' }, spec: podSpec, unknown: { deep: [1n] } };
  const { rest } = changesOf(object, kind('pods'), rules);
  t.same(JSON.parse(jsonPatch(object, rest)), [
    { op: 'replace', path: '/metadata/resourceVersion', value: '12' },
    { op: 'replace', path: '/spec/initContainers/0/image', value: 'new.test/app:v1' },
    { op: 'replace', path: '/spec/containers/1/image', value: 'new.test/app:v1' },
    { op: 'replace', path: '/spec/volumes/0/image/reference', value: 'new.test/data:v1' },
  ]);
  t.same(changesOf(changed(object, rest), kind('pods'), rules).rest, []);
  t.throws(() => jsonPatch({ metadata: {} }, rest), MigrationFault);
});

test('what a controller owns, and what has ended, is ignored; a Job that runs cannot change', async (t) => {
  const owned = { metadata: { ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1', controller: true }] } };
  const job = { spec: { template: { spec: podSpec } } };
  const ended = { status: { conditions: [{ type: 'Complete', status: 'True' }] } };
  const state = (word: string, object: Fields) => assessed(object, kind(word), rules).state;
  t.match(assessed({ ...owned, spec: podSpec }, kind('pods'), rules), {
    state: 'ignored',
    why: 'ReplicaSet/web-1 controls it',
  });
  t.equal(state('pods', { spec: podSpec, status: { phase: 'Succeeded' } }), 'ignored');
  t.equal(state('pods', { spec: podSpec, status: { phase: 'Pending' } }), 'migrated');
  t.equal(state('jobs', { ...job, ...ended }), 'ignored');
  t.equal(state('jobs', { ...job, ...owned }), 'ignored');
  t.throws(() => assessed(job, kind('jobs'), rules), MigrationFault);
  t.equal(state('jobs', { spec: {} }), 'unchanged');
});

test('objects of any other shape are unchanged', async (t) => {
  for (const each of migratedKinds)
    for (const object of [
      {},
      { spec: null, status: 7 },
      { spec: { template: [], tags: {}, containers: [null] } },
    ])
      t.equal(assessed(object, each, rules).state, 'unchanged', each.resource);
});
