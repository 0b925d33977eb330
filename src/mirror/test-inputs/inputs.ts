// Room `mirror/test-inputs`: images that tests of CI use. In: a checkout of openshift/release. Out:
// the tags to mirror, worked out on a thread. Imports: base, image-streams, mirror/ci; types of
// mirror.

import type { TestInputs } from '../ci/tag-filter.ts';
import type { LogMirror } from '../log.ts';
import type { Checkout } from './checkout.ts';

interface ReadInputsOptions {
  /** For messages. */
  readonly folder: string;
  /** Of openshift/release: `checkoutThread`. */
  readonly checkout: Checkout;
  readonly tell: LogMirror;
}

/** What tests use, as of the last time that the checkout could be read; nothing before. */
interface ReadInputs extends TestInputs {
  /**
   * Reads the checkout again. Resolves to the newly used keys, for `Controller.referenced`. Never
   * rejects: an unreadable checkout changes nothing.
   */
  reread(signal: AbortSignal): Promise<readonly string[]>;
}

/** Nothing is read yet. */
export function readInputs({ folder, checkout, tell }: ReadInputsOptions): ReadInputs {
  let used: ReadonlySet<string> = new Set();
  return {
    hasTag: (tag) => used.has(tag),
    hasStream: (stream) => used.has(`imagestream_${stream}`),
    async reread(signal) {
      const startedAt = performance.now();
      try {
        signal.throwIfAborted();
        const { keys, files, faults, unknown } = await checkout.read();
        const added = [...keys].filter((key) => !used.has(key));
        used = keys;
        for (const fault of faults) tell('inputFaulty', fault);
        if (unknown.length > 0) tell('stepsUnknown', { steps: unknown });
        const duration = Math.round((performance.now() - startedAt) / 1000);
        tell('inputsRead', { duration, files, keys: keys.size, added: added.length });
        return added;
      } catch (error) {
        if (!signal.aborted) tell('inputsFailed', { folder, error });
        return [];
      }
    },
  };
}
