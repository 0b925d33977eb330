import { test } from 'tap';
import { type RulePreset, rulePresets } from '../../../src/auth/rules/rule-presets.ts';
import { createRuleBook, type RuleBook, type Ruling } from '../../../src/auth/rules/rules.ts';
import { createReadings } from '../../../src/image-streams/flat-tags.ts';
import { parseRepository, parseTag } from '../../../src/oci/reference.ts';
import { createWorkWatch } from '../../support/work-watch.ts';

const hex = 'a'.repeat(64);
const everything = 'get imagestreams.image.openshift.io/layers --all-namespaces';

function layers(name: string, namespace: string): string {
  return `get imagestreams.image.openshift.io/layers ${name} -n ${namespace}`;
}

function all(namespace: string, ...names: readonly string[]): string {
  return names.map((name) => layers(name, namespace)).join(' and ');
}

function place(text: string) {
  const slash = text.indexOf('/');
  return { upstream: text.slice(0, slash), repository: parseRepository(text.slice(slash + 1)) };
}

function words(ruling: Ruling): string {
  if (ruling.kind === 'ask') return ruling.text;
  return ruling.kind === 'follow' ? `as ${ruling.digest}` : ruling.kind;
}

function asks(rules: RuleBook, repository: string, tag: string): string {
  return words(rules.ofTag(place(repository), parseTag(tag)));
}

const book = (preset: RulePreset): RuleBook => createRuleBook(rulePresets[preset]);

/** Every shape of a tag in the flat repository, and what is asked for it. */
const imagestreamTable: readonly (readonly [tag: string, question: string])[] = [
  ['ocp_4.5_base', layers('4.5', 'ocp')],
  ['ci_boskos_latest', layers('boskos', 'ci')],
  ['ocp_builder_rhel-9-golang-1.21-openshift-4.16', layers('builder', 'ocp')],
  ['ocp-priv_4.18-priv_installer', layers('4.18-priv', 'ocp-priv')],
  ['ci_a_tag_with_more', all('ci', 'a', 'a_tag', 'a_tag_with')],
  ['ci_rh_jdk_latest__pre', all('ci', 'rh', 'rh_jdk')],
  ['ci_a_b__c', all('ci', 'a', 'a_b')],
  ['ci_a__b_c', all('ci', 'a', 'a__b')],
  [`ci_${'a_'.repeat(9)}b`, 'get imagestreams.image.openshift.io/layers -n ci'],
  ['ci_a_Tag-In-Capitals', layers('a', 'ci')],
  ['4-stage_a_b', layers('a', '4-stage')],
  ['ocp_4.5_base_incoming', layers('4.5', 'ocp')],
  ['ocp_4.5_base__pre', layers('4.5', 'ocp')],
  ['ocp_4.5_base__post1', layers('4.5', 'ocp')],
  ['20240603235401_prune_ci_a_latest', layers('a', 'ci')],
  ['20240603235401_prune_ci_a_latest__pre', layers('a', 'ci')],
  ['20240603235401_prune_art__ocp_4.5_base', layers('4.5', 'ocp')],
  ['20251023140242_prune___ci_images_mirror__ci_boskos_latest', layers('boskos', 'ci')],
  ['art__ocp_4.5_base', layers('4.5', 'ocp')],
  ['art_a_b', layers('a', 'art')],
  ['rc_payload__4.16.0-0.ci-2024-06-03-235401', layers('release', 'ocp')],
  ['rc_payload__4.16.0-0.ci-2024-06-03-235401__component__cli', layers('release', 'ocp')],
  ['rc_payload__4.16.0-0.ci-2024-06-03-235401__component__kube-rbac-proxy-priv', layers('release', 'ocp')],
  ['preserved__rc_payload__4.16.0-0.ci-2024-06-03-235401', layers('release', 'ocp')],
  ['remove__rc_payload__4.16.0-0.ci-2024-06-03-235401', layers('release', 'ocp')],
  ['rc_payload__4.16.0-0.nightly-priv-2024-06-03-235401', layers('release-priv', 'ocp-priv')],
  ['rc_payload__4.16.0-0.nightly-arm64-priv-2024-06-03', layers('release-priv', 'ocp-priv')],
  ['rc_payload__4.16.0-0.nightly-priv-2024-06-03__component__cli', layers('release-priv', 'ocp-priv')],
  ['preserved__rc_payload__4.16.0-0.nightly-priv-2024', layers('release-priv', 'ocp-priv')],
  [`20240603_sha256_${hex}`, `as sha256:${hex}`],
  [`sha256-${hex}`, `as sha256:${hex}`],
  [`sha256-${hex}.sig`, `as sha256:${hex}`],
  [`sha256-${hex}.att`, `as sha256:${hex}`],
  [`sha256-${hex}.sbom`, `as sha256:${hex}`],

  ['latest', everything],
  ['ci_boskos', everything],
  ['_ci_a_b', everything],
  ['CI_a_b', everything],
  ['ci-_a_b', everything],
  [`${'n'.repeat(64)}_a_b`, everything],
  ['20240603235401_prune', everything],
  ['20240603235401_prune_', everything],
  ['20240603235401_prune_x', everything],
  ['2024060323540_prune_ci_a_b', everything],
  ['202406032354011_prune_ci_a_b', everything],
  ['20240603235401_a_b', everything],
  ['20240603235401_prune_20240603235401_prune_ci_a', everything],
  ['20240603235401_prune_art_', everything],
  ['20240603235401_prune_rc_payload__4.16.0', everything],
  ['rc_payload__', everything],
  ['rc_payload__4.16.0-PRIV', everything],
  ['rc_payload__4.16.0__component__', everything],
  ['rc_payload__x_y', everything],
  ['rc_payload_x', everything],
  ['remove__ocp_4.5_base', everything],
  ['preserved__ocp_4.5_base', everything],
  ['art__rc_payload__4.16.0', everything],
  [`20240603_sha256_${'a'.repeat(63)}`, everything],
  [`20240603_sha256_${hex}_x`, everything],
  [`sha256-${hex}.other`, everything],
  [`sha256-${'A'.repeat(64)}`, everything],
];

