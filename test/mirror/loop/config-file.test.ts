import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { ignoredBy, parseMirrorConfig } from '../../../src/mirror/loop/config-file.ts';
import { MirrorConfigError } from '../../../src/mirror/loop/strict-yaml.ts';

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
    return error.faults;
  }
}

test('the file of the original is read as it is', (t) => {
  const config = parsed(file);
  const named = (images: typeof config.supplemental) =>
    images.map(({ target, source }) => [target.namespace, target.name, target.tag, source]);
  t.same(named(config.supplemental), [
    ['ci', 'boskos', 'latest', 'quay.io/someone/boskos:v1'],
    ['ci', 'alias', 'latest', 'registry.ci.openshift.org/ci/boskos:old'],
  ]);
  t.same(named(config.qciToAppCi), [
    ['ocp', '4.18', 'cli', 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.18_cli'],
    ['ci', 'tool', 'v1', `quay.io/openshift/ci@sha256:${'a'.repeat(64)}`],
  ]);
  t.same(config.art, [
    { namespace: 'ocp', name: /^\d+\.\d+$/, tag: /^rhel-coreos.*/ },
    { namespace: 'openshift', name: /^release$/ },
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
    ignoredBy(parsed(`ignoredSources: [${entry}]`), source)?.reason;
  const tag = '{namespace: ocp, name: builder, tag: golang, reason: why}';
  const image = '{image: "registry.ci.openshift.org/ocp/builder:golang", reason: why}';
  const alias = (source: string) =>
    parsed(`supplementalCIImages: {"ci/a:b": ${source}}`).supplemental[0]?.source ?? '';
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
      'invalid target: nowhere',
      'supplementalCIImages[ci/a:b]: as cannot be set',
      'supplementalCIImages[ci/a:b]: name for the source must be set',
      'supplementalCIImages[ci/a:b]: tag for the source must be set',
      'qciToAppCIImages[ci/c:d]: namespace/name/tag must not be set; use image or omit to derive from the key',
      'qciToAppCIImages[ci/e:f]: image "docker.io/library/x:y" must be under quay.io/openshift/ci or quay-proxy.ci.openshift.org/openshift/ci',
      'namespace for ArtImages[0] must be set',
      "name's regex for ArtImages[0] must be set",
      "tag's regex for ArtImages[0] cannot be compiled: [",
    ],
  );
  t.end();
});

test('unknown and repeated keys, and other things than maps and lists, are refused', (t) => {
  t.same(faultsOf('unknown: {}'), ['unknown field "unknown"']);
  t.same(faultsOf('ignoredSources: [{image: a, why: b}]'), ['ignoredSources: unknown field "why"']);
  t.same(faultsOf('artImages: {}\nignoredSources: 3'), [
    'ignoredSources: must be a list',
    'artImages: must be a list',
  ]);
  t.same(faultsOf('artImages: []\nARTIMAGES: []'), ['key "ARTIMAGES" already set']);
  t.match(faultsOf('artImages: []\nartImages: []').join(), /unique/);
  t.same(faultsOf('[1]'), ['must be a map']);
  t.end();
});

test('a file that is neither text nor packed is refused, and one that unpacks to too much', (t) => {
  t.throws(() => parseMirrorConfig(Buffer.from([0xff, 0xfe, 0])), /neither text/);
  t.throws(() => parseMirrorConfig(gzipSync(Buffer.alloc(17 * 1024 * 1024, 32))), /neither/);
  t.end();
});

test('an expression may begin with the flag that Go has for any case', (t) => {
  t.match(parsed('artImages: [{namespace: a, name: "(?i)^OCP$"}]').art[0]?.name.flags, 'i');
  t.end();
});
