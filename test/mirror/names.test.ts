import { test } from 'tap';
import {
  appCiImage,
  backupAt,
  backupImage,
  imageStreamTagOf,
  imageStreamTagText,
  parseImageStreamTag,
  pinned,
  quayImage,
  quayProxyImage,
  quayTag,
  registryOf,
} from '../../src/mirror/names.ts';

const base = { namespace: 'ocp', name: '4.5', tag: 'base' };

test('an ImageStreamTag has one name in each place', (t) => {
  t.equal(imageStreamTagText(base), 'ocp/4.5:base');
  t.equal(quayImage(base), 'quay.io/openshift/ci:ocp_4.5_base');
  t.equal(quayProxyImage(base), 'quay-proxy.ci.openshift.org/openshift/ci:ocp_4.5_base');
  t.equal(appCiImage(base), 'registry.ci.openshift.org/ocp/4.5:base');
  t.equal(appCiImage(base, 'sha256:12'), 'registry.ci.openshift.org/ocp/4.5@sha256:12');
  t.end();
});

test('a key is read back, and what is no key is none', (t) => {
  t.same(parseImageStreamTag('ocp/4.5:base'), base);
  for (const wrong of ['ocp/4.5', 'ocp:base', 'a/b/c:d', 'ocp/4.5:', 'OCP/4.5:x', 'a_b/c:d', 'a/b:c:d', '']) {
    t.equal(parseImageStreamTag(wrong), undefined, wrong);
  }
  t.end();
});

test('a tag of QCI is read back; the image stream tag may hold the separator', (t) => {
  const golang = { namespace: 'ocp', name: 'builder', tag: 'rhel-9-golang-1.21-openshift-4.16' };
  t.same(imageStreamTagOf('ocp_builder_rhel-9-golang-1.21-openshift-4.16'), golang);
  t.same(imageStreamTagOf('ci_x_a_b__c'), { namespace: 'ci', name: 'x', tag: 'a_b__c' });
  for (const each of [base, golang]) t.same(imageStreamTagOf(quayTag(each)), each);
  t.end();
});

test('tags that others keep in the same repository are no image streams', (t) => {
  for (const other of [
    '20240603235401_prune_ci_a_latest',
    '20240603235401_prune_art__ocp_4.5_base',
    `20231030_sha256_${'a'.repeat(64)}`,
    'art__ocp_4.5_base',
    'rc_payload__4.18.0-rc.1',
    'rc_payload__4.18.0-rc.1__component__cli',
    'preserved__rc_payload__4.18.0-rc.1',
    'remove__rc_payload__4.18.0-rc.1',
    'ocp_4.5_base_incoming',
    'ocp_4.5_base__pre',
    'ocp_4.5_base__post1',
    'ocp_base',
    'latest',
  ]) {
    t.equal(imageStreamTagOf(other), undefined, other);
  }
  t.end();
});

test('a backup carries its time and its image, within the length of a tag', (t) => {
  const at = Date.UTC(2025, 9, 23, 14, 2, 42, 999);
  const boskos = { namespace: 'ci', name: 'boskos', tag: 'latest' };
  t.equal(
    backupImage(boskos, at),
    'quay.io/openshift/ci:20251023140242_prune___ci_images_mirror__ci_boskos_latest',
  );
  t.equal(backupAt(backupImage(boskos, 0), at), backupImage(boskos, at));
  const long = backupImage({ ...boskos, tag: 'x'.repeat(127) }, at);
  t.equal(long.slice(long.indexOf(':') + 1).length, 128);
  t.not(long, backupImage({ ...boskos, tag: `${'x'.repeat(126)}y` }, at), 'and stays its own');
  t.end();
});

test('the registry of a pull spec is what stands before the first slash', (t) => {
  t.equal(registryOf('quay.io/openshift/ci:a'), 'quay.io');
  t.equal(registryOf('localhost:5000/a/b@sha256:12'), 'localhost:5000');
  t.end();
});

test('a pull spec is pinned to what it stands for', (t) => {
  t.equal(pinned('quay.io/openshift/ci:a', 'sha256:12'), 'quay.io/openshift/ci@sha256:12');
  t.equal(pinned('localhost:5000/a/b', 'sha256:12'), 'localhost:5000/a/b@sha256:12');
  t.equal(pinned('localhost:5000/a/b:c@sha256:11', 'sha256:12'), 'localhost:5000/a/b@sha256:12');
  t.end();
});
