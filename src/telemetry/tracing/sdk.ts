import { ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { createOutage } from '../../base/state/outage.ts';
import { withTimeout } from '../../base/time/wait.ts';
import type { TracingSettings } from './environment.ts';
import { linksTo, type SpanSource } from './spans.ts';

/** What becomes of the collector. */
interface CollectorEvents {
  /** The first of several sends in a row that failed: spans are lost. */
  failed(error: unknown): void;
  worked(): void;
}

/** What is left is sent within this at the end, milliseconds. */
const lastMs = 2_000;

/** What is done behind an answer has begun by then, milliseconds after the end of the span. */
const behindMs = 10_000;

/** A download of a much wanted layer has as many readers. */
const mostLinks = 1_024;

/** A path, or what a client calls itself, may be long. */
const longestValue = 1_024;

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/** The only module that loads the SDK; itself loaded only where tracing is on. */
export function createSpanSource(settings: TracingSettings, events: CollectorEvents): SpanSource {
  const processor = new BatchSpanProcessor({
    ...settings.batch,
    exporter: told(exporterOf(settings), events),
  });
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes(settings.resource)),
    sampler: samplerOf(settings),
    spanLimits: { linkCountLimit: mostLinks, attributeValueLengthLimit: longestValue },
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('quayside');
  return {
    start(name, { kind, parent, attributes = {}, links = [], startedAt }) {
      const within = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
      return tracer.startSpan(
        name,
        {
          kind: kind === undefined ? SpanKind.INTERNAL : kinds[kind],
          attributes,
          links: linksTo(links),
          ...(startedAt !== undefined && { startTime: startedAt }),
        },
        within,
      );
    },
    hasMore(span) {
      if (span.isRecording()) return true;
      const endedAt = isReadable(span) ? hrTimeToMs(span.endTime) : 0;
      return endedAt > Date.now() - behindMs;
    },
    failed(span: Span, type: string) {
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
    async close() {
      const ended = provider.shutdown().catch(() => undefined);
      await withTimeout(ended, lastMs, () => undefined);
    },
  };
}

/** Spans of the SDK that are recorded can be read, which the API does not say. */
function isReadable(span: object): span is Pick<ReadableSpan, 'endTime'> {
  return 'endTime' in span;
}

function hrTimeToMs([seconds, nanoseconds]: ReadableSpan['endTime']): number {
  return seconds * 1_000 + nanoseconds / 1e6;
}

function exporterOf({ protocol, url, headers, timeoutMs, compression }: TracingSettings): SpanExporter {
  const Exporter = protocol === 'http/json' ? JsonExporter : ProtobufExporter;
  return new Exporter({
    ...{ url, headers, timeoutMillis: timeoutMs, userAgent: 'quayside' },
    ...(compression === 'gzip' && { compression: gzip }),
  });
}

/** The exporters' word for it, which their package does not export as a value. */
const gzip = 'gzip' as NonNullable<ConstructorParameters<typeof JsonExporter>[0]>['compression'] & string;

/** The same exporter, and it is told how it fares. */
function told(exporter: SpanExporter, { failed, worked }: CollectorEvents): SpanExporter {
  const outage = createOutage({ began: failed, ended: worked });
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error === undefined) outage.worked();
        else outage.failed(result.error);
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

function samplerOf({ sampler: { isParentBased, kind, ratio } }: TracingSettings): Sampler {
  const root =
    kind === 'always_on'
      ? new AlwaysOnSampler()
      : kind === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}
