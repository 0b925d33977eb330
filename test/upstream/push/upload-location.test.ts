import { test } from 'tap';
import { parseUploadLocation } from '../../../src/upstream/push/upload-location.ts';

const from = new URL('https://quay.io/v2/team/app/blobs/uploads/');

function located(text: string, upstream: string, ...uploadHosts: string[]): string {
  return parseUploadLocation(text, from, { upstream: new URL(upstream), uploadHosts }).href;
}

test('the location of an upload is on the host that we use, whatever scheme and port it states', (t) => {
  const at = (text: string) => located(text, 'https://quay.io:8443/');
  t.equal(at('http://quay.io:8443/u'), 'https://quay.io:8443/u');
  t.equal(at('http://quay.io/u?_state=a%2Bb'), 'https://quay.io:8443/u?_state=a%2Bb');
  t.equal(at('https://me:secret@quay.io/u#x'), 'https://quay.io:8443/u');
  t.end();
});

test('another name or port is one that is listed', (t) => {
  t.throws(() => located('https://quay.io:9/u', 'https://quay.io/'), { code: 'UPSTREAM_INVALID' });
  t.throws(() => located('https://uploads.quay.io/u', 'https://quay.io/'), /uploads\.quay\.io/);
  t.equal(located('https://quay.io:9/u', 'https://quay.io/', 'quay.io:9'), 'https://quay.io:9/u');
  t.equal(located('http://up.quay.io/u', 'https://quay.io/', 'up.quay.io'), 'https://up.quay.io/u');
  t.equal(located('https://up.quay.io/u', 'http://quay.io/', 'up.quay.io'), 'https://up.quay.io/u');
  t.end();
});

test('a location that is no address of a registry is refused', (t) => {
  for (const text of ['http://', 'ftp://up.quay.io/u', 'data:,x'])
    t.throws(() => located(text, 'http://quay.io/', 'up.quay.io'), { code: 'UPSTREAM_INVALID' });
  t.end();
});
