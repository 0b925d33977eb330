import { stat } from 'node:fs/promises';
import { inOrder } from '../../base/flow/each.ts';
import { type Mapping, MappingError } from '../../mirror/batch/mapping.ts';
import type { HeldPlace } from '../../mirror/endpoints/image-directory.ts';
import type { ImageCopy } from '../../mirror/images/image-copy.ts';
import { createHolding, type Holding } from '../../mirror/inspect/holding.ts';
import { type Verification, verifyImage } from '../../mirror/inspect/verify.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { type Io, type Run, stopCode } from '../flags/io.ts';
import { authFile, commandHelpers } from '../mirror/auth-file.ts';
import { createMirrorEndpoints, type MirrorEndpoints } from '../mirror/endpoints.ts';
import { type PlannedImages, planImages, writtenMappings } from '../mirror/images.ts';
import { stagingText } from '../mirror/lines.ts';
import { type MirrorOptions, mirrorOptions } from '../mirror/options.ts';
import { pairOf, writeRefusal } from '../mirror/report.ts';
import { verifyFlags } from '../pages/mirror.ts';
import {
  countersText,
  isAllOk,
  lineText,
  notOkMappings,
  type VerifiedLine,
  type VerifyReport,
  verifyDocument,
} from './verify-report.ts';

interface VerifyOptions extends MirrorOptions {
  readonly deep: boolean;
}

/**
 * `quayside mirror verify`: whether each image of a mapping is at its destination, whole. Ends with
 * 0 when every one is, 1 when not or when that cannot be told, 130 or 143 at a signal.
 */
export const mirrorVerify: Run = async (args, io) => {
  const wish = parseVerifyFlags(args);
  const ends = createMirrorEndpoints({
    ...wish,
    authFile: await authFile(wish.registryConfig, io.env),
    env: io.env,
    helpers: commandHelpers(io),
  });
  try {
    const planned = await plannedImages(wish, ends, io.signal);
    for (const text of planned.staging.map(stagingText)) io.stderr.write(`${text}\n`);
    return await told(await verified(planned, wish, ends, io), wish, io);
  } catch (error) {
    if (error instanceof MappingError) throw new UsageError(error.faults.join('\n'), { cause: error });
    if (!io.signal.aborted) throw error;
    io.stderr.write('error: stopped before anything was verified\n');
    return stopCode(io.signal.reason);
  } finally {
    await ends.close();
  }
};

function parseVerifyFlags(args: readonly string[]): VerifyOptions {
  const parsed = parseFlags(verifyFlags, args);
  return { ...mirrorOptions(parsed), deep: parsed.values.deep === true };
}

/** Throws `MappingError` for mistakes in mappings, unless the run goes on after errors. */
async function plannedImages(
  wish: VerifyOptions,
  ends: MirrorEndpoints,
  signal: AbortSignal,
): Promise<PlannedImages> {
  const written = await writtenMappings(wish);
  await needDirectory(written.mappings, wish);
  const planned = await planImages(written, { ...wish, continueOnError: true, dryRun: true }, ends, signal);
  if (planned.faults.length > 0 && !wish.continueOnError) throw new MappingError(planned.faults);
  return planned;
}

/** Of a directory that is not there, nothing is missing: it is the wrong one, or not mounted. */
async function needDirectory(mappings: readonly Mapping[], { dir }: VerifyOptions): Promise<void> {
  if (!mappings.some(({ destination }) => destination.medium === 'file')) return;
  const isThere = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isThere) throw new UsageError(`--dir ${dir} is not a directory that can be read`);
}

/** Every line, in order; written as soon as all before it are. */
async function verified(
  { images, unplanned, faults }: PlannedImages,
  wish: VerifyOptions,
  ends: MirrorEndpoints,
  io: Io,
): Promise<VerifyReport> {
  const holdingOf = holdings(wish, ends, io.signal);
  const lines: VerifiedLine[] = [];
  const take = (line: VerifiedLine): void => {
    lines.push(line);
    if (!wish.json) io.stdout.write(lineText(line));
  };
  for (const { mapping, reason, isMissing } of unplanned)
    take({ ...pairOf(mapping), state: isMissing ? 'skipped' : 'cannot tell', reasons: [reason] });
  const judge = async ([image, mapping]: readonly [ImageCopy, Mapping]): Promise<VerifiedLine> => {
    const held = await holdingOf(mapping);
    return { ...pairOf(mapping), ...forgiven(await verifyImage({ ...image, held }, io.signal), wish) };
  };
  try {
    for await (const line of inOrder(images, wish.maxPerRegistry, judge)) take(line);
  } catch (error) {
    if (!io.signal.aborted) throw error;
  }
  const left = [...images.values()].slice(lines.length - unplanned.length).map(pairOf);
  return { lines, left, faults };
}

/** A source that does not exist is nothing to complain of with `--skip-missing`. */
function forgiven(verdict: Verification, { skipMissing }: VerifyOptions): Verification {
  return skipMissing && verdict.isSourceGone === true ? { ...verdict, state: 'skipped' } : verdict;
}

/** One for each place, which remembers the blobs that it has. */
function holdings(
  { deep, maxPerRegistry }: VerifyOptions,
  ends: MirrorEndpoints,
  signal: AbortSignal,
): (mapping: Mapping) => Promise<Holding> {
  const made = new Map<HeldPlace, Holding>();
  return async ({ destination }) => {
    const place = await ends.held(destination);
    const holding = made.get(place) ?? createHolding(place, { deep, atOnce: maxPerRegistry, signal });
    made.set(place, holding);
    return holding;
  };
}

/** Writes what was found. Resolves to the exit code. */
async function told(report: VerifyReport, { json, failedFile }: VerifyOptions, io: Io): Promise<number> {
  for (const fault of report.faults) io.stderr.write(`error: ${fault}\n`);
  if (json) io.stdout.write(`${JSON.stringify(verifyDocument(report))}\n`);
  const notOk = notOkMappings(report);
  const refusal = failedFile === undefined ? undefined : await writeRefusal(failedFile, notOk);
  if (refusal !== undefined) io.stderr.write(`error: ${failedFile} cannot be written (${refusal})\n`);
  else if (failedFile !== undefined && notOk !== '')
    io.stderr.write(`info: what is not ok is in ${failedFile}: quayside mirror -f ${failedFile} copies it\n`);
  io.stderr.write(countersText(report));
  if (io.signal.aborted) {
    io.stderr.write('error: stopped before everything was verified\n');
    return stopCode(io.signal.reason);
  }
  return isAllOk(report) && refusal === undefined ? 0 : 1;
}
