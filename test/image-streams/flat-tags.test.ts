import { test } from 'tap';
import { createReadings, flatTag, isStagingTag } from '../../src/image-streams/flat-tags.ts';
import { imageStreamTagText, parseImageStreamTag } from '../../src/image-streams/image-stream-tag.ts';

const base = { namespace: 'ocp', name: '4.5', tag: 'base' };
const golang = { namespace: 'ocp', name: 'builder', tag: 'rhel-9-golang-1.21-openshift-4.16' };

function texts(flat: string, readings = createReadings()): readonly string[] {
  return readings(flat).map(imageStreamTagText);
}

test('a key is read back, and what is no key is none', async (t) => {
  t.same(parseImageStreamTag('ocp/4.5:base'), base);
  t.same(parseImageStreamTag('rh_ee_abc/a_b:v1.0'), { namespace: 'rh_ee_abc', name: 'a_b', tag: 'v1.0' });
  for (const wrong of [
    'ocp/4.5',
    'ocp:base',
    'a/b/c:d',
    'ocp/4.5:',
    '/a:b',
    'a/:b',
    'a:b/c',
    'a/b:c:d',
    '',
  ]) {
    t.equal(parseImageStreamTag(wrong), undefined, wrong);
  }
});

test('a flat tag is read back', async (t) => {
  for (const each of [base, golang]) t.same(createReadings()(flatTag(each)), [each]);
});

test('where the pattern leaves several readings, each of them is one', async (t) => {
  t.same(texts('ci_x_a_b__c'), ['ci/x:a_b__c', 'ci/x_a:b__c', 'ci/x_a_b:_c']);
  t.same(texts('ci_x_a__b_c'), ['ci/x:a__b_c', 'ci/x_a:_b_c', 'ci/x_a__b:c']);
  t.same(texts('rh_ee_abc_aro-hcp_v1.0'), [
    'rh/ee:abc_aro-hcp_v1.0',
    'rh/ee_abc:aro-hcp_v1.0',
    'rh/ee_abc_aro-hcp:v1.0',
  ]);
});

test('the configured targets go before the pattern', async (t) => {
  const keys = ['rh_ee_abc/aro-hcp:v1.0', 'ci/rh_jdk_suite:latest', 'ci/rh_jdk_suite:latest'];
  const readings = createReadings(keys.flatMap((key) => parseImageStreamTag(key) ?? []));
  t.same(texts('rh_ee_abc_aro-hcp_v1.0', readings), ['rh_ee_abc/aro-hcp:v1.0']);
  t.same(texts('ci_rh_jdk_suite_latest', readings), ['ci/rh_jdk_suite:latest']);
  t.same(texts('ocp_4.5_base', readings), ['ocp/4.5:base']);
});

test('two targets of one flat tag are two readings', async (t) => {
  const readings = createReadings(['a_b/c:d', 'a/b_c:d'].flatMap((key) => parseImageStreamTag(key) ?? []));
  t.same(texts('a_b_c_d', readings), ['a_b/c:d', 'a/b_c:d']);
});

test('tags that others keep in the same repository are no image streams', async (t) => {
  for (const other of [
    '20240603235401_prune_ci_a_latest',
    '20240603235401_prune_art__ocp_4.5_base',
    '20240603235401_a_b',
    `20231030_sha256_${'a'.repeat(64)}`,
    'art__ocp_4.5_base',
    'rc_payload__4.18.0-rc.1',
    'rc_payload__4.18.0-rc.1__component__cli',
    'rc_payload_x',
    'preserved__rc_payload__4.18.0-rc.1',
    'remove__rc_payload__4.18.0-rc.1',
    'ocp_4.5_base_incoming',
    'ocp_4.5_base__pre',
    'ocp_4.5_base__post1',
    'ocp_base',
    'latest',
    `${'n'.repeat(64)}_a_b`,
    `ci_a_${'b'.repeat(128)}`,
  ]) {
    t.same(texts(other), [], other);
  }
});

test('stages and backups are known by their names, and nothing else is', (t) => {
  const staged = ['a_b_c__pre', 'a_b_c_incoming', 'a_b_c__post1', '20260803101112_prune_a_b_c', 'a__pre_x'];
  const others = ['a_b_c', 'a_b_incoming-hooks', 'a_b__prefix', 'a_pruned_c'];
  t.same([...staged, ...others].filter(isStagingTag), staged);
  t.end();
});
