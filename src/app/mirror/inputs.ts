import { join } from 'node:path';
import { watchFiles } from '../../base/state/watched-file.ts';
import type { TestInputs } from '../../mirror/ci/tag-filter.ts';
import type { LogMirror } from '../../mirror/log.ts';
import type { Controller } from '../../mirror/loop/controller.ts';
import { readInputs } from '../../mirror/test-inputs/inputs.ts';
import { createCheckoutThread } from '../../mirror/test-inputs/thread.ts';

interface FollowedInputsOptions {
  /** A checkout of openshift/release, or a link to one. */
  readonly folder: string;
  readonly tell: LogMirror;
  /** How often it is looked whether it is another one, in milliseconds. Default 10 s. */
  readonly lookEveryMs?: number;
}

interface FollowedInputs {
  readonly inputs: TestInputs;
  /**
   * Runs the controller once the checkout is read: what it lists before would not be wanted yet.
   * Then adds newly used tags at each change of the checkout, until the signal aborts.
   */
  during(controller: Controller, signal: AbortSignal): Promise<void>;
}

export function followInputs({ folder, tell, lookEveryMs = 10_000 }: FollowedInputsOptions): FollowedInputs {
  const thread = createCheckoutThread(folder);
  const inputs = readInputs({ folder, checkout: thread, tell });
  /** The link of git-sync moves; a checkout that is pulled in place writes its index last. */
  const signs = [folder, join(folder, '.git', 'index')];
  return {
    inputs,
    async during({ run, referenced }, signal) {
      const stop = (): void => void thread.close();
      signal.addEventListener('abort', stop, { once: true });
      const first = inputs.reread(signal);
      const watch = watchFiles(signs, {
        everyMs: lookEveryMs,
        async changed() {
          await first;
          for (const key of await inputs.reread(signal)) referenced(key);
        },
      });
      try {
        await first;
        if (!signal.aborted) await run(signal);
      } finally {
        watch.close();
        signal.removeEventListener('abort', stop);
        await thread.close();
      }
    },
  };
}
