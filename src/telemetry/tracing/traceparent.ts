import type { IncomingHttpHeaders } from 'node:http';
import type { SpanContext } from '@opentelemetry/api';
import type { TraceHeaders } from '../../base/flow/lasting.ts';

/** Version, trace, parent and flags; of a later version more may follow (W3C Trace Context 3.2). */
const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const noTrace = '0'.repeat(32);
const noSpan = '0'.repeat(16);

/**
 * The span that a `traceparent` names; undefined for one that is malformed. Of its flags only
 * `sampled` is taken over, and no `tracestate`: it is the senders' own, and may be 512 characters.
 */
export function parseTraceparent(text: unknown): SpanContext | undefined {
  if (typeof text !== 'string' || text.length > 128) return undefined;
  const [, version, traceId = noTrace, spanId = noSpan, flags = '', rest] = form.exec(text.trim()) ?? [];
  const isLater = version !== '00';
  if (version === undefined || version === 'ff' || (rest !== undefined && !isLater)) return undefined;
  if (traceId === noTrace || spanId === noSpan) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

/** The span that the headers of a request name as its parent. */
export function parentIn(headers: IncomingHttpHeaders | TraceHeaders): SpanContext | undefined {
  return parseTraceparent(headers['traceparent']);
}

/** Header fields that make what another process does a part of the trace. */
export function traceHeaders({ traceId, spanId, traceFlags }: SpanContext): TraceHeaders {
  return { traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}` };
}
