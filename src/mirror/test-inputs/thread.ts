import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Checkout, CheckoutReading } from './checkout.ts';

/** What the thread answers. */
export type Answer = { readonly reading: CheckoutReading } | { readonly error: string };

interface CheckoutThread extends Checkout {
  /** Ends the thread; a reading under way rejects. */
  close(): Promise<void>;
}

/** A checkout that takes more memory fails to be read, and nothing else does. */
const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32 };

/**
 * Parsing the tens of megabytes of openshift/release takes half a minute at first, during which no
 * pull may be blocked. The thread starts with the first reading, and after a crash; an idle one is
 * unref'ed. One reading at a time.
 */
export function createCheckoutThread(folder: string): CheckoutThread {
  let running: { readonly worker: Worker; readonly ended: AbortSignal } | undefined;
  const closing = new AbortController();

  function started() {
    const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: folder,
      resourceLimits,
    });
    const end = new AbortController();
    const fresh = { worker, ended: AbortSignal.any([end.signal, closing.signal]) };
    worker.once('error', (error) => end.abort(error));
    worker.once('exit', () => {
      end.abort(new Error('the worker thread that reads the test inputs ended'));
      if (running === fresh) running = undefined;
    });
    return fresh;
  }

  return {
    async read() {
      closing.signal.throwIfAborted();
      running ??= started();
      const { worker, ended } = running;
      worker.ref();
      worker.postMessage('read');
      const answer = await answerOf(worker, ended);
      worker.unref();
      if ('error' in answer) throw new Error(answer.error);
      return answer.reading;
    },
    async close() {
      closing.abort(new Error('reading the test inputs was aborted'));
      await running?.worker.terminate();
    },
  };
}

async function answerOf(worker: Worker, signal: AbortSignal): Promise<Answer> {
  try {
    const [answer]: Answer[] = await once(worker, 'message', { signal });
    if (answer !== undefined) return answer;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
  throw new Error('the worker thread that reads the test inputs sent no result');
}
