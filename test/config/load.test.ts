import { readFile } from 'node:fs/promises';
import { test } from 'tap';
import { load } from '../../src/config/load.ts';

const sampleFile = new URL('../../deploy/quayside.yaml', import.meta.url);

test('an empty text means the defaults: loopback, a directory, seven public registries, no login', async (t) => {
  const config = load('', { TMPDIR: '/var/tmp' });
  t.equal(config.listen, '127.0.0.1:8400');
  t.equal(config.admin.listen, '127.0.0.1:8401');
  t.same(config.store, {
    filesystem: { path: './.quayside', verifyReads: 'first' },
    scrubEveryMs: 86_400_000,
    scrubBytesPerSecond: 16 * 1024 ** 2,
  });
  t.equal(config.spool.path, '.quayside/spool');
  t.equal(config.defaultUpstream, 'quay.io');
  t.equal(load('defaultUpstream: none', {}).defaultUpstream, undefined);
  t.same(Object.keys(config.upstreams), [
    'quay.io',
    'docker.io',
    'ghcr.io',
    'registry.k8s.io',
    'public.ecr.aws',
    'gcr.io',
    'registry.access.redhat.com',
  ]);
  t.match(config.hosts, { '*': { auth: 'none' } });
  t.equal(config.eviction.maxBytes, undefined);
});

test('a text of comments means the defaults too', async (t) => {
  t.same(load('# nothing\n', {}), load('', {}));
});

test('the sample file says exactly the defaults', async (t) => {
  const sample = await readFile(sampleFile, 'utf8');
  t.same(load(sample, {}), load('', {}));
});

test('every setting stands in the sample file, at work or as a comment', async (t) => {
  const sample = await readFile(sampleFile, 'utf8');
  const { settingsSchema } = await import('../../src/config/schema/schema.ts');
  const missing = settingNames(settingsSchema).filter((name) => !new RegExp(`\\b${name}:`).test(sample));
  t.same(missing, []);
});

test('times and sizes take a plain number in the unit of their name, or text with a unit', async (t) => {
  const text = `
shutdownGraceMs: 1500
tags: { freshMs: 2m, refreshBehindMs: 1.5h, staleMs: 7d, negativeMs: 250ms }
memory: { maxBytes: 200MB, maxEntryBytes: 64 KiB }
spool: { maxBytes: 0.5GiB }
eviction: { maxBytes: 1TB }
hosts: { '*': { tokenValiditySeconds: 2h } }
`;
  t.match(load(text, {}), {
    shutdownGraceMs: 1500,
    tags: { freshMs: 120_000, refreshBehindMs: 5_400_000, staleMs: 604_800_000, negativeMs: 250 },
    memory: { maxBytes: 200_000_000, maxEntryBytes: 65_536 },
    spool: { maxBytes: 536_870_912 },
    eviction: { maxBytes: 1_000_000_000_000 },
    hosts: { '*': { tokenValiditySeconds: 7200 } },
  });
});

test('the configuration is frozen all the way down', async (t) => {
  const config = load('', {});
  const parts = [config, config.tags, config.upstreams, config.upstreams['quay.io'], config.tags.immutable];
  t.same(
    parts.map(Object.isFrozen),
    parts.map(() => true),
  );
});

test('loading twice gives configurations that share nothing', async (t) => {
  t.not(load('', {}).upstreams, load('', {}).upstreams);
});

test('patterns are regular expressions, ready for use', async (t) => {
  const { eviction, tags } = load(`eviction: { pins: ['^quay\\.io/openshift/'] }`, {});
  t.ok(eviction.pins[0]?.test('quay.io/openshift/ci:latest'));
  t.ok(tags.immutable.some((pattern) => pattern.test('20240603235401_prune_ci_x_latest')));
});

test('an upstream is at https and its name', async (t) => {
  const { upstreams } = load(
    'upstreams: { quay.io: {}, "127.0.0.1:5000": { url: "http://127.0.0.1:5000/" } }',
    {},
  );
  t.equal(upstreams['quay.io']?.url, 'https://quay.io');
  t.equal(upstreams['127.0.0.1:5000']?.url, 'http://127.0.0.1:5000');
});

test('docker.io is at registry-1.docker.io, and alpine there is library/alpine', async (t) => {
  const { upstreams } = load('', {});
  t.match(upstreams['docker.io'], { url: 'https://registry-1.docker.io', library: true });
  t.equal(upstreams['quay.io']?.library, false);
});

test('an upstream has the common tag settings but for its own', async (t) => {
  const { upstreams } = load('{tags: {staleMs: 1h}, upstreams: {quay.io: {tags: {freshMs: 5s}}}}', {});
  t.match(upstreams['quay.io']?.tags, { freshMs: 5000, staleMs: 3_600_000, gone: 'hide' });
});

