// Room `cli/load`: quayside load: load on any registry, and its report. In: flags. Out: a load, a
// report, the exit code. Imports: every room below.

import { LoadFailure } from '../../load/client/failure.ts';
import type { LoadTarget } from '../../load/client/target.ts';
import { runLoad } from '../../load/engine/load.ts';
import { seeded } from '../../load/images/seeding.ts';
import { writeReport } from '../../load/report/report.ts';
import { RegistryError } from '../../oci/errors.ts';
import { UsageError } from '../flags/arguments.ts';
import { type Io, type Run, stopCode, writeJson } from '../flags/io.ts';
import type { ProgressState } from '../flags/progress-line.ts';
import { createLiveCount } from './live-count.ts';
import { type LoadFlags, parseLoadFlags } from './options.ts';
import { checkFiles, checkOperated, imageModelOf, loadPlanOf, registryOf, targetOf } from './plan.ts';
import { summaryText } from './summary.ts';

/** `quayside load`: see its help. */
export const load: Run = async (args, io) => {
  const values = parseLoadFlags(args);
  const { target, seed } = values;
  await checkFiles(values);
  try {
    if (seed !== undefined) await seedRegistry(registryOf(seed, values), values, io);
    return target === undefined ? 0 : await loadTarget(targetOf(target, values), values, io);
  } catch (error) {
    if (!(error instanceof LoadFailure || error instanceof RegistryError)) throw error;
    io.stderr.write(`quayside load: ${error.message}\n`);
    return 1;
  }
};

async function loadTarget(target: LoadTarget, values: LoadFlags, io: Io): Promise<number> {
  checkOperated(target, values);
  const plan = await loadPlanOf(target, values, io.signal);
  const live = createLiveCount();
  const closeProgress = io.progress?.(live.state);
  const result = await runLoad(plan, {
    signal: io.signal,
    progress: live.counted,
    stepped({ ratePerSecond, p50Ms, p99Ms, errors }) {
      const latencies = `p50 ${Math.round(p50Ms)} ms, p99 ${Math.round(p99Ms)} ms`;
      io.stderr.write(`${ratePerSecond.toFixed(1)} a second: ${latencies}, ${errors} errors\n`);
    },
  }).finally(closeProgress);
  if (values.output === 'json') writeJson(io.stdout, result);
  else io.stdout.write(summaryText(result));
  const isFile = values.output !== 'json' && values.output !== 'text';
  const written = isFile ? await writeReport(result, values.output) : [];
  if (written.length > 0) io.stderr.write(`wrote ${written.join(', ')}\n`);
  if (io.signal.aborted) return stopCode(io.signal.reason);
  return result.objections.length === 0 ? 0 : 1;
}

async function seedRegistry(registry: LoadTarget, values: LoadFlags, io: Io): Promise<void> {
  checkOperated(registry, values);
  const model = imageModelOf(values);
  if (model === undefined) throw new UsageError('--seed needs --images N, the number of images to generate');
  let state: ProgressState = { unit: 'images', done: 0 };
  const closeProgress = io.progress?.(() => state);
  const done = await seeded(registry, model, {
    signal: io.signal,
    maxBytes: values['max-bytes'],
    progress({ images, of, sentBytes }) {
      state = { unit: 'images', done: images, total: of, bytes: sentBytes };
    },
  }).finally(closeProgress);
  const found = `${megabytes(done.foundBytes)} were there`;
  io.stderr.write(
    `${registry.url} has ${done.of} images of the model: ${megabytes(done.sentBytes)} sent, ${found}\n`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
