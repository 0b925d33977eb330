import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { createReadings, flatTag } from '../../../src/image-streams/flat-tags.ts';
import { ignoredBy, parseMirrorConfig } from '../../../src/mirror/ci/config-file.ts';
import { MirrorConfigError } from '../../../src/mirror/ci/located-yaml.ts';
import { parseImageReference } from '../../../src/mirror/references/image-reference.ts';
import { imageMirroringConfig } from '../../support/mirroring-config.ts';

const file = `
supplementalCIImages:
  ci/boskos:latest:
    image: quay.io/someone/boskos:v1
  ci/alias:latest:
    namespace: ci
    name: boskos
    tag: old
qciToAppCIImages:
  ocp/4.18:cli: {}
  ci/tool:v1:
    image: quay.io/openshift/ci@sha256:${'a'.repeat(64)}
ignoredSources:
- image: registry.fedoraproject.org/fedora:latest
  reason: RFE-5363
- namespace: ocp
  name: builder
  tag: golang
  reason: broken
artImages:
- namespace: ocp
  Name: ^\\d+\\.\\d+$
  Tag: ^rhel-coreos.*
- namespace: openshift
  name: ^release$
`;

function parsed(text: string) {
  return parseMirrorConfig(Buffer.from(text));
}

function faultsOf(text: string): readonly string[] {
  try {
    parsed(text);
    return [];
  } catch (error) {
    if (!(error instanceof MirrorConfigError)) throw error;
    return error.message.split('\n');
  }
}

