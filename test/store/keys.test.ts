import { test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { parseRepository, parseTag } from '../../src/oci/reference.ts';
import {
  blobKey,
  leaseKey,
  memberKey,
  parseBlobKey,
  parseMemberKey,
  parseTagKey,
  parseUsageKey,
  repositoryTagsPrefix,
  tagKey,
  usageKey,
} from '../../src/store/keys.ts';

const digest = digestOf(Buffer.from('hello'));
const long = digestOf(Buffer.from('hello'), 'sha512');

test('a blob key leads back to its digest', async (t) => {
  t.match(blobKey(digest), /^v1\/blobs\/sha256\/2c\/2cf2[0-9a-f]{60}$/);
  t.equal(parseBlobKey(blobKey(digest)), digest);
  t.equal(parseBlobKey(blobKey(long)), long);
});

test('what is no blob key has no digest', async (t) => {
  for (const key of [
    'v1/blobs/sha256/00/00',
    'v1/tags/a/b/_tags/c',
    '',
    blobKey(digest).replace('2c/', 'ff/'),
  ]) {
    t.equal(parseBlobKey(key), undefined, key);
  }
});

test('a tag of a repository and a repository below it never share a key', async (t) => {
  const parent = repositoryTagsPrefix('quay.io', parseRepository('a'));
  const child = tagKey('quay.io', parseRepository('a/b'), parseTag('c'));
  t.notOk(child.startsWith(parent));
  t.equal(tagKey('quay.io', parseRepository('a'), parseTag('b')), `${parent}b`);
});

test('a tag key leads back to upstream, repository and tag', async (t) => {
  for (const tag of ['_tags', '_', 'v1.2-x', 'a'.repeat(128), '_digests']) {
    const expected = { upstream: 'localhost:5000', repository: parseRepository('a/b'), tag: parseTag(tag) };
    t.same(parseTagKey(tagKey(expected.upstream, expected.repository, expected.tag)), expected);
  }
  t.equal(parseTagKey('v1/tags/quay.io/A/_tags/x'), undefined);
  t.equal(parseTagKey('v1/tags/_tags/x'), undefined);
});

test('a membership key leads back to upstream, repository and digest', async (t) => {
  for (const each of [digest, long]) {
    const expected = { upstream: '[::1]:5000', repository: parseRepository('openshift/ci'), digest: each };
    t.same(parseMemberKey(memberKey(expected.upstream, expected.repository, each)), expected);
  }
  t.equal(parseMemberKey('v1/members/quay.io/a/_digests/sha256:00'), undefined);
});

test('free text becomes one harmless component', async (t) => {
  t.equal(leaseKey('..'), 'v1/leases/@2e.');
  t.equal(leaseKey('../../etc/passwd'), 'v1/leases/@2e.@2f..@2fetc@2fpasswd');
  t.same(parseUsageKey(usageKey('2026-11-22', '_pod/ä@1')), { day: '2026-11-22', instance: '_pod/ä@1' });
  t.match(usageKey('2026-11-22', 'pod/1'), /^[A-Za-z0-9._@:/-]+$/);
});
