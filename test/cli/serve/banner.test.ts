import { test } from 'tap';
import { banner } from '../../../src/cli/serve/banner.ts';
import { load } from '../../../src/config/load.ts';

const addresses = { address: '127.0.0.1:8400', adminAddress: '127.0.0.1:8401' };

function bannerOf(yaml: string, at = addresses): string {
  return banner(load(yaml, {}), at);
}

test('the banner shows lines to pull with, ready to be copied', async (t) => {
  const text = bannerOf('');
  t.match(text, '\n  podman pull --tls-verify=false 127.0.0.1:8400/quay.io/prometheus/busybox:latest\n');
  t.match(text, '\n  docker pull 127.0.0.1:8400/quay.io/prometheus/busybox:latest\n');
  t.match(
    text,
    / {2}curl -H 'Accept: .+' http:\/\/127\.0\.0\.1:8400\/v2\/quay\.io\/prometheus\/busybox\/manifests\/latest\n/,
  );
});

test('a server that listens everywhere is shown where one can reach it from here', async (t) => {
  t.match(bannerOf('', { ...addresses, address: '0.0.0.0:9000' }), 'docker pull 127.0.0.1:9000/quay.io/');
  t.match(bannerOf('', { ...addresses, address: '[::]:9000' }), 'docker pull [::1]:9000/quay.io/');
});

test('with TLS, podman may check the certificate and curl uses https', async (t) => {
  const text = bannerOf('tls: { certFile: c, keyFile: k }');
  t.match(text, 'podman pull 127.0.0.1:8400/quay.io/');
  t.match(text, ' https://127.0.0.1:8400/v2/');
});

test('the public URL is what clients use', async (t) => {
  t.match(bannerOf('publicUrl: https://cache.example.com'), 'podman pull cache.example.com/quay.io/');
});

test('an upstream without a sample has a line to be filled in', async (t) => {
  const text = bannerOf('{upstreams: {registry.example.com: {}}, defaultUpstream: registry.example.com}');
  t.match(text, 'docker pull 127.0.0.1:8400/registry.example.com/REPOSITORY:TAG\n');
});

test('a store that only grows is said to', async (t) => {
  t.match(bannerOf(''), 'never: eviction.maxBytes is not set, the store grows');
  t.match(bannerOf('eviction: { maxBytes: 1kB }'), 'from 90 % to 80 % of 1000 bytes');
});

test('each store is said where it is', async (t) => {
  t.match(bannerOf('store: { filesystem: { path: /data } }'), 'filesystem /data');
  t.match(bannerOf('store: { memory: { maxBytes: 1 } }'), 'memory, 1 bytes, gone with the process');
  t.match(
    bannerOf('store: { s3: { bucket: b, prefix: p, endpoint: "http://s3:9000" } }'),
    's3 b/p at http://s3:9000, redirects never',
  );
});

test('the names of files with secrets are not in the banner', async (t) => {
  const text = bannerOf('upstreams: { quay.io: { credentials: { authFile: /run/secret.json } } }');
  t.notMatch(text, /secret\.json/);
});

test('what is wrong with the store stands below it', (t) => {
  const storeFault = 'bucket quayside at http://s3 does not exist: NoSuchBucket';
  const text = banner(load('', {}), { address: '127.0.0.1:8400', storeFault });
  t.match(
    text,
    /\n {2}store {6}.*\n {13}NOT AVAILABLE: bucket quayside at http:\/\/s3 does not exist: NoSuchBucket\n/,
  );
  t.end();
});
