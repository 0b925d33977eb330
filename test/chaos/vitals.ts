import type { Agent } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { until } from '../support/bodies.ts';
import type { ServiceRig } from '../support/service.ts';
import { performed } from './client.ts';

/** The service that is looked at, and what was found wrong with it. */
interface Patient {
  readonly rig: ServiceRig;
  readonly agent: Agent;
  readonly faults: string[];
}

/** Resolves once an upstream that is well is believed to be. */
export async function recovered({ rig, agent, faults }: Patient): Promise<void> {
  let last = '';
  const isWell = async () => {
    const path = `/v2/openshift/ci/manifests/missing-${performance.now().toFixed()}`;
    const { status, body } = await performed(
      rig.url,
      { method: 'GET', path, headers: {}, wants: undefined },
      agent,
    );
    last = `${status} ${body}`;
    return status === 404;
  };
  await until(isWell).catch(() => faults.push(`the service does not recover: ${last}`));
}

/** Resolves once nothing runs: no request, no download, nothing in the spool. */
export async function settled({ rig, faults }: Patient): Promise<void> {
  let gauges: readonly string[] = [];
  const isAtRest = async () => {
    gauges = [
      ...(await rig.metrics()).matchAll(
        /^quayside_(?:fills_running|spool_bytes|requests_running(?:\{.*\})?|requests_waiting(?:\{.*\})?) .*$/gm,
      ),
    ].map(([line]) => line);
    return gauges.length >= 2 && gauges.every((line) => line.endsWith(' 0'));
  };
  await until(isAtRest).catch(() => faults.push(`does not come to rest: ${gauges.join(', ')}`));
}

/** Warnings and unhandled rejections of the process become faults. */
export function complaints(faults: string[]): () => void {
  const rejected = (reason: unknown): void => void faults.push(`unhandled rejection: ${String(reason)}`);
  const warned = (warning: Error): void => {
    if (warning.name !== 'ExperimentalWarning') faults.push(`warning: ${warning.stack}`);
  };
  process.on('unhandledRejection', rejected);
  process.on('warning', warned);
  return () => {
    process.off('unhandledRejection', rejected);
    process.off('warning', warned);
  };
}

/** How long the process stood still because the machine had other work. */
export interface HoldUps {
  /** The longest since the last reset, milliseconds. */
  longestMs(): number;
  reset(): void;
  close(): void;
}

export function holdUps(): HoldUps {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  return {
    longestMs: () => delay.max / 1e6,
    reset: () => delay.reset(),
    close: () => void delay.disable(),
  };
}

/** What is still held once all garbage is gone; the log of the run is a part of it. */
export function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
