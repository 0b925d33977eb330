/** The entry point of a worker thread: reads one checkout, as often as it is asked to. */
import { parentPort, workerData } from 'node:worker_threads';
import { createCheckout } from './checkout.ts';
import type { Answer } from './thread.ts';

const release = createCheckout(String(workerData));

parentPort?.on('message', async () => {
  const answer: Answer = await release.read().then(
    (reading) => ({ reading }),
    (error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }),
  );
  parentPort?.postMessage(answer);
});
