import { test } from 'tap';
import { parseMirrorFlags } from '../../../src/cli/mirror/options.ts';

test('without flags everything is copied as it is', async (t) => {
  t.match(parseMirrorFlags(['q.io/a:1', 'r.io/a']), {
    words: ['q.io/a:1', 'r.io/a'],
    files: [],
    insecure: false,
    filterByOs: undefined,
    keepManifestList: true,
    maxPerRegistry: 6,
    maxRegistry: 4,
    requestsPerSecond: undefined,
    continueOnError: false,
    dir: '.',
    fromDir: '.',
    json: false,
  });
});

test('switches are written alone or with a value, as Go takes them', async (t) => {
  const { dryRun, force, skipMount } = parseMirrorFlags(['--dry-run=true', '--force', '--skip-mount=F']);
  t.same([dryRun, force, skipMount], [true, true, false]);
  t.equal(parseMirrorFlags(['--force', '--force=false']).force, false, 'the last one counts');
  t.throws(() => parseMirrorFlags(['--force=yes']), { message: '--force must be true or false, not yes' });
});

test('the flags of scripts that were written for oc are taken', async (t) => {
  const wish = parseMirrorFlags([
    ...['-f', 'a.txt,b.txt', '-f=c.txt', '-a=auth.json', '--filter-by-os', '.*', '--insecure'],
    ...['--loglevel=2', '-v=4', '--v', '6'],
    ...['--skip-multiple-scopes', '--max-per-registry=1', '--continue-on-error=true', '--from-dir', '/in'],
  ]);
  t.same([wish.files, wish.registryConfig], [['a.txt', 'b.txt', 'c.txt'], 'auth.json']);
  t.match(wish, {
    filterByOs: undefined,
    keepManifestList: true,
    maxPerRegistry: 1,
    continueOnError: true,
    dir: '.',
    fromDir: '/in',
  });
});

test('the flags of every oc command are taken, and have no effect', async (t) => {
  const plain = parseMirrorFlags(['q.io/a:1', 'r.io/a']);
  const given = parseMirrorFlags([
    ...['--request-timeout=30s', '--kubeconfig', '/k', '--context=app.ci', '-n', 'ci', '--namespace=ci'],
    ...['--as', 'system:admin', '-s=https://api', '--insecure-skip-tls-verify', '--token', 'sha256~x'],
    ...['--match-server-version=false', '--cache-dir', '/c', 'q.io/a:1', 'r.io/a'],
  ]);
  t.same(given, plain);
});

test('other names of registries are listed', async (t) => {
  const { uploadHosts } = parseMirrorFlags(['--upload-host', 'a.io:5000,B.io', '--upload-host=c.io:443']);
  t.same(uploadHosts, ['a.io:5000', 'b.io', 'c.io'], 'as URLs have them');
});

test('requests per second may be less than one', async (t) => {
  t.equal(parseMirrorFlags(['--requests-per-second', '0.5']).requestsPerSecond, 0.5);
});

test('a filter takes the list apart, unless it is to be kept', async (t) => {
  const filtered = parseMirrorFlags(['--filter-by-os=linux/amd64']);
  t.match([filtered.filterByOs, filtered.keepManifestList], [{ source: 'linux/amd64' }, false]);
  t.equal(parseMirrorFlags(['--filter-by-os=linux/.*', '--keep-manifest-list']).keepManifestList, true);
  const apart = parseMirrorFlags(['--keep-manifest-list=false']);
  t.match(apart.filterByOs?.source, /^\^linux\/[a-z0-9]+\(/, 'this machine’s architecture');
  t.equal(apart.keepManifestList, false);
  t.throws(() => parseMirrorFlags(['--filter-by-os=(']), { message: /is not a regular expression/ });
});

test('what cannot be done is refused with its reason', async (t) => {
  const refusals: Readonly<Record<string, RegExp>> = {
    '--skip-verification': /nothing is copied whose digest was not checked/,
    '--s3-source-bucket=b/p': /buckets are no source and no destination/,
    '--foreign-layers=some': /--foreign-layers must be skip or copy, not some/,
    '--output=yaml': /--output must be text or json, not yaml/,
    '--max-registry=0': /--max-registry must be a whole number from 1 on, not 0/,
    '--requests-per-second=0': /--requests-per-second must be a number above 0, not 0/,
    '--upload-host=https://a.io':
      /--upload-host must be a host, as in quay.io or quay.io:5000, not https:\/\/a.io/,
    '--max-per-registry=many': /not many/,
    '--keep-manifest-lists': /unknown option --keep-manifest-lists \(did you mean --keep-manifest-list\?\)/,
  };
  for (const [flag, message] of Object.entries(refusals)) {
    t.throws(() => parseMirrorFlags([flag]), { name: 'UsageError', message }, flag);
  }
  t.equal(parseMirrorFlags(['--skip-verification=false']).force, false);
});
