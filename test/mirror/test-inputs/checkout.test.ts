import { rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { createCheckout } from '../../../src/mirror/test-inputs/checkout.ts';
import { image, releaseFiles } from './release.ts';

const base = (key: string) => `base_images: {base: ${image(key)}}\n`;

async function keysOf(folder: string): Promise<ReadonlySet<string>> {
  return (await createCheckout(folder).read()).keys;
}

test('every place of a configuration that names an image of a stream counts', async (t) => {
  const config = `
base_images: {base: ${image('ocp/4.20:base')}}
base_rpm_images: {rpm: ${image('ocp/4.20:rpm')}}
build_root: {image_stream_tag: ${image('openshift/release:golang-1.24')}, use_build_cache: true}
tag_specification: {namespace: ocp, name: "4.19"}
releases:
  initial: {integration: {namespace: ocp, name: "4.20"}}
  latest: {candidate: {product: ocp, stream: nightly, version: "4.21"}}
raw_steps:
- input_image_tag_step: {base_image: ${image('ci/raw:a')}, to: b}
- source_step: {clonerefs_image: ${image('ci/clonerefs:latest')}}
- test_step: {as: raw, steps: {test: [{as: a, from_image: ${image('ci/raw:step')}}]}}
tests:
- as: unit
  container: {from: src}
- as: e2e
  steps: {test: [{as: one, from: src}, {as: two, from_image: ${image('ci/tool:latest')}}]}
- as: resolved
  literal_steps: {post: [{as: three, from_image: ${image('ci/tool:old')}}]}
zz_generated_metadata: {org: openshift, repo: thing, branch: main, variant: arm}
`;
  t.same(
    await keysOf(t.testdir(releaseFiles({ 'a.yaml': config }))),
    new Set([
      'build-cache/openshift-thing:main-arm',
      'ci/clonerefs:latest',
      'ci/raw:a',
      'ci/raw:step',
      'ci/tool:latest',
      'ci/tool:old',
      'imagestream_ocp/4.19',
      'imagestream_ocp/4.20',
      'ocp/4.20:base',
      'ocp/4.20:rpm',
      'openshift/release:golang-1.24',
    ]),
  );
});

test('steps are looked up in the registry, and a test’s own parts take the place of its workflow’s', async (t) => {
  const folder = t.testdir(
    releaseFiles(
      {
        'a.yaml':
          'tests: [{as: e2e, steps: {workflow: ipi, test: [{chain: run}], observers: {disable: [watch]}}}]',
      },
      {
        'ipi-workflow.yaml':
          'workflow: {as: ipi, steps: {pre: [{ref: install}], test: [{ref: unused}], post: [{ref: gather}]}}',
        'run-chain.yaml': 'chain: {as: run, steps: [{chain: inner}]}',
        'inner-chain.yaml': `chain: {as: inner, steps: [{chain: run}, {as: own, from_image: ${image('ci/inner:a')}}]}`,
        'install-ref.yaml': `ref: {as: install, from_image: ${image('ci/installer:a')}, observers: [watch, look]}`,
        'unused-ref.yaml': `ref: {as: unused, from_image: ${image('ci/unused:a')}}`,
        'gather-ref.yaml': 'ref: {as: gather, from: cli}',
        'watch-observer.yaml': `observer: {name: watch, from_image: ${image('ci/watch:a')}}`,
        'look-observer.yaml': `observer: {name: look, from_image: ${image('ci/look:a')}}`,
      },
    ),
  );
  t.same(await keysOf(folder), new Set(['ci/inner:a', 'ci/installer:a', 'ci/look:a']));
});

test('what any configuration promotes is known', async (t) => {
  const promotes = (stream: string, to: string) =>
    `promotion: {to: [{namespace: ocp, name: "${stream}"}]}\nimages: [{to: ${to}}]`;
  const folder = t.testdir(
    releaseFiles({ 'a.yaml': promotes('4.20', 'cli'), 'b.yaml': promotes('4.21', 'cli') }),
  );
  t.same((await createCheckout(folder).read()).promoted, new Set(['ocp/4.20:cli', 'ocp/4.21:cli']));
});

test('a registry file that nothing refers to is not used', async (t) => {
  const steps = { 'a-ref.yaml': `ref: {as: a, from_image: ${image('ci/a:a')}}` };
  t.same(await keysOf(t.testdir(releaseFiles({ 'a.yaml': '' }, steps))), new Set([]));
});

test('other files are left alone, and a configuration may be packed', async (t) => {
  const files = { OWNERS: ': :', 'b.yml': base('ci/b:b'), '.config.prowgen': ': :' };
  const folder = t.testdir(releaseFiles(files));
  const packed = join(folder, 'ci-operator/config/openshift/thing/a.yaml');
  await writeFile(packed, gzipSync(base('ci/a:a')));
  t.same(await keysOf(folder), new Set(['ci/a:a', 'ci/b:b']));
});

test('a faulty file is told of once, and the others count', async (t) => {
  const folder = t.testdir(
    releaseFiles(
      {
        'bad.yaml': 'base_images: [',
        'good.yaml': base('ci/a:a'),
        'odd.yaml': 'base_images: {a: [1], b: 1, c: {}}',
      },
      { 'no-ref.yaml': 'nothing: {as: a}' },
    ),
  );
  const release = createCheckout(folder);
  const { keys, faults, files } = await release.read();
  t.same([...keys], ['ci/a:a']);
  t.equal(files, 4);
  t.same(faults.map(({ file }) => file).sort(), [
    'ci-operator/config/openshift/thing/bad.yaml',
    'ci-operator/step-registry/e2e/no-ref.yaml',
  ]);
  t.same((await release.read()).faults, []);
});

test('what the registry lacks is told of once, and the rest of the test counts', async (t) => {
  const steps = `{workflow: w, pre: [{ref: r}, {as: a, from_image: ${image('ci/a:a')}}], observers: {enable: [o]}}`;
  const release = createCheckout(
    t.testdir(releaseFiles({ 'a.yaml': `tests: [{as: e2e, steps: ${steps}}]` })),
  );
  const { keys, unknown } = await release.read();
  t.same([...keys], ['ci/a:a']);
  t.same(new Set(unknown), new Set(['observer o', 'ref r', 'workflow w']));
  t.same((await release.read()).unknown, []);
});

test('a link that moves leads to what is there now', async (t) => {
  const folder = t.testdir({
    first: releaseFiles({ 'a.yaml': base('ci/a:a') }),
    second: releaseFiles({ 'a.yaml': base('ci/a:b') }),
  });
  const link = join(folder, 'release');
  await symlink('first', link);
  const release = createCheckout(link);
  t.same([...(await release.read()).keys], ['ci/a:a']);
  await symlink('second', join(folder, 'next'));
  await rename(join(folder, 'next'), link);
  t.same([...(await release.read()).keys], ['ci/a:b']);
});

test('a folder that is no checkout is refused', async (t) => {
  await t.rejects(createCheckout(t.testdir()).read(), { code: 'ENOENT' });
});
