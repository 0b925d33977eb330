import type { Attributes } from '@opentelemetry/api';
import type { AnsweredFacts, IncomingFacts, ProxyEvents } from '../../proxy/events.ts';
import type { MeteredEvents } from '../metrics/metrics.ts';
import { known, type Spans } from './spans.ts';

/** The end-points of the distribution spec, by kind. */
const routes: Partial<Record<IncomingFacts['kind'], string>> = {
  ping: '/v2/',
  token: '/v2/auth',
  manifest: '/v2/<name>/manifests/<reference>',
  blob: '/v2/<name>/blobs/<digest>',
  tags: '/v2/<name>/tags/list',
  referrers: '/v2/<name>/referrers/<digest>',
};

const longestText = 300;

/** What requests are followed by. `trusts`: whether that client's `traceparent` is a parent. */
export function requestSpans(
  spans: Spans,
  events: MeteredEvents,
  trusts: (client: string) => boolean,
): Partial<ProxyEvents> {
  return {
    requestOpened(incoming) {
      if (incoming.kind === 'other') return undefined;
      const given = spans.parentIn(incoming.headers);
      // A stranger's trace is linked, and not joined: it must not decide what is recorded here.
      const isJoined = given !== undefined && trusts(incoming.client);
      const span = spans.start(`${incoming.method} ${routes[incoming.kind] ?? '/v2/*'}`, {
        kind: 'server',
        parent: isJoined ? given : undefined,
        links: given === undefined || isJoined ? [] : [given],
      });
      if (span.isRecording()) span.setAttributes(attributesOf(incoming));
      const { traceId } = span.spanContext();
      return {
        traceId: span.isRecording() ? traceId : undefined,
        within: (serve) => spans.within(span, () => serve()),
        ended(facts, tell) {
          spans.within(span, tell);
          if (span.isRecording()) span.setAttributes(answerOf(facts));
          // By the conventions, what a client did wrong is no failure of the server.
          if (facts.status >= 500) spans.failed(span, { code: facts.error ?? String(facts.status) });
          span.end();
        },
      };
    },
    admitting: (_parsed, run) => spans.step('access', {}, run),
    decided(event) {
      events.decided?.(event);
      const { rule, verdict, asked } = event;
      spans.current?.setAttributes(
        known({ 'quayside.rule': rule, 'quayside.verdict': verdict, 'quayside.asked': asked }),
      );
    },
    accessRefused(event) {
      events.accessRefused(event);
      spans.current?.setAttribute('quayside.refusal', event.reason);
    },
    limitRefused(event) {
      events.limitRefused(event);
      spans.current?.addEvent('refused by a limit', { ...event });
    },
  };
}

function attributesOf(incoming: IncomingFacts): Attributes {
  const { kind, method, path, headers, isTls, client, requestId } = incoming;
  return known({
    'http.request.method': method,
    'http.route': routes[kind],
    'url.path': path,
    'url.scheme': isTls ? 'https' : 'http',
    ...hostOf(headers.host),
    'client.address': client,
    'user_agent.original': headers['user-agent']?.slice(0, longestText),
    'quayside.request_id': requestId,
    'quayside.kind': kind,
  });
}

function hostOf(host = ''): Attributes {
  if (host.length > longestText || !URL.canParse(`http://${host}`)) return {};
  const { hostname, port } = new URL(`http://${host}`);
  return known({ 'server.address': hostname, 'server.port': port === '' ? undefined : Number(port) });
}

function answerOf({ status, hit, upstream, cluster, bytes, error, firstByteMs, ...facts }: AnsweredFacts) {
  return known({
    'http.response.status_code': status,
    'http.response.body.size': bytes,
    'error.type': status >= 400 ? (error ?? String(status)) : undefined,
    'quayside.cache': hit,
    'quayside.upstream': upstream,
    'quayside.cluster': cluster,
    'quayside.rule': facts.rule,
    'quayside.verdict': facts.verdict,
    'quayside.first_byte_ms': firstByteMs,
  });
}
