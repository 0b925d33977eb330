import { test } from 'tap';
import {
  parsePullSpec,
  placeText,
  pullSpecText,
  referenceOf,
} from '../../../src/mirror/references/pull-spec.ts';

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
  t.throws(() => parsePullSpec(`q.io/${'a'.repeat(5000)}`), { message: /longer than 4096 characters/ });
});

test('a port is a number from 1 to 65535, and a host is a name or an address', async (t) => {
  for (const text of [
    'quay.io:team/app',
    'quay.io:99999/a',
    'q.io:0/a:1',
    'q.io:/a',
    'localhost:80x/a',
    ':5000/a',
  ]) {
    t.throws(
      () => parsePullSpec(text),
      { code: 'NAME_INVALID', message: /is not a port|is not a host/ },
      text,
    );
  }
  for (const text of [
    'a..b/c',
    '-a.b/c',
    'a.b-/c',
    '1.2.3.999/a',
    '[::g]:80/a',
    'a_b.c/d',
    'a.b c/d',
    '[::1]?x/a',
    '[::1]\\x/a',
    '[::1]#x/a',
  ]) {
    t.throws(() => parsePullSpec(text), { code: 'NAME_INVALID', message: /is not a host name/ }, text);
  }
  for (const host of ['[::1]:5000', '[fd00::1]', '10.0.0.1', 'q.io:65535', 'Q.io', 'localhost:1']) {
    const spec = parsePullSpec(`${host}/team/app:v1`);
    t.match(spec, { location: host, repository: 'team/app', tag: 'v1' });
    t.ok(URL.canParse(`https://${spec.location}`), host);
  }
});

test('a transport that is not read is named, docker:// is read', async (t) => {
  t.equal(pullSpecText(parsePullSpec('docker://quay.io/team/app:v1')), 'quay.io/team/app:v1');
  t.equal(pullSpecText(parsePullSpec('docker://alpine')), 'docker.io/library/alpine');
  for (const text of [
    'dir:x/y',
    'docker-archive:x.tar',
    'oci-archive:/tmp/x.tar:v1',
    'docker-daemon:app:v1',
    'containers-storage:app',
    'http://quay.io/team/app',
    'https://quay.io/team/app:v1',
  ]) {
    const [name] = text.split(':');
    t.throws(
      () => parsePullSpec(text),
      { message: `: ${name}: is a transport that is not read here: ` },
      text,
    );
  }
  t.throws(() => parsePullSpec('oci://quay.io/charts/app'), { message: /write a registry without oci:/ });
  t.match(parsePullSpec('dir:5000/app:v1'), { location: 'dir:5000', repository: 'app' });
});
