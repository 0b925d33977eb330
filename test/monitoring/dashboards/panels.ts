/** The unit of an axis, in Grafana's words. */
type PanelUnit = 'reqps' | 'ops' | 'Bps' | 'bytes' | 's' | 'percentunit' | 'short' | 'dtdurations';

/** One question that a dashboard answers. */
export interface DashboardPanel {
  readonly title: string;
  readonly unit: PanelUnit;
  /** Expression → legend. `$job` stands for the selector of the installation. */
  readonly lines: Readonly<Record<string, string>>;
  /** A number instead of a graph. */
  readonly isNumber?: true;
}

/** One page. */
export interface Dashboard {
  /** Also the name of its file. */
  readonly name: string;
  readonly title: string;
  readonly rows: Readonly<Record<string, readonly DashboardPanel[]>>;
}

const graph = (title: string, unit: PanelUnit, lines: DashboardPanel['lines']): DashboardPanel => ({
  title,
  unit,
  lines,
});
const number = (title: string, unit: PanelUnit, expression: string): DashboardPanel => ({
  title,
  unit,
  lines: { [expression]: '' },
  isNumber: true,
});
const rate = (metric: string, by: string, more = ''): string =>
  `sum by (${by}) (rate(${metric}{$job${more}}[$__rate_interval]))`;
const percentile = (metric: string, by: string, share: number): string =>
  `histogram_quantile(${share}, sum by (le, ${by}) (rate(${metric}_bucket{$job}[$__rate_interval])))`;

const operator: Dashboard = {
  name: 'quayside-operator',
  title: 'Quayside: is it well',
  rows: {
    'At a glance': [
      number('Replicas', 'short', 'count(quayside_build_info{$job})'),
      number('Not available', 'short', 'sum(quayside_condition_state{$job,type="Available",status="False"})'),
      number('Degraded', 'short', 'sum(quayside_condition_state{$job,type="Degraded",status="True"})'),
      number(
        'Bytes from the cache',
        'percentunit',
        '1 - sum(rate(quayside_upstream_received_bytes_total{$job}[1h])) / sum(rate(quayside_sent_bytes_total{$job}[1h]))',
      ),
      number(
        'Amplification, 6 h',
        'short',
        'sum(increase(quayside_upstream_received_bytes_total{$job}[6h])) / sum(increase(quayside_fills_stored_bytes_total{$job}[6h]))',
      ),
      number(
        'Requests without 5xx, 1 d',
        'percentunit',
        '1 - sum(rate(quayside_requests_total{$job,status=~"5.."}[1d])) / sum(rate(quayside_requests_total{$job}[1d]))',
      ),
    ],
    Pulls: [
      graph('Requests by status', 'reqps', { [rate('quayside_requests_total', 'status')]: '{{status}}' }),
      graph('Bytes to clients, by source', 'Bps', {
        [rate('quayside_sent_bytes_total', 'source')]: '{{source}}',
      }),
      graph('First byte', 's', {
        [percentile('quayside_request_first_byte_seconds', 'kind', 0.5)]: 'p50 {{kind}}',
        [percentile('quayside_request_first_byte_seconds', 'kind', 0.99)]: 'p99 {{kind}}',
      }),
      graph('Whole answer', 's', {
        [percentile('quayside_request_duration_seconds', 'kind', 0.5)]: 'p50 {{kind}}',
        [percentile('quayside_request_duration_seconds', 'kind', 0.99)]: 'p99 {{kind}}',
      }),
      graph('Where answers come from', 'reqps', {
        [rate('quayside_cache_reads_total', 'kind, hit')]: '{{kind}} {{hit}}',
      }),
      graph('Requests with a slot, and in the queue', 'short', {
        'sum by (limit) (quayside_requests_running{$job})': 'running {{limit}}',
        'sum by (limit) (quayside_requests_waiting{$job})': 'waiting {{limit}}',
      }),
      graph('429 by our limits', 'reqps', {
        [rate('quayside_requests_limited_total', 'limit, reason')]: '{{limit}} {{reason}}',
      }),
    ],
    Conditions: [
      graph('Conditions that are not good', 'short', {
        'max by (type, name) (quayside_condition_state{$job,status="False",type!~"Progressing|Degraded"} == 1)':
          '{{type}} {{name}}',
      }),
    ],
    'Store and disks': [
      graph('Store', 'bytes', {
        'max(quayside_store_bytes{$job})': 'stored',
        'max(quayside_max_bytes{$job,use="store"})': 'limit',
      }),
      graph('Blobs', 'short', { 'max(quayside_store_blobs{$job})': 'blobs' }),
      graph('Spool', 'bytes', {
        'sum by (pod) (quayside_spool_bytes{$job})': '{{pod}}',
        'max(quayside_max_bytes{$job,use="spool"})': 'limit',
      }),
      graph('Room left on file systems', 'percentunit', {
        'quayside_filesystem_available_bytes{$job} / quayside_filesystem_size_bytes{$job}': '{{pod}} {{use}}',
      }),
      graph('Downloads', 'ops', { [rate('quayside_fills_total', 'outcome')]: '{{outcome}}' }),
      graph('Downloads that were not stored', 'ops', {
        [rate('quayside_fills_not_kept_total', 'reason')]: '{{reason}}',
      }),
      graph('Failures of the store', 'ops', {
        [rate('quayside_store_failures_total', 'operation, cause')]: '{{operation}} {{cause}}',
      }),
      graph('Evicted, repaired, found wrong', 'ops', {
        'sum(rate(quayside_evicted_total{$job}[$__rate_interval]))': 'evicted',
        'sum(rate(quayside_store_repaired_total{$job}[$__rate_interval]))': 'repaired',
        'sum(rate(quayside_scrub_wrong_total{$job}[$__rate_interval]))': 'wrong',
      }),
      graph('Calls to S3', 'ops', {
        [rate('quayside_s3_calls_total', 'operation, outcome')]: '{{operation}} {{outcome}}',
      }),
      graph('Duration of calls to S3, p99', 's', {
        [percentile('quayside_s3_call_duration_seconds', 'operation', 0.99)]: '{{operation}}',
      }),
      graph('Disk before the bucket', 'ops', { [rate('quayside_disk_reads_total', 'result')]: '{{result}}' }),
    ],
    Process: [
      graph('Processor', 'short', { 'rate(process_cpu_seconds_total{$job}[$__rate_interval])': '{{pod}}' }),
      graph('Memory', 'bytes', { 'process_resident_memory_bytes{$job}': '{{pod}}' }),
      graph('Event loop, p99', 's', { 'nodejs_eventloop_lag_p99_seconds{$job}': '{{pod}}' }),
      graph('Open files', 'short', { 'process_open_fds{$job}': '{{pod}}' }),
    ],
  },
};

