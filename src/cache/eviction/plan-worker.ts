/** The entry point of a worker thread: walks a store of its own, answers with a plan, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { Expression } from '../../base/text/expression.ts';
import { createFilesystemStore } from '../../store/filesystem/filesystem-store.ts';
import type { Store, StoreEvents } from '../../store/store.ts';
import type { PlanThreadAnswer, PlanThreadData, StorePlace } from './plan-thread.ts';
import { createPlanner } from './planner.ts';

/** Evictions of one message: the other thread takes them in a fraction of a millisecond. */
const partOf = 500;

const answer = (message: PlanThreadAnswer): void => parentPort?.postMessage(message);

async function opened(place: StorePlace): Promise<Store> {
  if ('filesystem' in place) return createFilesystemStore({ ...place.filesystem, mayBlock: true });
  const { createS3Store } = await import('../../store/s3/s3-store.ts');
  const events: StoreEvents = {
    called: (event) => answer({ kind: 'called', event }),
    availabilityChanged: () => {},
  };
  return createS3Store({ ...place.s3, events });
}

async function planned({ place, pins, question }: PlanThreadData): Promise<void> {
  const store = await opened(place);
  try {
    const plan = createPlanner({ store, pins: pins.map((pin) => Expression.anywhere(pin)) });
    const { plan: found, ...held } = await plan(question, new AbortController().signal);
    if (found === undefined) return answer({ kind: 'planned', ...held });
    const { delete: evictions, ...rest } = found;
    for (let at = 0; at < evictions.length; at += partOf)
      answer({ kind: 'evictions', evictions: evictions.slice(at, at + partOf) });
    answer({ kind: 'planned', ...held, plan: rest });
  } finally {
    await store.close();
  }
}

planned(workerData as PlanThreadData).catch((error: unknown) => {
  answer({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
});
