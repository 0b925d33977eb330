import type { Span } from '@opentelemetry/api';
import type { CacheEvents, FillName } from '../../cache/events.ts';
import type { StoreEvents } from '../../store/store.ts';
import type { MeteredEvents } from '../metrics/metrics.ts';
import { known, type Spans } from './spans.ts';

/** What the cache is followed by. */
export function cacheSpans(
  spans: Spans,
  events: MeteredEvents,
): Partial<CacheEvents> & Pick<StoreEvents, 'blobAccessing' | 'called'> {
  /** The downloads under way: one ends behind the request that began it. */
  const fills = new Map<string, Span>();
  return {
    tagResolving: ({ upstream, repository, tag }, run) =>
      spans.step('tag', { attributes: placed({ upstream, repository, tag }) }, run),
    tagLookedUp(event) {
      events.tagLookedUp?.(event);
      const { freshness = 'unknown', digest } = event;
      spans.current?.setAttributes(known({ 'quayside.freshness': freshness, 'oci.manifest.digest': digest }));
    },
    blobAccessing: ({ operation, digest }, run) =>
      spans.step(`store ${operation}`, { attributes: { 'quayside.digest': digest } }, run),
    called(event) {
      events.called(event);
      const { operation, outcome, seconds } = event;
      const attributes = { 'rpc.system': 'aws-api', 'rpc.method': operation, 'quayside.outcome': outcome };
      const span = spans.past(`S3 ${operation}`, seconds, { kind: 'client', attributes });
      if (span !== undefined && outcome === 'error') spans.failed(span, { code: 'S3_ERROR' });
      span?.end();
    },
    fillStarting({ upstream, repository, digest }, run) {
      const attributes = { ...placed({ upstream, repository }), 'quayside.digest': digest };
      const span = spans.below('fill', { attributes });
      if (span === undefined) return run(spans.headers());
      fills.set(keyOf({ upstream, digest }), span);
      return spans.within(span, run);
    },
    joined(event) {
      events.joined(event);
      const { current } = spans;
      const fill = fills.get(keyOf(event));
      if (current === undefined) return;
      if (fill !== undefined) {
        fill.addLink({ context: current.spanContext(), attributes: { 'quayside.link': 'reader' } });
        current.addLink({ context: fill.spanContext(), attributes: { 'quayside.link': 'fill' } });
      }
      current.addEvent('download joined', { 'quayside.digest': event.digest });
    },
    fillEnded(event) {
      const key = keyOf(event);
      const span = fills.get(key);
      if (span === undefined) return events.fillEnded(event);
      fills.delete(key);
      spans.within(span, () => events.fillEnded(event));
      const { outcome, bytes, error } = event;
      span.setAttributes(known({ 'quayside.outcome': outcome, 'quayside.bytes': bytes }));
      if (outcome === 'failed') spans.failed(span, error);
      span.end();
    },
    repaired() {
      events.repaired();
      spans.current?.addEvent('a stored blob is missing or wrong, and is fetched again');
    },
  };
}

interface NamedContent {
  readonly upstream: string;
  readonly repository: string;
  readonly tag?: string;
}

/** Where content is, in the attributes of our own. */
export function placed({ upstream, repository, tag }: NamedContent) {
  return known({ 'quayside.upstream': upstream, 'quayside.repository': repository, 'quayside.tag': tag });
}

function keyOf({ upstream, digest }: FillName): string {
  return `${upstream} ${digest}`;
}
