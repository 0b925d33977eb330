// Room `cli/mirror`: quayside mirror: copies images as oc image mirror does. In: flags, mapping
// files, auth files. Out: copies, a report, the exit code. Imports: every room below.

import { copyImages } from '../../mirror/batch/copy-all.ts';
import { type Mapping, MappingError } from '../../mirror/batch/mapping.ts';
import { createCopyPlan } from '../../mirror/batch/plan.ts';
import type { CopyRetryOptions } from '../../mirror/copy/retry.ts';
import { createCopyRun } from '../../mirror/copy/run.ts';
import type { CopyEvents } from '../../mirror/images/copy-events.ts';
import type { CopiedImage, ImageCopy } from '../../mirror/images/image-copy.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Io, type Run, stopCode, writeJson } from '../flags/io.ts';
import { authFile, commandHelpers } from './auth-file.ts';
import { createMirrorEndpoints } from './endpoints.ts';
import { durationText } from './go-text.ts';
import { type PlannedImages, planImages, writtenMappings } from './images.ts';
import { CopyCount, complaintText, createMirrorLines, stagingText } from './lines.ts';
import { type MirrorOptions, parseMirrorFlags } from './options.ts';
import { planText } from './plan.ts';
import {
  countersText,
  createMirrorReport,
  failedMappings,
  isComplete,
  type MirrorReport,
  pairOf,
  type Undone,
  writeRefusal,
} from './report.ts';

/** What is to be copied, what each copy was written as, and what came to no copy. */
interface Work extends Pick<PlannedImages, 'unplanned' | 'faults'> {
  readonly images: readonly ImageCopy[];
  readonly mappingOf: (image: ImageCopy) => Mapping;
  readonly retry: CopyRetryOptions;
  readonly count: CopyCount;
  /** Takes the progress away: what follows is the end. */
  readonly closeProgress: () => void;
}

/**
 * `quayside mirror`: what `oc image mirror` does, under its flags, and says. Ends with 0 when every
 * image is where it should be, 1 when not, as for a mistake in the command line, in a mapping file
 * or in the logins, 130 or 143 when a signal came before all was done: then what is left is told as
 * what failed is.
 */
export function mirroring(retry: CopyRetryOptions = {}): Run {
  return async (args, io) => {
    const wish = parseMirrorFlags(args);
    const count = new CopyCount();
    const closeProgress = io.progress?.(() => count.state()) ?? (() => undefined);
    const ends = createMirrorEndpoints({
      ...wish,
      ...(retry.random && { random: retry.random }),
      authFile: await authFile(wish.registryConfig, io.env),
      env: io.env,
      helpers: commandHelpers(io),
      mountIgnored: (from, digest) =>
        io.stderr.write(`warning: Expected to mount ${digest} from ${from} but mount was ignored\n`),
    });
    try {
      const written = await writtenMappings(wish);
      const planned = await planImages(written, wish, ends, io.signal).catch((error: unknown) =>
        notBegun(error, written.mappings, wish, io),
      );
      if (typeof planned === 'number') return planned;
      tellUnplanned(planned, io);
      for (const text of planned.staging.map(stagingText)) io.stderr.write(`${text}\n`);
      const { images } = planned;
      count.begins(images.size);
      const copies = { images: [...images.keys()], mappingOf: mappingIn(images) };
      const work = { ...planned, ...copies, retry, count, closeProgress };
      return await (wish.dryRun ? dryRun : realRun)(work, wish, io);
    } catch (error) {
      return complaint(error, io);
    } finally {
      closeProgress();
      await ends.close();
    }
  };
}

function complaint(error: unknown, { stderr }: Io): number {
  if (!(error instanceof MappingError || error instanceof RegistryError)) throw error;
  const texts = error instanceof MappingError ? error.faults : [complaintText(error)];
  for (const text of texts) stderr.write(`error: ${text}\n`);
  return 1;
}

function tellUnplanned({ unplanned, faults }: PlannedImages, { stderr }: Io): void {
  for (const fault of faults) stderr.write(`error: ${fault}\n`);
  for (const { isMissing, reason } of unplanned)
    stderr.write(`${isMissing ? 'warning' : 'error'}: ${reason}\n`);
}

