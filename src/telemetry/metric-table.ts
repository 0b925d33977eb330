/** One metric. */
export type Row<Labels extends readonly string[]> = readonly [name: string, help: string, labelNames: Labels];

/** Every metric of our own: name, help, labels. Labels come from small closed sets. */
export const table = {
  requests: [
    'quayside_requests_total',
    'Requests that ended; 499 is a client that left.',
    ['kind', 'status'],
  ],
  firstByte: ['quayside_request_first_byte_seconds', 'From request to first byte of the answer.', ['kind']],
  duration: ['quayside_request_duration_seconds', 'From request to end of the answer.', ['kind']],
  sent: ['quayside_sent_bytes_total', 'Body bytes sent to clients, by source.', ['source']],
  reads: ['quayside_cache_reads_total', 'Reads answered, by where the answer came from.', ['kind', 'hit']],
  amplification: [
    'quayside_amplification_ratio',
    'Bytes sent to clients for each byte from an upstream.',
    [],
  ],
  running: ['quayside_requests_running', 'Requests that hold a slot.', ['limit']],
  waiting: ['quayside_requests_waiting', 'Requests that wait for a slot.', ['limit']],
  limited: [
    'quayside_requests_limited_total',
    'Requests refused with 429 by our limits.',
    ['limit', 'reason'],
  ],
  idleClients: ['quayside_idle_clients_cut_total', 'Clients disconnected because they stopped reading.', []],
  refused: ['quayside_access_refused_total', 'Requests refused with 401 or 403.', ['reason']],
  tokens: ['quayside_tokens_issued_total', 'Tokens handed out.', []],
  misses: [
    'quayside_misses_total',
    'Misses of tags for which a rule names a source, by outcome.',
    ['outcome'],
  ],
  reviews: [
    'quayside_cluster_reviews_total',
    'TokenReviews and SubjectAccessReviews sent to a cluster.',
    ['cluster', 'kind', 'outcome'],
  ],
  reviewSeconds: [
    'quayside_cluster_review_duration_seconds',
    'Duration of a review, answered or failed.',
    ['cluster', 'kind'],
  ],
  reviewFailures: [
    'quayside_cluster_review_failures_total',
    'Reviews that a cluster did not answer, by cause.',
    ['cluster', 'failure'],
  ],
  reviewsRemembered: [
    'quayside_cluster_reviews_remembered_total',
    'Reviews answered from memory.',
    ['cluster', 'kind'],
  ],
  searchesLimited: [
    'quayside_access_searches_limited_total',
    'Searches for the right to a digest that ended at their limit of questions to the cluster.',
    ['cluster'],
  ],
  streamState: [
    'quayside_stream_index_state',
    '1 for the state of the index of image streams, 0 for the others.',
    ['cluster', 'state'],
  ],
  streams: ['quayside_stream_index_streams', 'Image streams in the index.', ['cluster']],
  streamDigests: [
    'quayside_stream_index_digests',
    'Digests that image streams name, once for each repository.',
    ['cluster'],
  ],
  streamReferences: [
    'quayside_stream_index_references',
    'Tags that name a digest, now or formerly, in the index.',
    ['cluster'],
  ],
  streamRefused: [
    'quayside_stream_index_refused_total',
    'References for which the index had no room, each time that their stream was read.',
    ['cluster'],
  ],
  streamLists: ['quayside_stream_lists_total', 'Lists of image streams, by reason.', ['cluster', 'reason']],
  streamFailures: [
    'quayside_stream_failures_total',
    'Lists and watches of image streams that failed.',
    ['cluster'],
  ],
  streamLooks: [
    'quayside_stream_looks_total',
    'Digests looked up in the index, by result.',
    ['cluster', 'result'],
  ],
  streamRecords: [
    'quayside_stream_records_total',
    'Reads and writes of the records of the index, by outcome.',
    ['cluster', 'operation', 'outcome'],
  ],
  fills: ['quayside_fills_total', 'Downloads that ended.', ['outcome']],
  notKept: ['quayside_fills_not_kept_total', 'Downloads that were not stored, by cause.', ['reason']],
  filling: ['quayside_fills_running', 'Downloads under way.', []],
  joined: ['quayside_fill_joined_total', 'Readers that joined a download under way.', []],
  spool: ['quayside_spool_bytes', 'Bytes in the spool.', []],
  repaired: ['quayside_store_repaired_total', 'Stored blobs found missing or corrupt and fetched again.', []],
  storeFailures: [
    'quayside_store_failures_total',
    'Failures of the store, by operation and cause.',
    ['operation', 'cause'],
  ],
  storeAvailable: ['quayside_store_available', '1; 0 while the circuit breaker of the store is open.', []],
  storeBytes: ['quayside_store_bytes', 'Bytes in the store when it was last measured.', []],
  storeBlobs: ['quayside_store_blobs', 'Blobs in the store when it was last measured.', []],
  evictions: ['quayside_evictions_total', 'Runs of the eviction that had something to do.', ['outcome']],
  evicted: ['quayside_evicted_total', 'Blobs evicted.', []],
  scrubbed: ['quayside_scrub_bytes_total', 'Bytes of stored blobs that the scrub read and verified.', []],
  scrubWrong: [
    'quayside_scrub_wrong_total',
    'Stored blobs that did not match their digest and were deleted.',
    [],
  ],
  scrubFailures: ['quayside_scrub_failures_total', 'Scrubs that were interrupted and resume later.', []],
  scrubCompleted: [
    'quayside_scrub_last_completed_seconds',
    'When this process last completed a scrub, in Unix time; 0 when it has not.',
    [],
  ],
  s3Calls: ['quayside_s3_calls_total', 'Calls to S3.', ['operation', 'outcome']],
  s3Seconds: ['quayside_s3_call_duration_seconds', 'Duration of calls to S3.', ['operation']],
  upstreamRequests: [
    'quayside_upstream_requests_total',
    'Requests to upstreams; status 0 is a network failure.',
    ['upstream', 'kind', 'status'],
  ],
  upstreamSeconds: [
    'quayside_upstream_request_duration_seconds',
    'From request to the header of the answer.',
    ['upstream', 'kind'],
  ],
  received: ['quayside_upstream_received_bytes_total', 'Body bytes from upstreams.', ['upstream']],
  retries: [
    'quayside_upstream_retries_total',
    'Requests retried and bodies resumed.',
    ['upstream', 'reason'],
  ],
  breaker: [
    'quayside_upstream_breaker_state',
    '1 for the state of the circuit breaker, 0 for the others.',
    ['upstream', 'state'],
  ],
  conditions: [
    'quayside_condition_state',
    '1 for the status of a condition, 0 for the other two.',
    ['type', 'name', 'status'],
  ],
  conditionSince: [
    'quayside_condition_last_transition_seconds',
    'When the status of a condition last changed, in Unix time.',
    ['type', 'name'],
  ],
} as const satisfies Readonly<Record<string, Row<readonly string[]>>>;
