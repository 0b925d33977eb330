import { hostname } from 'node:os';
import { createNetworkMatcher } from '../../base/text/networks.ts';
import type { Log } from '../log.ts';
import type { Exemplar } from '../metrics/exemplars.ts';
import type { MeteredEvents } from '../metrics/metrics.ts';
import { cacheSpans } from './cache-spans.ts';
import { fileWarnings, type TracingEnvironment, tracingIn } from './environment.ts';
import { mirrorSpans } from './mirror-spans.ts';
import { networkSpans } from './network-spans.ts';
import { requestSpans } from './request-spans.ts';
import { Spans } from './spans.ts';

/** Traces of what this process does. */
export interface Tracing {
  /** The same events, of which spans are made. */
  spanned(events: MeteredEvents): MeteredEvents;
  /** Names the span that runs now, if it is recorded. */
  readonly exemplar: () => Exemplar | undefined;
  /** Sends what waits, within 2 s. Never rejects. */
  close(): Promise<void>;
}

interface TracingOptions {
  readonly env: TracingEnvironment;
  readonly log: Log;
  readonly version: string;
  /** The number of this process among several. Default: it is alone. */
  readonly worker?: number | undefined;
  /** Networks (CIDR) whose `traceparent` is a parent. Default: every one. */
  readonly trustedParents?: readonly string[] | undefined;
  /** Names of upstreams that get a `traceparent`. */
  readonly upstreams: readonly string[];
}

/**
 * Undefined where the environment asks for none: then nothing of OpenTelemetry is loaded. Tells of
 * wrong values, and of a collector that does not answer, in the log. Never rejects.
 */
export async function configuredTracing(options: TracingOptions): Promise<Tracing | undefined> {
  const { env, version, worker, trustedParents, upstreams } = options;
  const log = options.log.child({ component: 'tracing' });
  const { settings, warnings } = tracingIn(env);
  for (const warning of warnings) log.warn(warning);
  if (settings === undefined) return undefined;
  for (const warning of await fileWarnings(env)) log.warn(warning);
  const { createSpanSource } = await import('./sdk.ts');
  const { host: collector } = new URL(settings.url);
  const resource = {
    'service.version': version,
    'service.instance.id': worker === undefined ? hostname() : `${hostname()}-${worker}`,
    'host.name': hostname(),
    ...settings.resource,
  };
  const source = createSpanSource(
    { ...settings, resource },
    {
      failed: (error) =>
        log.warn(
          { collector, err: error },
          'the collector takes no spans; they are dropped until it does; pulls continue',
        ),
      worked: () => log.info({ collector }, 'the collector takes spans again'),
    },
  );
  const { kind, isParentBased, ratio } = settings.sampler;
  const sampler = `${isParentBased ? 'parentbased_' : ''}${kind}`;
  log.info({ collector, protocol: settings.protocol, sampler, ratio }, 'traces are sent to a collector');
  const spans = new Spans(source, settings.propagates);
  const isTrusted = trustedParents === undefined ? () => true : createNetworkMatcher(trustedParents);
  return {
    spanned: (events) => ({
      ...events,
      ...requestSpans(spans, events, isTrusted),
      ...cacheSpans(spans, events),
      ...networkSpans(spans, events, new Set(upstreams)),
      ...mirrorSpans(spans, events),
    }),
    exemplar() {
      const { recorded } = spans;
      return recorded && { trace_id: recorded.traceId, span_id: recorded.spanId };
    },
    close: () => source.close(),
  };
}