test('the spool is beside a filesystem store or a disk before a bucket, else in the temporary directory, unless it has its own place', async (t) => {
  const s3 = 'store: { s3: { bucket: b } }';
  t.equal(load('store: { filesystem: { path: /data } }', {}).spool.path, '/data/spool');
  const disk = 'store: { s3: { bucket: b }, disk: { path: /near } }';
  t.equal(load(disk, { TMPDIR: '/big' }).spool.path, '/near/spool');
  t.equal(load(s3, { TMPDIR: '/big' }).spool.path, '/big/quayside-spool');
  t.equal(load(s3, {}).spool.path, '/tmp/quayside-spool');
  t.equal(load(`${s3}\nspool: { path: /fast }`, {}).spool.path, '/fast');
});

test('an S3 store has defaults that fit AWS', async (t) => {
  const { store } = load('store: { s3: { bucket: b } }', {});
  const s3 = {
    bucket: 'b',
    region: 'us-east-1',
    pathStyle: false,
    redirect: 'never',
    redirectExpiresSeconds: 1200,
  };
  t.match(store, { s3 });
});

test('a directory is scrubbed every day, a bucket and memory only where that is asked for', async (t) => {
  const s3 = 's3: { bucket: b }';
  const every = (text: string) => load(`store: { ${text} }`, {}).store.scrubEveryMs;
  t.equal(every('filesystem: {}'), 86_400_000);
  t.equal(every('filesystem: {}, scrubEveryMs: false'), false);
  t.equal(every('filesystem: {}, scrubEveryMs: 0'), false);
  t.equal(every('filesystem: {}, scrubEveryMs: 7d'), 604_800_000);
  t.equal(every(s3), false);
  t.equal(every(`${s3}, scrubEveryMs: 7d`), 604_800_000);
  t.equal(every('memory: {}'), false);
});

test('redirects may be bound to client networks', async (t) => {
  const { store } = load(
    'store: { s3: { bucket: b, redirect: { networks: [10.0.0.0/8, "fd00::/8"] } } }',
    {},
  );
  t.match(store, { s3: { redirect: { networks: ['10.0.0.0/8', 'fd00::/8'] } } });
});

test('trusted proxies are networks, and there are none by default', async (t) => {
  t.same(load('', {}).trustedProxies, []);
  t.same(load('trustedProxies: [10.0.0.0/8, "fd00::/8"]', {}).trustedProxies, ['10.0.0.0/8', 'fd00::/8']);
});

test('credentials are one file or two, and nothing of them is read', async (t) => {
  const { upstreams, hosts } = load(
    `
upstreams:
  quay.io: { credentials: { authFile: /no/auth.json } }
  ghcr.io: { credentials: { usernameFile: /no/user, passwordFile: /no/password } }
hosts:
  cache.example.com: { auth: robots, robots: { htpasswdFile: /no/htpasswd } }
`,
    {},
  );
  t.same(upstreams['quay.io']?.credentials, { authFile: '/no/auth.json' });
  t.same(upstreams['ghcr.io']?.credentials, { usernameFile: '/no/user', passwordFile: '/no/password' });
  t.same(hosts['cache.example.com']?.robots, { htpasswdFile: '/no/htpasswd' });
});

test('the admin port can be switched off', async (t) => {
  t.equal(load('admin: { listen: false }', {}).admin.listen, false);
});

test('a setting may be written once and used twice by an alias', async (t) => {
  const { limits } = load('limits: { read: &some { maxRunning: 7 }, write: *some }', {});
  t.match(limits, { read: { maxRunning: 7 }, write: { maxRunning: 7 } });
});

/** The keys of every section of the schema, those of named maps (upstreams, hosts) included. */
function settingNames(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const sections = ['properties', 'patternProperties'].map((key) => Reflect.get(schema, key) ?? {});
  const names = Object.keys(Reflect.get(schema, 'properties') ?? {});
  return [...names, ...sections.flatMap((section) => Object.values(section).flatMap(settingNames))];
}

test('nothing is mirrored unless the settings say so', async (t) => {
  t.equal(load('', {}).mirror, undefined);
  t.match(load('mirror: {}', {}).mirror, { dryRun: false, misses: { onMiss: 'serve' } });
});

test('helpers are named plainly, and run from absolute directories alone', async (t) => {
  const faults = (text: string): string => {
    try {
      load(`credentialHelpers: ${text}`, {});
      return '';
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
  t.match(faults('{ directories: [bin] }'), 'must be the absolute path of a directory');
  t.match(faults('{ environment: ["A=b"] }'), 'must be the name of an environment variable');
  const exec = (fields: string): string => faults(`{ directories: [/opt], exec: [{ ${fields} }] }`);
  t.match(exec('name: ../x, matchImages: [quay.io]'), 'must be the name of a program');
  t.match(exec('name: x, matchImages: ["https://quay.io"]'), 'must be a host as in');
  t.match(exec('name: x, matchImages: []'), /matchImages/);
  t.match(faults('{ exec: [{ name: x, matchImages: [quay.io] }] }'), 'directories');
  t.match(exec('name: x, matchImages: [quay.io], env: { A: 1 }'), 'must be texts by the names');
  t.equal(exec('name: x, matchImages: ["*.pkg.dev"], args: [get], env: { A: b }'), '');
});
