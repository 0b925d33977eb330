import { AsyncLocalStorage } from 'node:async_hooks';
import type { Log, PlainFields } from './log.ts';
import type { MeteredEvents } from './metrics/metrics.ts';

/** What happens to a request, in the log at level `debug`, each line with the request's id. */
export interface RequestTrace {
  /** Whether the log's level allows; follows it. */
  readonly isOn: boolean;
  /** Calls `serve`; its effects are logged under this id. */
  enter(requestId: string, serve: () => void): void;
  /** The same events, of which those that a request causes are also written. */
  traced(events: MeteredEvents): MeteredEvents;
}

/**
 * Paths of these requests below `/v2/` name a repository and nothing secret. Others, such as what a
 * redirect leads to, may be signed: of them only the host is written. No query ever is.
 */
const openPaths: ReadonlySet<string> = new Set(['ping', 'manifest', 'blob', 'tags', 'referrers']);

/**
 * The modules below the proxy know no request, so its id travels with the asynchronous calls. At
 * any other level no request has one there, and the events are those that were given. A download
 * and a question that several requests wait for bear the id of the request that began them.
 */
export function createRequestTrace(log: Log): RequestTrace {
  const lines = log.child({ component: 'trace' });
  const current = new AsyncLocalStorage<string>();
  /** The requests that began the downloads under way. */
  const beginners = new Map<string, string>();

  function told<Event>(
    passOn: ((event: Event) => void) | undefined,
    message: string,
    fieldsOf: (event: Event, requestId: string) => PlainFields,
  ): (event: Event) => void {
    return (event) => {
      passOn?.(event);
      const requestId = current.getStore();
      if (requestId !== undefined) lines.debug({ requestId, ...fieldsOf(event, requestId) }, message);
    };
  }

  const writing = (events: MeteredEvents): Partial<MeteredEvents> => ({
    parsed: told(events.parsed, 'request parsed', ({ request }) => {
      if (request.kind === 'ping') return { kind: request.kind };
      const { kind, repository } = request;
      return { kind, repository, ...(kind === 'manifest' ? request.reference : digestOf(request)) };
    }),
    hostFound: told(events.hostFound, 'host found', ({ name, upstream }) => ({ host: name, upstream })),
    identified: told(events.identified, 'subject identified', ({ subject, cluster, upstream }) => ({
      subject,
      cluster,
      upstream,
    })),
    decided: told(events.decided, 'access decided', ({ rule, question, verdict, asked }) => ({
      rule,
      question,
      verdict,
      asked,
    })),
    accessRefused: told(events.accessRefused, 'access refused', (event) => event),
    limitRefused: told(events.limitRefused, 'refused by a limit', (event) => event),
    reviewed: told(events.reviewed, 'cluster reviewed', ({ cluster, kind, outcome, seconds }) => ({
      cluster,
      review: kind,
      outcome,
      ms: wholeMs(seconds),
    })),
    remembered: told(events.remembered, 'cluster answer remembered', ({ cluster, kind }) => ({
      cluster,
      review: kind,
    })),
    tagLookedUp: told(events.tagLookedUp, 'tag looked up', ({ checkedAt, ...event }) => ({
      freshness: 'unknown',
      ...event,
      ageMs: ageOf(checkedAt),
    })),
    readyFound: told(events.readyFound, 'fresh manifest found in memory', ({ checkedAt, ...event }) => ({
      ...event,
      ageMs: ageOf(checkedAt),
    })),
    memberLookedUp: told(events.memberLookedUp, 'membership looked up', (event) => event),
    copyLookedUp: told(events.copyLookedUp, 'copy looked up', (event) => event),
    called: told(events.called, 'S3 called', ({ operation, outcome, seconds }) => ({
      operation,
      outcome,
      ms: wholeMs(seconds),
    })),
    fillStarted: told(events.fillStarted, 'download started', (event, requestId) => {
      beginners.set(keyOf(event), requestId);
      return { ...event };
    }),
    joined: told(events.joined, 'download joined', (event) => ({
      ...event,
      begunBy: beginners.get(keyOf(event)),
    })),
    fillEnded: told(
      (event) => {
        events.fillEnded(event);
        beginners.delete(keyOf(event));
      },
      'download ended',
      ({ upstream, digest, outcome }) => ({ upstream, digest, outcome }),
    ),
    requestSent: told(events.requestSent, 'upstream asked', ({ upstream, kind, method, url }) => ({
      upstream,
      kind,
      method,
      host: url.host,
      path: openPaths.has(kind) && url.pathname.includes('/v2/') ? url.pathname : undefined,
    })),
    requested: told(events.requested, 'upstream answered', ({ upstream, kind, status, seconds }) => ({
      upstream,
      kind,
      status,
      ms: wholeMs(seconds),
    })),
    retried: told(events.retried, 'upstream asked again', (event) => event),
    manifestStored: told(events.manifestStored, 'manifest stored', (event) => event),
    storeFailed: told(events.storeFailed, 'store failed', ({ operation }) => ({ operation })),
    read: told(events.read, 'answered', (event) => event),
  });

  const trace = {
    isOn: false,
    enter: (requestId: string, serve: () => void): void => current.run(requestId, serve),
    traced(events: MeteredEvents): MeteredEvents {
      const written = writing(events);
      const given = Object.fromEntries(Object.keys(written).map((name) => [name, Reflect.get(events, name)]));
      const heard = { ...events, ...given };
      const follow = (): void => {
        beginners.clear();
        Object.assign(heard, trace.isOn ? written : given);
      };
      log.on('level-change', follow);
      follow();
      return heard;
    },
  };
  const follow = (): void => {
    trace.isOn = lines.isLevelEnabled('debug');
  };
  log.on('level-change', follow);
  follow();
  return trace;
}

function digestOf(request: object): PlainFields {
  return 'digest' in request && typeof request.digest === 'string' ? { digest: request.digest } : {};
}

function keyOf({ upstream, digest }: { readonly upstream: string; readonly digest: string }): string {
  return `${upstream} ${digest}`;
}

function ageOf(checkedAt: number | undefined): number | undefined {
  return checkedAt === undefined ? undefined : Date.now() - checkedAt;
}

function wholeMs(seconds: number): number {
  return Math.round(seconds * 1000);
}
