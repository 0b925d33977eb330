import { hostname } from 'node:os';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { createEvictor } from '../../cache/eviction/evictor.ts';
import type { Eviction } from '../../cache/eviction/plan.ts';
import { createUsage } from '../../cache/eviction/usage.ts';
import type { Config } from '../../config/load.ts';
import { createBufferPool } from '../../store/buffers.ts';
import type { Store } from '../../store/store.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Io, Output, Run } from '../flags/io.ts';
import { configFile } from '../serve/config-file.ts';
import { evictionHeading, evictionLine, summaryText } from './eviction-text.ts';

type OpenStore = (config: Config) => MaybePromise<Store>;

/**
 * `quayside evict`: one run of the eviction, beside servers that use the same store, or its plan.
 * Content that those servers read now counts as just used, and is not deleted.
 */
export function evicting(open: OpenStore): Run {
  return async (args, io) => {
    const { values, positionals } = parsed(args, {
      config: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    });
    const [word] = positionals;
    if (word !== undefined) throw new UsageError(`takes no argument ${word}; name a file by --config`);
    const config = await configFile(values.config, io);
    const { maxBytes } = config.eviction;
    if (maxBytes === undefined)
      throw new UsageError('eviction.maxBytes is not set, so nothing is ever evicted');
    if ('memory' in config.store)
      throw new UsageError('needs a filesystem or s3 store; the CLI cannot read store.memory');
    const store = await open(config);
    try {
      await evictFrom(store, { ...config.eviction, maxBytes }, values, io);
      return 0;
    } finally {
      await store.close();
    }
  };
}

/** `quayside evict` on the medium that the configuration names. */
export const evict: Run = evicting(async (config) => {
  const { configuredStore } = await import('../../app/store.ts');
  return configuredStore(config, createBufferPool(), {});
});

async function evictFrom(
  store: Store,
  marks: Config['eviction'] & { readonly maxBytes: number },
  { 'dry-run': dryRun, json }: { readonly 'dry-run': boolean; readonly json: boolean },
  { stdout, signal }: Io,
): Promise<void> {
  const instance = `evict.${hostname()}`;
  const uses = createUsage({ records: store.records, instance });
  const evicted = json ? () => {} : table(stdout);
  const runner = createEvictor({ ...marks, store, usage: uses, instance, events: { evicted } });
  try {
    const report = await runner.run({ dryRun, signal });
    if (dryRun) report.evictions.forEach(evicted);
    stdout.write(json ? `${JSON.stringify(report)}\n` : summaryText(report, marks));
  } finally {
    await runner.close();
    await uses.close();
  }
}

/** Writes each deletion when it is done, so that a run broken off has said what it did. */
function table(stdout: Output): (eviction: Eviction) => void {
  let isHeaded = false;
  return (eviction) => {
    if (!isHeaded) stdout.write(evictionHeading);
    isHeaded = true;
    stdout.write(evictionLine(eviction));
  };
}
