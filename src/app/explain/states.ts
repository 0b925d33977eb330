import { createLru } from '../../base/state/lru.ts';
import { defined } from '../../base/text/defined.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import type { UpstreamFacts } from '../../explain/sources.ts';
import type { MeteredEvents } from '../../telemetry/metrics/metrics.ts';
import { causeText } from './cause.ts';

type ReachState = Pick<UpstreamFacts, 'breaker' | 'breakerAt' | 'limits'>;

const mostUpstreams = 1_000;
const longestLimit = 60;
const longestFailure = 200;
const troubleMs = 60_000;

/** What passing events say of each upstream's breaker, and of the pulls that it still allows. */
export class UpstreamStates {
  #storeFailure: { readonly text: string; readonly at: number } | undefined;
  readonly #states = createLru<string, ReachState>(mostUpstreams);

  /** The same events, which are also noted here. */
  noted(events: MeteredEvents): MeteredEvents {
    return {
      ...events,
      breakerChanged: (event) => {
        events.breakerChanged(event);
        this.#change(event.upstream, { breaker: event.state, breakerAt: Date.now() });
      },
      storeFailed: (event) => {
        events.storeFailed(event);
        const { operation, error } = event;
        const why = causeText(error) ?? (error instanceof Error ? error.message : String(error));
        const text = `the last ${operation} of the store failed: ${oneLine(scrubbed(why), longestFailure)}`;
        this.#storeFailure = { text, at: Date.now() };
      },
      allowanceTold: (event) => {
        events.allowanceTold?.(event);
        const { upstream, limit, remaining } = event;
        const text = `${remaining} left${limit === undefined ? '' : ` of ${limit}`}`;
        this.#change(upstream, { limits: { text: oneLine(text, longestLimit), at: Date.now() } });
      },
    };
  }

  /** The last failure of the store, for a minute. */
  storeTrouble(): { readonly text: string; readonly at: number } | undefined {
    const failure = this.#storeFailure;
    return failure !== undefined && Date.now() - failure.at < troubleMs ? failure : undefined;
  }

  /** A breaker that never changed is closed. */
  of(upstream: string): ReachState {
    return { breaker: 'closed', ...this.#states.get(upstream) };
  }

  #change(upstream: string, change: ReachState): void {
    this.#states.set(upstream, { ...this.#states.get(upstream), ...defined(change) });
  }
}
