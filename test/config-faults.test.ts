import { test } from 'tap';
import { ConfigError } from '../src/config/faults.ts';
import { load } from '../src/config/load.ts';

/** What is wrong with the text, a line each, as a person reads it. */
function faultsOf(text: string): string[] {
  try {
    load(text, {}, { fileName: 'q.yaml' });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
}

test('every fault is told at once, with its line, in the order of the file', async (t) => {
  const faults = faultsOf(`
listen: 3
log: { level: loud }
store:
  memory: {}
  filesystem: {}
upstreams:
  quay.io:
    retries: -1
    url: ftp://quay.io
    repositories: [openshift/ci, Open]
eviction:
  pins: ['[']
  highPercent: 50
hosts:
  cache.example.com: { auth: robots, upstream: quay.oi }
tls: { certFile: x }
`);
  t.same(faults, [
    'q.yaml:2: listen: must be host:port, such as 127.0.0.1:8400, 0.0.0.0:8400 or [::1]:8400',
    'q.yaml:3: log.level: must be one of trace, debug, info, warn, error, fatal, silent',
    'q.yaml:4: store: must hold exactly one of filesystem, memory, s3, not filesystem and memory',
    'q.yaml:9: upstreams["quay.io"].retries: must be >= 0',
    'q.yaml:10: upstreams["quay.io"].url: must be a URL that begins with http:// or https://',
    'q.yaml:11: upstreams["quay.io"].repositories[1]: must be a repository name, in which * and ** may stand for any text',
    'q.yaml:12: eviction.lowPercent: must be below highPercent (50)',
    'q.yaml:13: eviction.pins[0]: is not a regular expression of RE2, which has no back-references and no lookaround: missing closing ]: `[`',
    'q.yaml:16: hosts["cache.example.com"].robots: is required where auth is robots',
    'q.yaml:16: hosts["cache.example.com"].upstream: quay.oi is not among the upstreams: quay.io',
    'q.yaml:17: tls.keyFile: is required',
  ]);
});

test('twenty faults are twenty lines', async (t) => {
  const text = Array.from({ length: 20 }, (_, index) => `unknown${index}: 1`).join('\n');
  t.equal(faultsOf(text).length, 20);
});

test('the faults are data too', async (t) => {
  t.throws(() => load('log: { levl: info }', {}), {
    name: 'ConfigError',
    faults: [{ path: 'log.levl', line: 1, message: 'is not a setting; did you mean level?' }],
  });
});

const single: Readonly<Record<string, readonly [yaml: string, ...faults: string[]]>> = {
  'an unknown key is refused, with the one that was probably meant': [
    'tags: { freshMS: 30s }',
    'q.yaml:1: tags.freshMS: is not a setting; did you mean freshMs?',
  ],
  'an unknown key like no other is refused, with those that there are': [
    'admin: { colour: red }',
    'q.yaml:1: admin.colour: is not a setting; there are listen, tokenFile, cluster, pricePerGB',
  ],
  'a key given twice is refused where it is given again': [
    'listen: 127.0.0.1:1\nlog: {}\nlisten: 127.0.0.1:2',
    'q.yaml:3: listen: is given twice',
  ],
  'a key without a value is refused': [
    'upstreams:\n  quay.io:\n',
    'q.yaml:2: upstreams["quay.io"]: has no value: give it one ({} for an empty section), or remove the key',
  ],
  'a list is no configuration': ['- listen', 'q.yaml: must be object'],
  'a time without a unit that is no number is refused': [
    'shutdownGraceMs: 3 fortnights',
    'q.yaml:1: shutdownGraceMs: must be a number of milliseconds, or text such as 500ms, 30s, 5m, 2h, 7d',
  ],
  'a negative size is refused': [
    'spool: { maxBytes: -1 }',
    'q.yaml:1: spool.maxBytes: must be a number of bytes, or text such as 64MiB, 50GiB, 200MB',
  ],
  'a time that no timer can wait is refused': [
    'eviction: { everyMs: 30d }',
    'q.yaml:1: eviction.everyMs: must be at least 1 ms and at most 24 days',
  ],
  'a port above 65535 is refused': [
    'listen: 0.0.0.0:70000',
    'q.yaml:1: listen: must be host:port, such as 127.0.0.1:8400, 0.0.0.0:8400 or [::1]:8400',
  ],
  'the same port for clients and for metrics is refused': [
    'listen: 127.0.0.1:8401',
    "q.yaml: admin.listen: must not be listen's own 127.0.0.1:8401",
  ],
  'a disk without a bucket is refused': [
    'store: { filesystem: {}, disk: { path: /d } }',
    'q.yaml:1: store.disk: has no effect: it stands before a bucket, store.s3',
  ],
  'a disk that no client reads is refused': [
    'store: { s3: { bucket: b, redirect: always }, disk: { path: /d } }',
    'q.yaml:1: store.disk: has no effect: clients read from S3',
  ],
  'a disk that holds no layer is refused': [
    'store: { s3: { bucket: b }, disk: { path: /d, maxBytes: 1MiB } }',
    'q.yaml:1: store.disk.maxBytes: must be 64MiB at least',
  ],
  'a disk without a directory is refused': [
    'store: { s3: { bucket: b }, disk: {} }',
    'q.yaml:1: store.disk.path: is required',
  ],
  'a store of no kind is refused': [
    'store: {}',
    'q.yaml:1: store: must hold exactly one of filesystem, memory, s3, not none',
  ],
  'two marks of eviction that are the same are refused': [
    'eviction: { highPercent: 80, lowPercent: 80 }',
    'q.yaml:1: eviction.lowPercent: must be below highPercent (80)',
  ],
  'a scrub that never ends is refused': [
    'store: { filesystem: {}, scrubBytesPerSecond: 1kB }',
    'q.yaml:1: store.scrubBytesPerSecond: must be 64KiB at least',
  ],
  'a scrub of memory is refused': [
    'store: { memory: {}, scrubEveryMs: 1d }',
    'q.yaml:1: store.scrubEveryMs: has no effect: the store is the process’s memory',
  ],
  'an S3 store without a bucket is refused': ['store: { s3: {} }', 'q.yaml:1: store.s3.bucket: is required'],
  'half a pair of S3 keys is refused': [
    'store: { s3: { bucket: b, accessKeyIdFile: /id } }',
    'q.yaml:1: store.s3.secretAccessKeyFile: is required beside accessKeyIdFile',
  ],
  'a part smaller than S3 takes is refused': [
    'store: { s3: { bucket: b, partBytes: 1MiB } }',
    'q.yaml:1: store.s3.partBytes: must be from 5MiB to 5GiB, the limits of S3',
  ],
  'a redirect network that is none is refused': [
    'store: { s3: { bucket: b, redirect: { networks: [10.0.0.0/64] } } }',
    'q.yaml:1: store.s3.redirect: must have a prefix length of its address family: 10.0.0.0/64',
  ],
  'a trusted proxy that is no network is refused, with its place': [
    'trustedProxies: [10.0.0.0/8, 10.0.0.1]',
    'q.yaml:1: trustedProxies[1]: must be a network such as 10.0.0.0/8 or fd00::/8',
  ],
  'all addresses are no trusted proxy': [
    'trustedProxies: ["0.0.0.0/0", "::/0"]',
    'q.yaml:1: trustedProxies[0]: covers every address, so that any client could forge its own: 0.0.0.0/0',
    'q.yaml:1: trustedProxies[1]: covers every address, so that any client could forge its own: ::/0',
  ],
  'a trusted proxy that is no list is refused': [
    'trustedProxies: 10.0.0.0/8',
    'q.yaml:1: trustedProxies: must be array',
  ],
  'a default upstream that is none of the upstreams is refused': [
    'defaultUpstream: quay.oi\nupstreams: { quay.io: {} }',
    'q.yaml:1: defaultUpstream: quay.oi is not among the upstreams: quay.io',
  ],
  'an upstream that is no host name is refused': [
    'upstreams: { quay.io: {}, "https://ghcr.io": {} }',
    'q.yaml:1: upstreams["https://ghcr.io"]: must be named by a host name in lower case, as users write it',
  ],
  'another name of an upstream is a host, as URLs have it': [
    'upstreams: { quay.io: { uploadHosts: ["https://q.io"] } }',
    'q.yaml:1: upstreams["quay.io"].uploadHosts[0]: must be a host, as in quay.io or quay.io:5000, not https://q.io',
  ],
  'credentials of both kinds are refused': [
    'upstreams: { quay.io: { credentials: { authFile: /a, usernameFile: /u, passwordFile: /p } } }',
    'q.yaml:1: upstreams["quay.io"].credentials: must hold either usernameFile and passwordFile, or authFile',
  ],
  'robots without their login are refused': [
    'hosts: { "*": { robots: { htpasswdFile: /h } } }',
    'q.yaml:1: hosts["*"].robots: has no effect: auth is none',
  ],
  'a host of a cluster names its rules, and clusters that there are': [
    'clusters: { a: {} }\nhosts: { "*": { auth: cluster, clusters: [b], access: mine } }',
    'q.yaml:2: hosts["*"].access: mine is not among the rules: parity, imagestream, repository, open',
    'q.yaml:2: hosts["*"].clusters[0]: b is not among the clusters: a',
  ],
  'a host of a cluster needs rules and a cluster': [
    'hosts: { "*": { auth: cluster } }',
    'q.yaml:1: hosts["*"].access: is required where auth is cluster: one of parity, imagestream, repository, open',
    'q.yaml:1: hosts["*"].auth: cluster needs an entry under clusters',
  ],
  'rules have no effect without a cluster': [
    'hosts: { "*": { auth: none, access: parity } }',
    'q.yaml:1: hosts["*"].access: has no effect: auth is none',
  ],
  'a rule does one thing, and names groups that it has': [
    "rules: { mine: [{ name: a, repositories: 'x/(?<y>.+)', allow: true, ask: { namespace: $<z> } }], open: [] }",
    'q.yaml:1: rules.mine[0]: must hold exactly one of ask, allow, refuse, followDigest, not ask and allow',
    'q.yaml:1: rules.mine[0].ask.namespace: no expression of the rule has a group z',
    'q.yaml:1: rules.open: is the name of a built-in list',
  ],
  'a rule that allows every login does not undo by digest what rules before it decide by tag': [
    "rules: { a: [{ name: x, repositories: r/s, tags: 't.+', ask: { namespace: n } }, { name: y, repositories: .+, allow: true }] }",
    'q.yaml:1: rules.a[1].allow: would allow every login to pull by digest what x decides by tag; give it tags: .+',
  ],
  'a local check of tokens needs to know whose tokens they are': [
    'clusters: { a: { serviceAccountTokens: { check: local }, context: admin } }',
    'q.yaml:1: clusters.a.context: needs kubeconfigFile',
    'q.yaml:1: clusters.a.serviceAccountTokens.issuer: is required where check is local',
  ],
  'followed image streams need a host that asks their cluster': [
    'clusters: { a: { streams: {} }, b: { streams: {} } }\nhosts: { "*": { auth: cluster, access: open, clusters: [b] } }',
    'q.yaml:1: clusters.a.streams: has no effect: no host with auth: cluster asks a',
  ],
  'trusted namespaces are followed, and a name of this service is no upstream': [
    'clusters: { a: { streams: { trusted: [ocp, b], namespaces: [ocp], proxyNames: [quay.io] } } }\nhosts: { "*": { auth: cluster, access: open } }',
    'q.yaml:1: clusters.a.streams.trusted[1]: has no effect: b is not among the namespaces',
    'q.yaml:1: clusters.a.streams.proxyNames[0]: quay.io is the name of an upstream, not of this service',
  ],
  'a namespace has the form that Kubernetes wants': [
    'clusters: { a: { streams: { trusted: [ocp_priv], namespaces: [] } } }\nhosts: { "*": { auth: cluster, access: open } }',
    'q.yaml:1: clusters.a.streams.trusted[0]: must be the name of a namespace: a-z, 0-9 and -, at most 63 characters',
    'q.yaml:1: clusters.a.streams.namespaces: must not have fewer than 1 items',
  ],
  'blobs cannot be redirected to a file': [
    'hosts: { "*": { blobs: redirect } }',
    'q.yaml:1: hosts["*"].blobs: redirect needs an S3 store',
  ],
  'a token shorter than clients can use is refused': [
    'hosts: { "*": { tokenValiditySeconds: 60 } }',
    'q.yaml:1: hosts["*"].tokenValiditySeconds: must be 5m at least',
  ],
  'a memory entry larger than the memory is refused': [
    'memory: { maxEntryBytes: 1GiB }',
    'q.yaml:1: memory.maxEntryBytes: must not be above maxBytes (67108864)',
  ],
};

for (const [fact, [yaml, ...faults]] of Object.entries(single)) {
  test(fact, async (t) => {
    t.same(faultsOf(yaml), faults);
  });
}

test('YAML that cannot be read is told with its line', async (t) => {
  const [fault, ...rest] = faultsOf('listen: 127.0.0.1:8400\nlog: {level: info\n');
  t.match(fault, /^q\.yaml:\d: Flow map/);
  t.same(rest, []);
});

test('what follows from a faulty setting is not told as a fault of its own', async (t) => {
  t.equal(faultsOf('eviction: { highPercent: high, lowPercent: 95 }').length, 1);
  t.equal(faultsOf('defaultUpstream: 3\nupstreams: { ghcr.io: {} }').length, 1);
});

test('a password in a URL is refused and not repeated', async (t) => {
  const [fault = ''] = faultsOf('upstreams: { quay.io: { url: "https://robot:hunter2@quay.io" } }');
  t.match(fault, /must not hold a user or password/);
  t.notMatch(fault, /hunter2/);
});

test('a bomb of aliases is refused, not expanded', async (t) => {
  const levels = Array.from(
    { length: 12 },
    (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(', ')}]`,
  );
  const [fault = ''] = faultsOf(`a0: &a0 [x]\n${levels.join('\n')}\n`);
  t.match(fault, /alias/i);
});
