import { test } from 'tap';
import {
  isMatching,
  parsePullSpec,
  placeText,
  pullSpecText,
  referenceOf,
} from '../../src/mirror/pull-spec.ts';

const digest = `sha256:${'a'.repeat(64)}`;

test('a reference without a host is one of Docker Hub', async (t) => {
  t.equal(pullSpecText(parsePullSpec('alpine:3')), 'docker.io/library/alpine:3');
  t.equal(pullSpecText(parsePullSpec('team/app')), 'docker.io/team/app');
  t.equal(pullSpecText(parsePullSpec('docker.io/alpine')), 'docker.io/library/alpine');
  t.equal(pullSpecText(parsePullSpec('index.docker.io/team/app:1')), 'docker.io/team/app:1');
});

test('the first component is a host if it holds a dot or a port, or is localhost', async (t) => {
  t.match(parsePullSpec('quay.io/openshift/ci:a'), {
    location: 'quay.io',
    repository: 'openshift/ci',
    tag: 'a',
  });
  t.match(parsePullSpec('registry:5000/app'), { location: 'registry:5000', repository: 'app' });
  t.match(parsePullSpec('localhost/app:1'), { location: 'localhost', repository: 'app' });
  t.match(parsePullSpec('127.0.0.1:5000/a/b/c:1'), { location: '127.0.0.1:5000', repository: 'a/b/c' });
});

test('a digest, a tag, and both are told apart', async (t) => {
  t.same(referenceOf(parsePullSpec(`q.io/a@${digest}`)), { digest });
  t.same(referenceOf(parsePullSpec('q.io/a:t')), { tag: 't' });
  t.same(referenceOf(parsePullSpec(`q.io/a:t@${digest}`)), { tag: 't', digest });
  t.equal(referenceOf(parsePullSpec('q.io/a')), undefined);
  t.equal(pullSpecText(parsePullSpec(`q.io/a:t@${digest}`)), `q.io/a:t@${digest}`);
});

test('a glob stands in the place of a tag', async (t) => {
  t.match(parsePullSpec('q.io:5000/a:v1.*'), { repository: 'a', glob: 'v1.*', tag: undefined });
  const matches = isMatching('v1.*-ok');
  t.same(['v1.2-ok', 'v1.-ok', 'v1x2-ok', 'v1.2-ok2', 'av1.2-ok'].filter(matches), ['v1.2-ok', 'v1.-ok']);
});

test('a file:// reference is a repository below a directory that is said elsewhere', async (t) => {
  t.match(parsePullSpec('file://cpfs/cp/ai/app:1'), {
    medium: 'file',
    repository: 'cpfs/cp/ai/app',
    tag: '1',
  });
  t.match(parsePullSpec('file:///app'), { medium: 'file', repository: 'app' });
  t.equal(parsePullSpec('file://mirror.example.com/ns/app').repository, 'ns/app');
  t.equal(placeText(parsePullSpec('file://ns/app:1')), 'file://ns/app');
});

test('an oci: reference is a path and a tag', async (t) => {
  t.match(parsePullSpec('oci:/mnt/usb.d/Images:v1'), {
    medium: 'oci',
    location: '/mnt/usb.d/Images',
    tag: 'v1',
  });
  t.match(parsePullSpec('oci:images'), { location: 'images', tag: undefined });
  t.equal(pullSpecText(parsePullSpec(`oci:/a@${digest}`)), `oci:/a@${digest}`);
});

test('what is no reference is refused with its own text', async (t) => {
  for (const text of [
    '',
    'q.io/',
    'q.io/UPPER:1',
    'q.io/a:',
    'q.io/a@sha256:12',
    'q.io/a:-x',
    'oci:',
    'q.io/*:a',
  ]) {
    t.throws(() => parsePullSpec(text), { code: 'NAME_INVALID', message: `"${text}" is not a valid` }, text);
  }
  t.throws(() => parsePullSpec('s3://s3.amazonaws.com/eu/b/a:1'), { message: /buckets are not supported/ });
});
