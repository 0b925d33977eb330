import { createOutage } from '../base/state/outage.ts';
import { isObject, isText } from '../base/text/json.ts';
import { type Clock, systemClock, type Timer, withTimeout } from '../base/time/wait.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { unless } from '../kubernetes/failure.ts';
import type { ConditionPublisher, ConditionReport } from './condition.ts';
import { type ConfigMapData, mergedData, type ReplicaEntry } from './config-map-data.ts';
import { reportJson } from './report-text.ts';

interface ConfigMapOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  readonly name: string;
  /** This replica's name, such as that of its pod. */
  readonly replica: string;
  readonly failed: (error: unknown) => void;
  readonly worked: () => void;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly wall?: () => number;
}

/** A ConfigMap as it travels; all that we do not know of it is kept. */
interface ConfigMapBody {
  readonly metadata?: object;
  readonly data?: ConfigMapData;
}

/** Changes are gathered for so long, and written at most so often, milliseconds. */
const gatherMs = 1_000;
/** Another replica drops what is three times as old, milliseconds. */
const refreshMs = 5 * 60_000;
/** After a failed write, milliseconds. */
const againMs = 30_000;
const tries = 5;
const closeMs = 3_000;

/**
 * This replica's conditions in a ConfigMap that all replicas share, beside a summary of all of
 * them. Needs the right to get and update it, and to create it where it is not there. The API
 * server settles races by `resourceVersion`.
 */
export function createConfigMapPublisher(options: ConfigMapOptions): ConditionPublisher {
  const { client, namespace, name, replica, clock = systemClock, wall = Date.now } = options;
  const outage = createOutage({ began: options.failed, ended: options.worked });
  const ending = new AbortController();
  const all = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;
  const one = `${all}/${encodeURIComponent(name)}`;
  let current: ConditionReport | undefined;
  let timer: Timer | undefined;
  let isGathering = false;
  let isClosed = false;
  let writing = Promise.resolve();

  async function written(report: ConditionReport, isLeaving: boolean): Promise<boolean> {
    const { signal } = ending;
    const found = await unless(404, client.json<ConfigMapBody>({ path: one, signal }));
    const now = wall();
    const entry: ReplicaEntry = {
      ...reportJson(report),
      writtenAt: new Date(now).toISOString(),
      ...(isLeaving ? { stoppedAt: new Date(now).toISOString() } : {}),
    };
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: found?.metadata ?? { name, namespace },
      data: mergedData(dataOf(found), replica, entry, now),
    });
    const to =
      found === undefined
        ? ({ method: 'POST', path: all } as const)
        : ({ method: 'PUT', path: one } as const);
    return (await unless(409, client.text({ ...to, body, signal }))) !== undefined;
  }

  /** Resolves to the pause before the next one, milliseconds. */
  async function write(isLeaving: boolean): Promise<number> {
    if (current === undefined) return refreshMs;
    try {
      for (let count = 0; count < tries; count += 1) {
        if (!(await written(current, isLeaving))) continue;
        outage.worked();
        return refreshMs;
      }
      throw new Error(`${tries} writes of ConfigMap ${namespace}/${name} met those of other replicas`);
    } catch (error) {
      if (!ending.signal.aborted) outage.failed(error);
      return againMs;
    }
  }

  async function writeNow(): Promise<void> {
    isGathering = false;
    const pauseMs = await write(false);
    // What was published meanwhile is written sooner.
    if (!isGathering) later(pauseMs);
  }

  function later(ms: number): void {
    if (isClosed) return;
    timer?.[Symbol.dispose]();
    timer = clock.setTimeout(() => {
      writing = writing.then(writeNow);
    }, ms);
    timer.unref();
  }

  /** The first of several changes decides when they are written, so that none puts it off. */
  function gather(): void {
    if (isGathering) return;
    isGathering = true;
    later(gatherMs);
  }

  return {
    publish(report) {
      current = report;
      gather();
    },
    async close() {
      isClosed = true;
      timer?.[Symbol.dispose]();
      const last: Promise<unknown> = writing.then(() => write(true));
      await withTimeout(last, closeMs, () => ending.abort(new Error('the service is shutting down')));
      timer?.[Symbol.dispose]();
    },
  };
}

function dataOf(body: ConfigMapBody | undefined): ConfigMapData {
  const data: unknown = body?.data;
  return isObject(data)
    ? Object.fromEntries(
        Object.entries(data).flatMap(([key, value]) => (isText(value) ? [[key, value]] : [])),
      )
    : {};
}