const upstreams: Dashboard = {
  name: 'quayside-upstreams',
  title: 'Quayside: upstreams',
  rows: {
    'What they answer': [
      graph('Requests by status', 'reqps', {
        [rate('quayside_upstream_requests_total', 'upstream, status')]: '{{upstream}} {{status}}',
      }),
      graph('Bytes', 'Bps', { [rate('quayside_upstream_received_bytes_total', 'upstream')]: '{{upstream}}' }),
      graph('Time to the header, p99', 's', {
        [percentile('quayside_upstream_request_duration_seconds', 'upstream', 0.99)]: '{{upstream}}',
      }),
      graph('429', 'reqps', {
        [rate('quayside_upstream_requests_total', 'upstream', ',status="429"')]: '{{upstream}}',
      }),
    ],
    'What goes wrong': [
      graph('Retries and resumed bodies', 'ops', {
        [rate('quayside_upstream_retries_total', 'upstream, reason')]: '{{upstream}} {{reason}}',
      }),
      graph('Wrong bytes', 'short', {
        'sum by (upstream, kind) (increase(quayside_upstream_wrong_content_total{$job}[1h]))':
          '{{upstream}} {{kind}}',
      }),
      graph('Circuit breakers that are not closed', 'short', {
        'max by (upstream, state) (quayside_upstream_breaker_state{$job,state!="closed"})':
          '{{upstream}} {{state}}',
      }),
      graph('Downloads under way, and readers that joined', 'short', {
        'sum(quayside_fills_running{$job})': 'under way',
        'sum(rate(quayside_fill_joined_total{$job}[$__rate_interval]))': 'joined a second',
      }),
    ],
  },
};