test('the file of the original is read as it is', (t) => {
  const config = parsed(file);
  const named = (images: typeof config.supplemental) =>
    images.map(({ target, source }) => [target.namespace, target.name, target.tag, source.text]);
  t.same(named(config.supplemental), [
    ['ci', 'boskos', 'latest', 'quay.io/someone/boskos:v1'],
    ['ci', 'alias', 'latest', 'registry.ci.openshift.org/ci/boskos:old'],
  ]);
  t.same(named(config.qciToAppCi), [
    ['ocp', '4.18', 'cli', 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.18_cli'],
    ['ci', 'tool', 'v1', `quay.io/openshift/ci@sha256:${'a'.repeat(64)}`],
  ]);
  t.match(config.art, [
    { namespace: 'ocp', name: { source: '^\\d+\\.\\d+$' }, tag: { source: '^rhel-coreos.*' } },
    { namespace: 'openshift', name: { source: '^release$' } },
  ]);
  t.end();
});

test('packed by gzip it is the same', (t) => {
  t.same(parseMirrorConfig(gzipSync(file)), parsed(file));
  t.end();
});

test('an empty file mirrors nothing', (t) => {
  t.same(parsed(''), { supplemental: [], qciToAppCi: [], ignored: [], art: [] });
  t.end();
});

test('a source is ignored by its pull spec and by its tag, however the entry and the source are written', (t) => {
  const ignored = (entry: string, source: string) =>
    ignoredBy(parsed(`ignoredSources: [${entry}]`), parseImageReference(source))?.reason;
  const tag = '{namespace: ocp, name: builder, tag: golang, reason: why}';
  const image = '{image: "registry.ci.openshift.org/ocp/builder:golang", reason: why}';
  const alias = (source: string) =>
    parsed(`supplementalCIImages: {"ci/a:b": ${source}}`).supplemental[0]?.source.text ?? '';
  for (const entry of [tag, image]) {
    t.equal(ignored(entry, alias('{image: "registry.ci.openshift.org/ocp/builder:golang"}')), 'why');
    t.equal(ignored(entry, alias('{namespace: ocp, name: builder, tag: golang}')), 'why');
    t.equal(ignored(entry, alias('{namespace: ocp, name: builder, tag: other}')), undefined);
  }
  t.end();
});

test('every fault is told at once, in the words of the original', (t) => {
  t.same(
    faultsOf(`
supplementalCIImages:
  nowhere: {image: a/b:c}
  ci/a:b: {as: x, namespace: ci}
qciToAppCIImages:
  ci/c:d: {namespace: ci}
  ci/e:f: {image: docker.io/library/x:y}
artImages:
- tag: '['
`),
    [
      'line 3: invalid target: nowhere: write namespace/name:tag',
      'line 4: supplementalCIImages[ci/a:b]: as cannot be set',
      'line 4: supplementalCIImages[ci/a:b]: name for the source must be set',
      'line 4: supplementalCIImages[ci/a:b]: tag for the source must be set',
      'line 6: qciToAppCIImages[ci/c:d]: namespace/name/tag must not be set; use image or omit to derive from the key',
      'line 7: qciToAppCIImages[ci/e:f]: image "docker.io/library/x:y" must be under quay.io/openshift/ci or quay-proxy.ci.openshift.org/openshift/ci',
      'line 9: namespace for ArtImages[0] must be set',
      "line 9: name's regex for ArtImages[0] must be set",
      "line 9: tag's regex for ArtImages[0] cannot be compiled: it is not a regular expression of RE2, which has no back-references and no lookaround: missing closing ]: `[`",
    ],
  );
  t.end();
});

test('unknown and repeated keys, and other things than maps and lists, are refused', (t) => {
  t.same(faultsOf('unknown: {}'), ['line 1: unknown field "unknown"']);
  t.same(faultsOf('ignoredSources:\n- {image: a, why: b}'), ['line 2: ignoredSources: unknown field "why"']);
  t.same(faultsOf('artImages: {}\nignoredSources: 3'), [
    'line 1: artImages: must be a list',
    'line 2: ignoredSources: must be a list',
  ]);
  t.same(faultsOf('supplementalCIImages:\n  a/b:c:\n    image: q.io/a:b\n    tag: [1]'), [
    'line 4: supplementalCIImages[a/b:c]: tag must be text',
  ]);
  t.same(faultsOf('artImages: []\nARTIMAGES: []'), ['line 2: key "ARTIMAGES" already set']);
  t.match(faultsOf('artImages: []\nartImages: []').join(), /^line 2: .*unique/);
  t.match(faultsOf('a: [1\nb: }').join(), /^line 2: /);
  t.same(faultsOf('[1]'), ['must be a map']);
  t.end();
});

test('a file that is neither text nor packed is refused, and one that unpacks to too much', (t) => {
  t.throws(() => parseMirrorConfig(Buffer.from([0xff, 0xfe, 0])), /neither text/);
  t.throws(() => parseMirrorConfig(gzipSync(Buffer.alloc(17 * 1024 * 1024, 32))), /neither/);
  t.end();
});

test('an expression may begin with the flag that Go has for any case', (t) => {
  t.ok(parsed('artImages: [{namespace: a, name: "(?i)^OCP$"}]').art[0]?.name.test('ocp'));
  t.end();
});

test('a target is accepted as the original accepts it, and nothing else', (t) => {
  const target = (key: string) => faultsOf(`supplementalCIImages: {"${key}": {image: "q.io/a/b:c"}}`);
  for (const key of [
    'ci/rh_jdk_ocp_testsuite:latest',
    'rh_ee_abc/aro-hcp-e2e-base:v1.0',
    '3scale-qe/v2.13:a',
    'ci/minio:RELEASE.2025-09-07T16-13-09Z',
    'OCP/4.5:x',
  ]) {
    t.same(target(key), [], key);
  }
  for (const key of [
    'a',
    'a/b',
    'a:b',
    'a/b/c:d',
    'a/b:c:d',
    'a:b/c',
    '/b:c',
    'a/:c',
    'a/b:',
    'a/b:ä',
    'a/b c:d',
  ]) {
    t.match(target(key), [/^line 1: invalid target: /], key);
  }
  t.end();
});

test('a source that no copy could be made of is refused', (t) => {
  const source = (text: string) => faultsOf(`supplementalCIImages:\n  ci/a:b:\n    image: ${text}`);
  for (const text of [
    'quay.io:team/app:v1',
    'docker-archive:x.tar',
    'q.io/UP:1',
    'q.io/a:*',
    'file://a/b:c',
  ]) {
    t.match(source(`"${text}"`), [`line 2: supplementalCIImages[ci/a:b]: the source `], text);
  }
  t.same(source('docker://q.io/a/b:c'), []);
  t.end();
});

test('the file of the CI is read at its true size, and each of its tags is read back', (t) => {
  const { supplemental, qciToAppCi, ignored, art } = parsed(imageMirroringConfig());
  t.same([supplemental.length, qciToAppCi.length, ignored.length, art.length], [521, 36, 6, 8]);
  const targets = [...supplemental, ...qciToAppCi].map(({ target }) => target);
  const readings = createReadings(targets);
  for (const target of targets) t.same(readings(flatTag(target)), [target]);
  t.same(readings('rh_ee_abc_aro-hcp-e2e-base_v1.0'), [
    { namespace: 'rh_ee_abc', name: 'aro-hcp-e2e-base', tag: 'v1.0' },
  ]);
  t.end();
});
