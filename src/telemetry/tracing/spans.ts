// Room `telemetry/tracing`: traces of OpenTelemetry. In: events of other rooms, the environment.
// Out: spans for a collector. Imports: base; types of cache, fleet, fleet/protocol, mirror,
// mirror/fallback, proxy, store, telemetry, telemetry/metrics, upstream.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import type { Attributes, Link, Span, SpanContext } from '@opentelemetry/api';
import type { TraceHeaders } from '../../base/flow/lasting.ts';
import { fieldsOf } from '../../base/text/json.ts';
import { parentIn, traceHeaders } from './traceparent.ts';

/** How a span begins. Times are milliseconds since the epoch. */
export interface SpanStart {
  /** Default: part of this process's work. */
  readonly kind?: 'server' | 'client';
  /** Default: it begins a trace. */
  readonly parent?: SpanContext | undefined;
  readonly attributes?: Attributes;
  readonly links?: readonly SpanContext[];
  /** Default: now. */
  readonly startedAt?: number;
}

/** Makes spans and sends them; see sdk.ts. */
export interface SpanSource {
  start(name: string, start: SpanStart): Span;
  /**
   * Whether it is recorded, and open or ended within the last 10 s: what is done behind an answer
   * belongs to it, and a loop that it began, such as the pings of an upstream that is down, does
   * not.
   */
  hasMore(span: Span): boolean;
  /** Marks it as failed; the type is a code, never a text of a stranger. */
  failed(span: Span, type: string): void;
  /** Sends what waits, within a limit. Never rejects. */
  close(): Promise<void>;
}

/** The flag of a trace that is recorded (W3C Trace Context 3.2.2.5.1). */
const sampled = 1;

/** What these say is the answer to a question, and no failure of the one who asked. */
const answers: ReadonlySet<string> = new Set([
  ...['UNAUTHORIZED', 'DENIED', 'NAME_UNKNOWN', 'MANIFEST_UNKNOWN', 'BLOB_UNKNOWN'],
  ...['NAME_INVALID', 'RANGE_INVALID', 'AbortError', 'ClientGone'],
]);

/** The spans of this process, each a child of what runs when it begins. */
export class Spans {
  readonly #source: SpanSource;
  readonly #propagates: boolean;
  readonly #current = new AsyncLocalStorage<Span>();

  constructor(source: SpanSource, propagates: boolean) {
    this.#source = source;
    this.#propagates = propagates;
  }

  /** What runs now; undefined for what no request and no task caused. */
  get current(): Span | undefined {
    return this.#current.getStore();
  }

  /** The same, if it is recorded. */
  get recorded(): SpanContext | undefined {
    const context = this.current?.spanContext();
    return context !== undefined && (context.traceFlags & sampled) !== 0 ? context : undefined;
  }

  /** Begins a span that its caller ends. */
  start(name: string, start: SpanStart): Span {
    return this.#source.start(name, start);
  }

  /** Begins a span below what runs now; undefined where nothing does that is recorded. */
  below(name: string, start: SpanStart = {}): Span | undefined {
    const { current } = this;
    if (current === undefined || !this.#source.hasMore(current)) return undefined;
    return this.#source.start(name, { ...start, parent: current.spanContext() });
  }

  /** Of what was done by now, below what runs. */
  past(name: string, seconds: number, start: SpanStart = {}): Span | undefined {
    return this.below(name, { ...start, startedAt: Date.now() - seconds * 1000 });
  }

  /** Runs within the span. */
  within<Result>(span: Span, run: (headers: TraceHeaders) => Result): Result {
    return this.#current.run(span, run, this.headersOf(span));
  }

  /** Runs within the span, which ends with what that returns. */
  during<Result>(span: Span, run: (headers: TraceHeaders) => Result): Result {
    const failed = (error: unknown): void => {
      this.failed(span, error);
      span.end();
    };
    try {
      const result = this.within(span, run);
      if (result instanceof Promise) result.then(() => span.end(), failed);
      else span.end();
      return result;
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  /** The same below what runs now, or without a span where nothing does that is recorded. */
  step<Result>(name: string, start: SpanStart, run: (headers: TraceHeaders) => Result): Result {
    const span = this.below(name, start);
    return span === undefined ? run(this.headers()) : this.during(span, run);
  }

  /** The span that a request names as its parent, where such are taken in. */
  parentIn(headers: IncomingHttpHeaders | TraceHeaders): SpanContext | undefined {
    return this.#propagates ? parentIn(headers) : undefined;
  }

  /** What is passed on of the trace that runs now, recorded or not. */
  headers(): TraceHeaders {
    const { current } = this;
    return current === undefined ? {} : this.headersOf(current);
  }

  headersOf(span: Span): TraceHeaders {
    return this.#propagates ? traceHeaders(span.spanContext()) : {};
  }

  /** What it failed with, as a code: a message may hold anything. */
  failed(span: Span, error: unknown): void {
    const { code } = fieldsOf(error);
    const type = typeof code === 'string' ? code : error instanceof Error ? error.name : 'Error';
    if (answers.has(type)) span.setAttribute('error.type', type);
    else this.#source.failed(span, type);
  }
}

/** Links to spans of other traces, or of this one. */
export function linksTo(contexts: readonly SpanContext[]): Link[] {
  return contexts.map((context) => ({ context }));
}

/** Those that are known. */
export function known(
  attributes: Readonly<Record<string, string | number | boolean | undefined>>,
): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
