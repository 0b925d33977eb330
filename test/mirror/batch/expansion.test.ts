import { test } from 'tap';
import { expanded } from '../../../src/mirror/batch/expansion.ts';
import { type Mapping, parseMappingFile, parseMappings } from '../../../src/mirror/batch/mapping.ts';
import { pullSpecText } from '../../../src/mirror/references/pull-spec.ts';
import { parseTag } from '../../../src/oci/reference.ts';

const digest = `sha256:${'b'.repeat(64)}`;

function texts(mappings: readonly Mapping[]): string[] {
  return mappings.map(({ source, destination }) => `${pullSpecText(source)} ${pullSpecText(destination)}`);
}

function tagsOf(...tags: string[]) {
  return async () => tags.map(parseTag);
}

test('a glob, and a source without a tag, become the tags that there are', async (t) => {
  const list = tagsOf('v1', 'v2', 'latest');
  t.same(texts((await expanded(parseMappings(['q.io/a:v*', 'r.io/b']), list)).mappings), [
    'q.io/a:v1 r.io/b:v1',
    'q.io/a:v2 r.io/b:v2',
  ]);
  t.equal((await expanded(parseMappings(['q.io/a=file://b']), list)).mappings.length, 3);
  const twice = await expanded(parseMappings(['q.io/a=r.io/b']), tagsOf('v1', 'v1'));
  t.same([twice.mappings.length, twice.unplanned], [1, []], 'a tag that is listed twice is one');
});

test('a mapping that cannot be planned leaves the others as they are', async (t) => {
  const mapped = parseMappings(['q.io/a:v9*=r.io/a', 'q.io/b=r.io/b', 'q.io/c:1=r.io/c']);
  const { mappings, unplanned } = await expanded(mapped, async ({ repository }) => {
    if (repository === 'b') throw new Error('told nothing');
    return ['v1'].map(parseTag);
  });
  t.same(texts(mappings), ['q.io/c:1 r.io/c:1']);
  t.match(unplanned, [
    { error: { name: 'MappingError', kind: 'source-gone', message: 'no tag fits q.io/a:v9*' } },
    { error: { message: 'told nothing' } },
  ]);
});

test('each destination may be named once', async (t) => {
  const twice = parseMappingFile('m.txt', 'q.io/a:1 r.io/a:1\nq.io/b:1 r.io/a:1').mappings;
  const message = 'file m.txt, line 2: each destination tag may only be specified once: r.io/a:1';
  t.match(await expanded(twice, tagsOf()), { mappings: { length: 1 }, unplanned: [{ error: { message } }] });
  const byDigest = parseMappings([`q.io/a@${digest}=r.io/a`, `q.io/b@${digest}=r.io/a`]);
  t.equal((await expanded(byDigest, tagsOf())).mappings.length, 2);
});

test('an image is not copied onto itself', async (t) => {
  const message = 'SRC and DST may not be the same';
  const { mappings, unplanned } = await expanded(parseMappings(['q.io/a:1', 'q.io/a']), tagsOf());
  t.same(mappings, []);
  t.match(unplanned, [{ error: { message } }]);
});

const flat = tagsOf(
  'lvms_lvm-operator_v4.20',
  'lvms_lvm-operator_v4.20__pre',
  'lvms_lvm-operator_v4.21_incoming',
  'lvms_lvm-operator_v4.21__post1',
  'lvms_lvm-operator_incoming-hooks',
  'lvms_lvm-operator_20260803101112_prune_x',
  'ocp_4.20_cli',
  '20260803101112_prune_lvms_lvm-operator_v4.20',
);

test('DST:* takes the prefix off, and leaves out stages and backups, which it counts', async (t) => {
  const [source, destination] = ['quay.io/openshift/ci:lvms_lvm-operator_*', 'r.io/lvms-operator:*'];
  const found = await expanded(parseMappings([source, destination]), flat);
  t.same(texts(found.mappings), [
    'quay.io/openshift/ci:lvms_lvm-operator_v4.20 r.io/lvms-operator:v4.20',
    'quay.io/openshift/ci:lvms_lvm-operator_incoming-hooks r.io/lvms-operator:incoming-hooks',
  ]);
  t.match(found.staging, [{ areLeftOut: true, tags: { length: 4 } }]);
  const inFile = parseMappingFile('m.txt', `${source}=${destination}`);
  t.same(texts((await expanded(inFile.mappings, flat)).mappings), texts(found.mappings));
});

test('stages and backups go to DST:* when they are asked for', async (t) => {
  const mapped = parseMappings(['q.io/flat:lvms_lvm-operator_*', 'r.io/lvms-operator:*']);
  const { mappings, staging } = await expanded(mapped, flat, { stagingTags: true });
  t.equal(mappings.length, 6);
  t.ok(texts(mappings).includes('q.io/flat:lvms_lvm-operator_v4.20__pre r.io/lvms-operator:v4.20__pre'));
  t.same(staging, []);
});

test('a tag of which the prefix leaves no tag keeps no other one back', async (t) => {
  const mapped = parseMappings(['q.io/flat:lvms*', 'r.io/a:*']);
  const { mappings, unplanned } = await expanded(mapped, tagsOf('lvms', 'lvms-x', 'lvms_v1', 'lvms.2'));
  t.same(texts(mappings), ['q.io/flat:lvms_v1 r.io/a:_v1']);
  t.match(unplanned, [
    { error: { message: 'q.io/flat:lvms without lvms is not a tag: ""', kind: 'invalid' } },
    { error: { message: 'q.io/flat:lvms-x without lvms is not a tag: "-x"' } },
    { error: { message: 'q.io/flat:lvms.2 without lvms is not a tag: ".2"' } },
  ]);
});

test('where all that fits is left out, the reason says so', async (t) => {
  const mapped = parseMappings(['q.io/flat:x_*', 'r.io/a:*']);
  const { unplanned, staging } = await expanded(mapped, tagsOf('x_v1__pre', 'x_v1_incoming'));
  const message = 'q.io/flat:x_* fits 2 staging and backup tags and no other: --staging-tags copies them';
  t.match(unplanned, [{ error: { message, kind: 'source-gone' } }]);
  t.same(staging, [], 'and it is said once');
});

test('a glob over QCI is warned about its stages and backups, which it copies', async (t) => {
  for (const source of [
    'quay.io/openshift/ci:*',
    'quay.io/openshift/ci',
    'quay-proxy.ci.openshift.org/openshift/ci:*',
  ]) {
    const { mappings, staging } = await expanded(parseMappings([source, 'r.io/ci']), flat);
    t.equal(mappings.length, 8);
    t.match(staging, [{ areLeftOut: false, tags: { length: 5 } }], source);
  }
  const elsewhere = await expanded(parseMappings(['q.io/team/app:*', 'r.io/ci']), flat);
  t.same(elsewhere.staging, [], 'another repository may call its tags as it likes');
});