const mirror: Dashboard = {
  name: 'quayside-mirror',
  title: 'Quayside: mirror and pruning',
  rows: {
    Queue: [
      number('Processes that copy', 'short', 'sum(quayside_mirror_leader{$job})'),
      number('Parked', 'short', 'sum(quayside_mirror_images{$job,state="parked"})'),
      number('Held', 'short', 'max(quayside_mirror_holds{$job})'),
      number('Oldest waits', 'dtdurations', 'max(quayside_mirror_oldest_waiting_seconds{$job})'),
      graph('Images', 'short', { 'sum by (state) (quayside_mirror_images{$job})': '{{state}}' }),
      graph('Copies', 'ops', {
        [rate('quay_io_ci_images_distributor_image_mirroring_duration_seconds_count', 'state')]: '{{state}}',
      }),
      graph('Duration of a copy, p90', 's', {
        [percentile('quay_io_ci_images_distributor_image_mirroring_duration_seconds', 'state', 0.9)]:
          '{{state}}',
      }),
      graph('Tags to be looked at', 'short', { 'sum(workqueue_depth{$job})': 'waiting' }),
    ],
    Misses: [graph('Missed tags', 'ops', { [rate('quayside_misses_total', 'outcome')]: '{{outcome}}' })],
    Pruning: [
      graph('Objects', 'ops', { [rate('quayside_prune_objects_total', 'outcome')]: '{{outcome}}' }),
      graph('Bytes that became free', 'Bps', {
        'sum(rate(quayside_prune_deleted_bytes_total{$job}[$__rate_interval]))': 'freed',
      }),
      graph('Since the last run', 'dtdurations', {
        'time() - max by (outcome) (quayside_prune_last_run_seconds{$job})': '{{outcome}}',
      }),
    ],
  },
};

const access: Dashboard = {
  name: 'quayside-access',
  title: 'Quayside: who may pull',
  rows: {
    Clusters: [
      graph('Reviews', 'reqps', {
        [rate('quayside_cluster_reviews_total', 'cluster, kind, outcome')]:
          '{{cluster}} {{kind}} {{outcome}}',
      }),
      graph('Duration of a review, p99', 's', {
        [percentile('quayside_cluster_review_duration_seconds', 'cluster, kind', 0.99)]:
          '{{cluster}} {{kind}}',
      }),
      graph('Reviews without an answer', 'reqps', {
        [rate('quayside_cluster_review_failures_total', 'cluster, failure')]: '{{cluster}} {{failure}}',
      }),
      graph('Answered from memory', 'reqps', {
        [rate('quayside_cluster_reviews_remembered_total', 'cluster, kind')]: '{{cluster}} {{kind}}',
      }),
    ],
    Refusals: [
      graph('401 and 403', 'reqps', { [rate('quayside_access_refused_total', 'reason')]: '{{reason}}' }),
      graph('Searches that ended at their limit', 'reqps', {
        [rate('quayside_access_searches_limited_total', 'cluster')]: '{{cluster}}',
      }),
    ],
    'Image streams': [
      graph('State of the index', 'short', {
        'max by (cluster, state) (quayside_stream_index_state{$job} == 1)': '{{cluster}} {{state}}',
      }),
      graph('References', 'short', {
        'max by (cluster) (quayside_stream_index_references{$job})': '{{cluster}}',
      }),
      graph('Looks', 'reqps', {
        [rate('quayside_stream_looks_total', 'cluster, result')]: '{{cluster}} {{result}}',
      }),
    ],
  },
};

const fleet: Dashboard = {
  name: 'quayside-fleet',
  title: 'Quayside: fleet',
  rows: {
    Members: [
      number('Processes', 'short', 'count(quayside_build_info{$job})'),
      number('Fewest members seen', 'short', 'min(quayside_fleet_members{$job})'),
      number(
        'Amplification, 6 h',
        'short',
        'sum(increase(quayside_upstream_received_bytes_total{$job}[6h])) / sum(increase(quayside_fills_stored_bytes_total{$job}[6h]))',
      ),
      graph('Members seen', 'short', { 'quayside_fleet_members{$job}': '{{pod}}' }),
    ],
    'Between members': [
      graph('Bytes of content', 'Bps', {
        [rate('quayside_fleet_bytes_total', 'direction')]: '{{direction}}',
      }),
      graph('Questions, by answer', 'reqps', {
        [rate('quayside_fleet_asked_total', 'kind, answer')]: '{{kind}} {{answer}}',
      }),
      graph('Questions without an answer', 'reqps', {
        'sum(rate(quayside_fleet_failures_total{$job}[$__rate_interval]))': 'failed',
      }),
      graph('Downloads taken over', 'ops', {
        'sum(rate(quayside_fleet_takeovers_total{$job}[$__rate_interval]))': 'taken over',
      }),
      graph('Strangers', 'reqps', {
        'sum(rate(quayside_fleet_strangers_total{$job}[$__rate_interval]))': 'refused',
      }),
    ],
  },
};

/** What is shipped, in the order of who looks first. */
export const dashboards: readonly Dashboard[] = [operator, upstreams, mirror, access, fleet];