/** The end of a run whose images could not be determined: all mappings remain. Throws mistakes. */
async function notBegun(
  error: unknown,
  written: readonly Mapping[],
  wish: MirrorOptions,
  io: Io,
): Promise<number> {
  const why = io.signal.aborted ? 'stopped before anything was copied' : listingFailure(error);
  if (!wish.dryRun)
    await tellFailed({ failed: [], faults: [], left: written.map(pairOf) }, wish.failedFile, io);
  io.stderr.write(`error: ${why}\n`);
  return failureCode(io);
}

function listingFailure(error: unknown): string {
  if (error instanceof RegistryError) return complaintText(error);
  throw error;
}

function mappingIn(images: ReadonlyMap<ImageCopy, Mapping>): Work['mappingOf'] {
  return (image) => {
    const mapping = images.get(image);
    if (mapping === undefined) throw new Error('an image without a mapping');
    return mapping;
  };
}

/** One run, reported as it goes; resolves to its report. */
async function ran(
  { images, mappingOf, retry, unplanned, faults }: Work,
  wish: MirrorOptions,
  io: Io,
  events: Partial<CopyEvents>,
): Promise<MirrorReport> {
  const { maxPerRegistry, continueOnError, skipMissing } = wish;
  const done = new Map<ImageCopy, CopiedImage>();
  const collected: Partial<CopyEvents> = {
    ...events,
    imageEnded(event) {
      if (event.copied !== undefined) done.set(event.image, event.copied);
      events.imageEnded?.(event);
    },
  };
  const run = createCopyRun({ ...retry, maxPerRoute: maxPerRegistry, events: collected, signal: io.signal });
  const left = await copyImages(images, run, {
    looksFirst: !continueOnError,
    maxImages: maxPerRegistry,
    maxRoutes: wish.maxRegistry,
    continueOnError: ({ kind }) => continueOnError || (skipMissing && kind === 'source-gone'),
  });
  return createMirrorReport({ report: run.report(), done, left, mappingOf, skipMissing, unplanned, faults });
}

async function dryRun(work: Work, wish: MirrorOptions, io: Io): Promise<number> {
  const plan = createCopyPlan();
  const { retried, imageEnded } = createMirrorLines(io, { ...wish, ...work, hasResults: false });
  const events = { ...plan.events, ...(retried && { retried }), ...(imageEnded && { imageEnded }) };
  const report = await ran(work, { ...wish, continueOnError: true }, io, events).finally(work.closeProgress);
  const repositories = plan.repositories();
  const planned = planText(repositories, work.mappingOf);
  if (wish.json) writeJson(io.stdout, report);
  io.stderr.write(`${planned}\ninfo: Planning completed in ${durationText(report.seconds)}\n`);
  const isFine = isComplete(report);
  io.stderr.write(isFine ? 'info: Dry run complete\n' : 'error: an error occurred during planning\n');
  if (!isFine) return failureCode(io);
  return wish.exitCode && repositories.length > 0 ? 1 : 0;
}

async function realRun(work: Work, wish: MirrorOptions, io: Io): Promise<number> {
  const events = createMirrorLines(io, { ...wish, ...work, hasResults: !wish.json });
  const report = await ran(work, wish, io, events).finally(work.closeProgress);
  if (wish.json) writeJson(io.stdout, report);
  const isTold = await tellFailed(report, wish.failedFile, io);
  io.stderr.write(countersText(report));
  if (isComplete(report) && isTold) return 0;
  const why = io.signal.aborted ? 'stopped before everything was copied' : 'one or more errors occurred';
  io.stderr.write(`error: ${why}\n`);
  return failureCode(io);
}

function failureCode({ signal }: Io): number {
  return signal.aborted ? stopCode(signal.reason) : 1;
}

/**
 * A file is written on success too, or the lines of an earlier run would be copied again. If it
 * cannot be written, its lines go to standard error. Resolves to whether it was written.
 */
async function tellFailed(report: Undone, file: string | undefined, { stderr }: Io): Promise<boolean> {
  const lines = failedMappings(report);
  const refusal = file === undefined ? undefined : await writeRefusal(file, lines);
  if (refusal !== undefined) stderr.write(`error: ${file} cannot be written (${refusal})\n`);
  const isKept = file !== undefined && refusal === undefined;
  if (lines !== '') {
    stderr.write(
      isKept
        ? `info: what was not copied is in ${file}, to be tried again with -f ${file}\n`
        : `info: what was not copied, to be tried again with -f:\n${lines}`,
    );
  }
  return refusal === undefined;
}
