import { randomBytes } from 'node:crypto';
import { createOutage } from '../base/state/outage.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type Condition, type ConditionPublisher, conditionText, isFault } from './condition.ts';

interface EventOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  /** The pod that the Events are about; `uid` is what `kubectl describe` looks for. */
  readonly pod: { readonly name: string; readonly uid?: string };
  /** Told when Events cannot be written, and when they can again. */
  readonly failed: (error: unknown) => void;
  readonly worked: () => void;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly wall?: () => number;
}

const controller = 'quayside';
const longestNote = 1_000;
/** Events that wait for the API server; of more the oldest are dropped. */
const mostWaiting = 100;
const closeMs = 2_000;

/**
 * One Event of `events.k8s.io/v1` for each change of a status, about our pod. Needs the right to
 * create them in the namespace.
 */
export function createEventPublisher(options: EventOptions): ConditionPublisher {
  const { client, namespace, pod, wall = Date.now } = options;
  const outage = createOutage({ began: options.failed, ended: options.worked });
  const ending = new AbortController();
  const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
  const waiting: object[] = [];
  let writing: Promise<void> | undefined;

  function eventOf(condition: Condition): object {
    const { status, reason, message, type } = condition;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${controller}.${randomBytes(8).toString('hex')}`, namespace },
      eventTime: new Date(wall()).toISOString().replace('Z', '000Z'),
      reportingController: controller,
      reportingInstance: pod.name.slice(0, 128),
      action: type,
      reason: oneWord(reason),
      type: isFault(condition) ? 'Warning' : 'Normal',
      note: `${conditionText(condition)} is ${status}: ${message}`.slice(0, longestNote),
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace, ...pod },
    };
  }

  async function write(): Promise<void> {
    for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
      const body = JSON.stringify(event);
      await client
        .text({ method: 'POST', path, body, signal: ending.signal })
        .then(outage.worked, outage.failed);
    }
  }

  return {
    publish(_report, changed) {
      waiting.push(...changed.map(eventOf));
      waiting.splice(0, waiting.length - mostWaiting);
      writing ??= write().finally(() => {
        writing = undefined;
      });
    },
    async close() {
      const timer = setTimeout(() => ending.abort(new Error('the service is shutting down')), closeMs);
      await writing;
      clearTimeout(timer);
    },
  };
}

/** `S3 Bucket Exists` as `S3BucketExists`. */
function oneWord(reason: string): string {
  return reason.replaceAll(' ', '').slice(0, 128);
}
