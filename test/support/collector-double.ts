import { createServer, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import type { Test } from 'tap';
import { until } from './bodies.ts';
import { listening } from './listening.ts';
import { spansInJson, spansInProtobuf } from './otlp.ts';

/** A span as a collector gets it. */
export interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentId: string;
  /** When it began, milliseconds since the epoch, and how long it took. */
  readonly startedAt: number;
  readonly ms: number;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly events: readonly string[];
  readonly hasFailed: boolean;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** A collector of traces: OTLP over HTTP, JSON and protobuf. */
export interface CollectorDouble {
  readonly url: string;
  /** What makes a service send to it, quickly. */
  readonly env: Readonly<Record<string, string>>;
  readonly spans: readonly SentSpan[];
  /** The headers of the last request. */
  headers(): IncomingHttpHeaders;
  /** What was posted, as text. */
  text(): string;
  /** Answers with this status from now on; 0: never. */
  answers(status: number): void;
  /** The spans of that name, once there are so many. */
  named(name: string, count?: number): Promise<readonly SentSpan[]>;
  /** The span of that name. */
  one(name: string): Promise<SentSpan>;
}

/** A collector that ends with its test. */
export async function collectorDouble(t: Test): Promise<CollectorDouble> {
  const { close, ...double } = await startCollector();
  t.teardown(close);
  return double;
}

/** A collector that its caller closes. */
export async function startCollector(): Promise<CollectorDouble & { close(): Promise<void> }> {
  const spans: SentSpan[] = [];
  const texts: string[] = [];
  let headers: IncomingHttpHeaders = {};
  let status = 200;
  const server = createServer(async (request, response) => {
    const sent = await buffer(request);
    headers = request.headers;
    const bytes = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
    if (status === 0) return;
    if (status === 200 && request.url === '/v1/traces') {
      const isJson = headers['content-type'] === 'application/json';
      texts.push(bytes.toString('latin1'));
      spans.push(...(isJson ? spansInJson(bytes) : spansInProtobuf(bytes)));
    }
    response.writeHead(status, { 'content-type': headers['content-type'] ?? '' });
    response.end(headers['content-type'] === 'application/json' ? '{}' : '');
  });
  const { host, close } = await listening(server);
  const of = (name: string) => spans.filter((span) => span.name === name);
  const url = `http://${host}`;
  const named = async (name: string, count = 1) => {
    await until(() => of(name).length >= count, `${count} spans ${name}`);
    return of(name);
  };
  return {
    close,
    url,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '20' },
    spans,
    headers: () => headers,
    text: () => texts.join('\n'),
    answers: (wanted) => {
      status = wanted;
    },
    named,
    async one(name) {
      const [found] = await named(name);
      if (found === undefined) throw new Error(`no span ${name}`);
      return found;
    },
  };
}
