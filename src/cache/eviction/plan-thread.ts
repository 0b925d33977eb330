import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { S3StoreOptions } from '../../store/s3/s3-store.ts';
import type { StoreEvents } from '../../store/store.ts';
import type { Eviction, EvictionPlan } from './plan.ts';
import type { Planner, PlanQuestion } from './planner.ts';

/** The store that a thread opens for itself. */
export type StorePlace = { readonly filesystem: { readonly path: string } } | { readonly s3: PlainS3Options };

/** What another thread can be told of a bucket. */
type PlainS3Options = Omit<S3StoreOptions, 'events' | 'now' | 'probe'>;

/** What the thread begins with. */
export interface PlanThreadData {
  readonly place: StorePlace;
  /** Regular expressions. */
  readonly pins: readonly string[];
  readonly question: PlanQuestion;
}

/** What the thread answers: evictions in parts, and then the rest. */
export type PlanThreadAnswer =
  | { readonly kind: 'called'; readonly event: Parameters<StoreEvents['called']>[0] }
  | { readonly kind: 'evictions'; readonly evictions: readonly Eviction[] }
  | {
      readonly kind: 'planned';
      readonly blobs: number;
      readonly bytes: number;
      readonly plan?: Omit<EvictionPlan, 'delete'>;
    }
  | { readonly kind: 'failed'; readonly message: string };

interface PlanThreadOptions {
  readonly place: StorePlace;
  readonly pins: readonly string[];
  readonly events?: Pick<StoreEvents, 'called'>;
}

/**
 * A planner in a thread of its own, which ends with the plan: a walk of a million blobs takes this
 * one no longer than the plan's parts. Rejects when the thread breaks, too.
 */
export function createPlanThread({ place, pins, events }: PlanThreadOptions): Planner {
  return (question, signal) => {
    signal.throwIfAborted();
    const workerData: PlanThreadData = { place, pins, question };
    const file = new URL(`./plan-worker${extname(import.meta.url)}`, import.meta.url);
    const worker = new Worker(file, { workerData });
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<Planner>>>();
    const evictions: Eviction[] = [];
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop);
    worker.on('message', (answer: PlanThreadAnswer) => {
      if (answer.kind === 'called') events?.called(answer.event);
      else if (answer.kind === 'evictions') evictions.push(...answer.evictions);
      else if (answer.kind === 'failed') reject(new Error(answer.message));
      else {
        const { blobs, bytes, plan } = answer;
        resolve({ blobs, bytes, ...(plan && { plan: { ...plan, delete: evictions } }) });
      }
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread of the eviction ended without a plan')));
    return promise.finally(async () => {
      signal.removeEventListener('abort', stop);
      await worker.terminate();
    });
  };
}
