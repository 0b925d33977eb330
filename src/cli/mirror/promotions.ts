import { createCheckoutThread } from '../../mirror/test-inputs/thread.ts';
import { UsageError } from '../flags/arguments.ts';

interface Promotions {
  /** `namespace/name:tag` */
  readonly promoted: ReadonlySet<string>;
  /** Why some of it is not known, a line for each file. */
  readonly unread: readonly string[];
}

export const nothingPromoted: Promotions = { promoted: new Set(), unread: [] };

/** The promoted tags of a checkout of openshift/release. Throws `UsageError` for another folder. */
export async function readPromotions(folder: string, signal: AbortSignal): Promise<Promotions> {
  const thread = createCheckoutThread(folder);
  const stop = (): void => void thread.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { promoted, faults } = await thread.read();
    const unread = faults
      .filter(({ file }) => file.startsWith('ci-operator/config/'))
      .map(({ file, error }) => `cannot read what ${file} promotes: ${error}`);
    return { promoted, unread };
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${folder} is not a checkout of openshift/release: ${reason}`);
  } finally {
    signal.removeEventListener('abort', stop);
    await thread.close();
  }
}
