import { test } from 'tap';
import { parseRequest } from '../../src/oci/request.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const sha512 = `sha512:${'b'.repeat(128)}`;

test('each read end-point is parsed once into what it asks for', async (t) => {
  t.match(parseRequest('GET', '/v2/').request, { kind: 'ping' });
  t.match(parseRequest('GET', '/v2').request, { kind: 'ping' });
  t.match(parseRequest('HEAD', '/v2/openshift/ci/manifests/ocp_4.5_base').request, {
    kind: 'manifest',
    repository: 'openshift/ci',
    reference: { tag: 'ocp_4.5_base' },
  });
  t.match(parseRequest('GET', `/v2/a/b/c/manifests/${digest}`).request, { reference: { digest } });
  t.match(parseRequest('GET', `/v2/a/manifests/latest@${digest}`).request, {
    reference: { digest, tag: 'latest' },
  });
  t.match(parseRequest('GET', `/v2/a/blobs/${sha512}`).request, { kind: 'blob', digest: sha512 });
  t.match(parseRequest('GET', '/v2/a/tags/list?n=5&last=x').request, { kind: 'tags', query: 'n=5&last=x' });
  t.match(parseRequest('GET', `/v2/a/referrers/${digest}?artifactType=b%2Fc`).request, {
    kind: 'referrers',
    artifactType: 'b/c',
  });
});

test('a tag may have 128 characters, and not one more', async (t) => {
  t.match(parseRequest('GET', `/v2/a/manifests/${'t'.repeat(128)}`).request, {
    reference: { tag: 't'.repeat(128) },
  });
  t.throws(() => parseRequest('GET', `/v2/a/manifests/${'t'.repeat(129)}`), { code: 'TAG_INVALID' });
});

test('a query may have 4,096 characters, and not one more', async (t) => {
  const url = `/v2/a/tags/list?last=${'t'.repeat(4091)}`;
  t.match(parseRequest('GET', url).request, { kind: 'tags' });
  t.throws(() => parseRequest('GET', `${url}t`), { code: 'NAME_INVALID' });
});

test('every spelling of a path means what its one decoding means', async (t) => {
  const repository = (url: string) =>
    (parseRequest('GET', url).request as { repository?: string }).repository;
  t.equal(repository('/v2/openshift%2Fci/manifests/x'), 'openshift/ci');
  t.equal(repository('/v2/%6Fpenshift/ci/manifests/x'), 'openshift/ci');
  t.throws(() => repository('/v2/openshift%252Fci/manifests/x'), { code: 'NAME_INVALID' });
  t.throws(() => repository('/v2/a/%/manifests/x'), { code: 'NAME_INVALID' });
});

test('what is no repository name is refused by name', async (t) => {
  for (const name of [
    '..',
    'a/../b',
    'a//b',
    'A',
    '/a',
    'a/',
    'a%00b',
    'ä',
    'a b',
    '-a',
    'a.',
    `${'a/'.repeat(128)}a`,
  ]) {
    t.throws(() => parseRequest('GET', `/v2/${name}/manifests/x`), { code: 'NAME_INVALID' }, name);
  }
});

test('digests must be sha256 or sha512 in full', async (t) => {
  for (const text of ['sha256:baddigeststring', 'sha256:', `md5:${'a'.repeat(32)}`, digest.toUpperCase()]) {
    t.throws(() => parseRequest('GET', `/v2/a/blobs/${text}`), { code: 'DIGEST_INVALID' });
  }
});

test('every write is refused as unsupported, and says what is allowed', async (t) => {
  for (const [method, url] of [
    ['PUT', '/v2/a/manifests/x'],
    ['DELETE', `/v2/a/blobs/${digest}`],
    ['POST', '/v2/a/blobs/uploads/'],
    ['PATCH', '/v2/a/blobs/uploads/1234'],
    ['GET', '/v2/a/blobs/uploads/1234'],
  ] as const) {
    t.throws(() => parseRequest(method, url), { code: 'UNSUPPORTED', headers: { allow: 'GET, HEAD' } });
  }
});

test('a repository may be named as an end-point is', async (t) => {
  const parsed = (path: string) => parseRequest('GET', path).request;
  const repository = 'team/blobs/uploads';
  t.match(parsed(`/v2/${repository}/tags/list`), { kind: 'tags', repository });
  t.match(parsed(`/v2/${repository}/manifests/v1`), { kind: 'manifest', repository });
  t.match(parsed(`/v2/${repository}/blobs/${digest}`), { kind: 'blob', repository });
  t.match(parsed('/v2/team/tags/list/tags/list'), { kind: 'tags', repository: 'team/tags/list' });
  t.match(parsed('/v2/a/manifests/uploads'), { kind: 'manifest', reference: { tag: 'uploads' } });
  for (const path of ['/v2/a/blobs/uploads', `/v2/${repository}/blobs/uploads/`])
    t.throws(() => parsed(path), { code: 'UNSUPPORTED' }, path);
});

test('a page size must be a number', async (t) => {
  t.throws(() => parseRequest('GET', '/v2/a/tags/list?n=many'), { code: 'PAGINATION_NUMBER_INVALID' });
  t.throws(() => parseRequest('GET', '/v2/a/tags/list?n=-1'), { code: 'PAGINATION_NUMBER_INVALID' });
});

test('the namespace of containerd is taken out of the query', async (t) => {
  t.match(parseRequest('GET', '/v2/a/tags/list?n=5&ns=docker.io'), {
    namespace: 'docker.io',
    request: { query: 'n=5' },
  });
});

test('other paths under /v2/ are no end-points', async (t) => {
  for (const path of [
    '/v2/_catalog',
    '/v2/a',
    '/v2/a/manifests/',
    '/v2/a/tags',
    '/v2/manifests/x',
    '/v3/a/manifests/x',
  ]) {
    t.throws(() => parseRequest('GET', path), { code: 'NAME_UNKNOWN' }, path);
  }
});

test('a repository may be named as the end of an end-point', async (t) => {
  for (const name of ['team/blobs/uploads', 'team/tags/list', 'team/manifests/a', 'blobs/uploads']) {
    t.match(parseRequest('GET', `/v2/${name}/manifests/x`).request, { kind: 'manifest', repository: name });
    t.match(parseRequest('GET', `/v2/${name}/tags/list`).request, { kind: 'tags', repository: name });
  }
});

test('a path that is longer than any name is refused before it is read', async (t) => {
  t.throws(() => parseRequest('GET', `/v2/${'a/'.repeat(1100)}manifests/x`), { code: 'NAME_INVALID' });
  t.throws(() => parseRequest('GET', `/v2${'/blobs/uploads/'.repeat(4000)}%0A`), { code: 'NAME_INVALID' });
  const encoded = [...'a'.repeat(255)].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
  t.match(parseRequest('GET', `/v2/${encoded}/manifests/${'t'.repeat(128)}@${sha512}`).request, {
    kind: 'manifest',
    repository: 'a'.repeat(255),
  });
});
