import type { table } from '../../src/telemetry/metrics/table.ts';

/** What a metric's help has no room for: the values of its labels, and what is done with it. */
export const notes: Readonly<Partial<Record<keyof typeof table, string>>> = {
  requests:
    'For an answer that Quayside cut, `status` is that of the reason. [Codes](errors.md#error-codes).',
  sent: '`source` is a [hit class](errors.md#hit-classes).',
  reads: 'The hit rate: `hit` is a [hit class](errors.md#hit-classes).',
  running: '`limit` is a section of `limits`.',
  limited: '`limit` is a section of `limits`.',
  idleClients: 'After `limits.idleClientMs`.',
  refused: 'No login, a wrong one, no right.',
  helperRuns: '`absent`: it has no login. [Credential helpers](../registry-logins.md).',
  misses:
    '`served` and `arrived` were answered; `queued` is a 404 whose image is copied; `absent`, `denied`, `limited`, `unavailable`. Manifests by digest count too.',
  reviews: '`kind`: TokenReviews are `token`, the others `access`. `failed` is neither yes nor no.',
  reviewFailures:
    '`slow`, `unreachable`, `status`, `not-allowed-to-ask`, `invalid`; `keys`: those of service accounts could not be fetched.',
  reviewsRemembered: '`shared`: a token that another replica had reviewed.',
  searchesLimited:
    '1,024 questions, or 64 about streams that only name the digest, without a yes. The pull is 503, and the next one goes on with the rest.',
  streamRefused:
    'It holds 2,000,000 references, an eighth of them of one namespace and 64 of one namespace to one digest, and 100,000 streams; and as many again of trusted namespaces.',
  streamLists:
    'At the `start`; when the cluster forgot the version of the watch (`gone`) or sent nothing for 5 min (`silent`); once a day (`due`).',
  streamLooks:
    'Before a refusal: a stream named it within a second (`found`); nothing new, of a digest that is `known` to the index or `unknown`; `remembered` as unknown for 30 s; `unasked` without a cluster, or with 1,000 looks under way.',
  streamRecords: '`done`, `absent`, `broken`, `failed`; `shared`: another replica has written the same.',
  fills: '`stored`; `followed` from another replica, which stores it; `not-kept`; `failed`.',
  storedByFills:
    'What upstreams sent, divided by it over the whole fleet, is the amplification: 1 is one download of each byte.',
  notKept:
    '`spool-full`, `too-large` (more than half of the spool), `too-slow` while the spool was full, `disk-full` (`ENOSPC`), `unwritable` (the disk of the spool), `store`.',
  spool: 'At most `spool.maxBytes`.',
  storeFailures: '`disk-full`, `denied`, `absent` (no such bucket), `unreachable`, `other`.',
  disk: 'At most `store.disk.maxBytes`.',
  diskReads: 'From that disk (`hit`), behind a read of S3 under way (`joined`), from S3 (`miss`).',
  kernelSending:
    'One of them is 1 since the start: `on`; `off` by `sendfile`; `tls` is ended here; the `system` cannot; the `library` koffi is missing.',
  storeBytes: 'As listed once a day, and what was put and evicted since; 0 until the first time.',
  evictions: 'Also those that failed.',
  fleetAsked: '`found`, `absent`, `refused` (the word of the upstream), `follows`, `uncached`, `busy`.',
  fleetBytes: '`received` and `sent`. None of them crossed the upstream link again.',
  wrongContent: 'They are never stored and never sent whole.',
  breaker: 'No line until it first changes.',
  buildInfo: '`revision` is `QUAYSIDE_REVISION` of the image.',
  maxBytes: '`spool.maxBytes`, `store.disk.maxBytes` (`disk`), `eviction.maxBytes` (`store`).',
  filesystemSize: 'Missing where it does not answer within 1 s.',
  certificateEnd: '0 without one.',
  mirrorLeader: 'Only where there is a mirror.',
  mirrorImages: '`waiting`, `running`, `parked`.',
  mirrorHolds: 'Counted every 5 minutes.',
  conditions: '`name` is that of an upstream or a cluster.',
  pruned: '`deleted`, `gone`, `kept`, `failed`, `left`.',
  pruneRuns: '`done`, or `failed` where something could not be deleted or read.',
};
