import type { Attributes } from '@opentelemetry/api';
import type { TraceHeaders } from '../../base/flow/lasting.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import type { MemberAsk } from '../../fleet/protocol/ask.ts';
import type { SentRequest, UpstreamEvents } from '../../upstream/upstream.ts';
import type { MeteredEvents } from '../metrics/metrics.ts';
import { placed } from './cache-spans.ts';
import { known, type Spans } from './spans.ts';

/** Paths of these requests name a repository and nothing secret: see request-trace.ts. */
const openPaths: ReadonlySet<string> = new Set(['ping', 'manifest', 'blob', 'tags', 'referrers', 'upload']);

/**
 * What goes out to upstreams, clusters and other members is followed by. `joined`: the names of
 * upstreams that are told the trace. The number of a trace tells others which of their requests
 * belong together, and asks them to record (W3C Trace Context, "Privacy Considerations").
 */
export function networkSpans(
  spans: Spans,
  events: MeteredEvents,
  joined: ReadonlySet<string>,
): Partial<UpstreamEvents> & Partial<FleetEvents> & Pick<MeteredEvents, 'reviewed'> {
  return {
    requesting(event, run) {
      const { method, kind, upstream } = event;
      const start = { kind: 'client', attributes: requestOf(event) } as const;
      // Storage behind a redirect is another's: it may refuse a field that its signature lacks.
      const isTold = joined.has(upstream) && kind !== 'cdn';
      const sent = (headers: TraceHeaders) => run(isTold ? headers : {});
      return spans.step(`upstream ${method} ${kind}`, start, sent);
    },
    requested(event) {
      events.requested(event);
      const { current } = spans;
      if (current === undefined) return;
      if (event.status > 0) current.setAttribute('http.response.status_code', event.status);
      // For a client, 4xx is a failure too (HTTP conventions); 401 is how each login begins.
      if (event.status >= 400) current.setAttribute('error.type', String(event.status));
      if (event.status >= 500) spans.failed(current, { code: String(event.status) });
    },
    retried(event) {
      events.retried(event);
      spans.current?.addEvent('upstream asked again', { 'quayside.reason': event.reason });
    },
    reviewed(event) {
      events.reviewed(event);
      const { cluster, kind, outcome, seconds, status } = event;
      const attributes = known({
        'quayside.cluster': cluster,
        'quayside.outcome': outcome,
        'http.response.status_code': status,
      });
      const span = spans.past(`cluster ${kind}`, seconds, { kind: 'client', attributes });
      if (span !== undefined && outcome === 'failed') spans.failed(span, { code: 'UNAVAILABLE' });
      span?.end();
    },
    memberAsking: ({ member, ask }, run) =>
      spans.step(`peer ${ask.kind}`, { kind: 'client', attributes: peerOf(member, ask) }, run),
    memberAnswering({ ask, trace }, run) {
      const parent = spans.parentIn(trace);
      if (parent === undefined) return run({});
      const span = spans.start(`peer ${ask.kind}`, { kind: 'server', parent, attributes: askOf(ask) });
      return spans.during(span, run);
    },
    memberAnswered(event) {
      events.memberAnswered(event);
      spans.current?.setAttribute('quayside.answer', event.word);
    },
    memberFailed(event) {
      events.memberFailed(event);
      spans.current?.addEvent('a member failed', { 'quayside.member': event.member });
    },
  };
}

function requestOf({ upstream, kind, method, url }: SentRequest): Attributes {
  const isOpen = openPaths.has(kind) && url.pathname.includes('/v2/');
  const { hostname, port, protocol, pathname, origin } = url;
  const isTls = protocol === 'https:';
  return known({
    'http.request.method': method,
    'server.address': hostname,
    'server.port': port === '' ? (isTls ? 443 : 80) : Number(port),
    'url.full': isOpen ? `${origin}${pathname}` : undefined,
    'quayside.upstream': upstream,
    'quayside.kind': kind,
  });
}

function peerOf(member: string, ask: MemberAsk): Attributes {
  return { ...askOf(ask), 'quayside.member': member };
}

function askOf(ask: MemberAsk): Attributes {
  const { upstream, repository } = ask;
  const tag = ask.kind === 'manifest' ? ask.tag : undefined;
  const digest = 'digest' in ask ? ask.digest : undefined;
  return {
    ...placed({ upstream, repository, ...(tag !== undefined && { tag }) }),
    ...known({ 'quayside.digest': digest }),
  };
}
