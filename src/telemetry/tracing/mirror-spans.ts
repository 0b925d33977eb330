import type { MirrorEvents } from '../../mirror/events.ts';
import type { MissEvents } from '../../mirror/fallback/fallback.ts';
import type { MeteredEvents } from '../metrics/metrics.ts';
import { known, type Spans } from './spans.ts';
import { parseTraceparent, traceHeaders } from './traceparent.ts';

/** What the mirror is followed by: each try of a task is a trace, linked to what asked for it. */
export function mirrorSpans(
  spans: Spans,
  events: MeteredEvents,
): Partial<MissEvents> & Partial<Pick<MirrorEvents, 'mirroring' | 'copying' | 'imageMirrored'>> {
  return {
    missCause: () => spans.recorded && traceHeaders(spans.recorded)['traceparent'],
    missed(event) {
      events.missed(event);
      spans.current?.addEvent('miss', { 'quayside.outcome': event.outcome });
    },
    mirroring({ source, destination, owner, attempts, cause }, run) {
      const asked = parseTraceparent(cause);
      const attributes = {
        ...{ 'quayside.source': source, 'quayside.destination': destination },
        ...{ 'quayside.owner': owner, 'quayside.attempts': attempts },
      };
      const span = spans.start('mirror task', { attributes, links: asked === undefined ? [] : [asked] });
      return spans.during(span, run);
    },
    copying: ({ source, destination }, run) =>
      spans.step(
        'copy',
        { attributes: { 'quayside.source': source, 'quayside.destination': destination } },
        run,
      ),
    imageMirrored(event) {
      events.imageMirrored(event);
      spans.current?.setAttributes(known({ 'quayside.outcome': event.state }));
    },
  };
}