test('imagestream reads each shape of a tag', async (t) => {
  const rules = book('imagestream');
  for (const [tag, question] of imagestreamTable) {
    t.equal(asks(rules, 'quay.io/openshift/ci', tag), question, tag);
  }
});

test('imagestream reads a tag by the targets that are configured, and anew when they change', async (t) => {
  const odd = { namespace: 'rh_ee_abc', name: 'aro-hcp', tag: 'v1.0' };
  let readings = createReadings();
  const rules = createRuleBook(rulePresets.imagestream, { readings: (flat) => readings(flat) });
  const asked = (tag: string) => asks(rules, 'quay.io/openshift/ci', tag);
  const guessed = all('rh', 'ee', 'ee_abc', 'ee_abc_aro-hcp');
  t.equal(asked('rh_ee_abc_aro-hcp_v1.0'), guessed);
  readings = createReadings([odd, { ...odd, namespace: 'rh_ee', name: 'abc_aro-hcp' }]);
  t.equal(asked('rh_ee_abc_aro-hcp_v1.0'), guessed, 'as long as nothing is said');
  rules.reread();
  const both = [layers('aro-hcp', 'rh_ee_abc'), layers('abc_aro-hcp', 'rh_ee')].join(' and ');
  t.equal(asked('rh_ee_abc_aro-hcp_v1.0'), both);
  t.equal(asked('20240603235401_prune___ci_images_mirror__rh_ee_abc_aro-hcp_v1.0'), both);
  t.equal(asked('ocp_4.5_base'), layers('4.5', 'ocp'));
});

test('imagestream asks for every namespace where no tag leads to the content', async (t) => {
  const rules = book('imagestream');
  t.equal(words(rules.ofRepository(place('quay.io/openshift/ci'))), everything);
  t.equal(rules.dependsOnTag(place('quay.io/openshift/ci')), true);
});

test('imagestream refuses other repositories, and says which setting lets them in', async (t) => {
  const rules = book('imagestream');
  for (const other of ['quay.io/openshift/ci2', 'quay.io/openshift/ci/x', 'docker.io/openshift/ci']) {
    t.match(rules.ofTag(place(other), parseTag('ocp_4.5_base')), { kind: 'refuse', reason: /under rules/ });
    t.match(rules.ofRepository(place(other)), { kind: 'refuse' });
    t.equal(rules.dependsOnTag(place(other)), false);
  }
});

test('repository makes an image stream of namespace/name', async (t) => {
  const rules = book('repository');
  t.equal(asks(rules, 'registry:5000/ocp/4.5', 'cli'), layers('4.5', 'ocp'));
  t.equal(words(rules.ofRepository(place('registry:5000/ocp/4.5'))), layers('4.5', 'ocp'));
  t.equal(asks(rules, 'registry:5000/ocp/4.5/more', 'cli'), 'refuse');
  t.equal(asks(rules, 'registry:5000/ocp', 'cli'), 'refuse');
  t.equal(rules.dependsOnTag(place('registry:5000/ocp/4.5')), false);
});

test('parity asks one question about everything, and nothing about service accounts', async (t) => {
  const ruling = book('parity').ofTag(place('quay.io/any/thing'), parseTag('latest'));
  t.same(ruling, {
    kind: 'ask',
    rule: 'parity',
    questions: [
      {
        verb: 'get',
        group: 'image.openshift.io',
        version: 'v1',
        resource: 'imagestreams',
        subresource: 'layers',
        namespace: 'ocp',
      },
    ],
    text: 'get imagestreams.image.openshift.io/layers -n ocp',
    exempt: ['system:serviceaccount:*'],
  });
});

test('open asks no cluster', async (t) => {
  t.equal(asks(book('open'), 'quay.io/any/thing', 'latest'), 'allow');
});

test('no expression of a preset takes long over a name made to hurt it', async (t) => {
  const rules = book('imagestream');
  const nasty = [
    `rc_payload__${'0-priv'.repeat(19)}_`,
    `${'a-'.repeat(63)}_`,
    `20240603235401_prune_${'a_'.repeat(53)}`,
    `${'a.'.repeat(64)}`,
  ];
  const workMs = createWorkWatch();
  for (const tag of nasty) asks(rules, 'quay.io/openshift/ci', tag.slice(0, 128));
  t.ok(workMs() < 1000, `${workMs()} ms`);
});
