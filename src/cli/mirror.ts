import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { connectionAdvice } from '../mirror/copy/classify.ts';
import { type CopyImagesOptions, copyImages } from '../mirror/copy/copy-all.ts';
import type { CopyEvents } from '../mirror/copy/copy-events.ts';
import type { CopiedImage, ImageCopy } from '../mirror/copy/image-copy.ts';
import { copyPlan, untouched } from '../mirror/copy/plan.ts';
import type { RetryOptions } from '../mirror/copy/retry.ts';
import { copyRun } from '../mirror/copy/run.ts';
import { expanded, type Mapping, MappingError, parseMappingFile, parseMappings } from '../mirror/mapping.ts';
import { type PullSpec, pullSpecText, referenceOf } from '../mirror/pull-spec.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import { UsageError } from './arguments.ts';
import { authFile } from './auth-file.ts';
import { durationText } from './go-text.ts';
import { type Io, type Run, stopCode } from './io.ts';
import { type MirrorEnds, mirrorEnds } from './mirror-ends.ts';
import { type MirrorWish, parseMirrorFlags } from './mirror-flags.ts';
import { complaintText, mirrorLines, told } from './mirror-lines.ts';
import { planText } from './mirror-plan.ts';
import {
  countersText,
  failedMappings,
  isComplete,
  type MirrorReport,
  mirrorReport,
  pairOf,
  type Undone,
} from './mirror-report.ts';

/** What is to be copied, and what each copy was written as. */
interface Work {
  readonly images: readonly ImageCopy[];
  readonly mappingOf: (image: ImageCopy) => Mapping;
  readonly retry: RetryOptions;
}

/**
 * `quayside mirror`: what `oc image mirror` does, under its flags, and says. Ends with 0 when every image is where it should be, 1 when
 * not, 2 for a mistake in the command line, in a mapping file or in the logins, 130 or 143 when a signal came before all was done: then what
 * is left is told as what failed is.
 */
export function mirroring(retry: RetryOptions = {}): Run {
  return async (args, io) => {
    const wish = parseMirrorFlags(args);
    const ends = mirrorEnds({
      ...wish,
      ...(retry.random && { random: retry.random }),
      authFile: await authFile(wish.registryConfig, io.env),
      env: io.env,
      mountIgnored: (from, digest) =>
        told(io.stderr, `warning: Expected to mount ${digest} from ${from} but mount was ignored`),
    });
    try {
      const written = await mappingsOf(wish);
      const images = await imagesOf(written, wish, ends, io.signal).catch((error: unknown) =>
        notBegun(error, written, wish, io),
      );
      if (typeof images === 'number') return images;
      const work = { images: [...images.keys()], mappingOf: mappingIn(images), retry };
      return await (wish.dryRun ? dryRun : realRun)(work, wish, io);
    } catch (error) {
      return complaint(error, io);
    } finally {
      await ends.close();
    }
  };
}

function complaint(error: unknown, { stderr }: Io): number {
  if (!(error instanceof MappingError || error instanceof RegistryError)) throw error;
  stderr.write(`error: ${complaintText(error)}\n`);
  return error instanceof MappingError ? 2 : 1;
}

/** As they were written: a glob, or a repository, is one. */
async function mappingsOf(wish: MirrorWish): Promise<readonly Mapping[]> {
  const files = await Promise.all(wish.files.map(async (file) => parseMappingFile(file, await textOf(file))));
  const mappings = [...parseMappings(wish.words), ...files.flat()];
  if (mappings.length === 0) throw new UsageError(nothingToDo);
  const tagged = wish.allTags ? mappings.find(({ source }) => referenceOf(source) !== undefined) : undefined;
  if (tagged !== undefined)
    throw new UsageError(`--all-tags is for repositories, not ${pullSpecText(tagged.source)}`);
  return mappings;
}

const nothingToDo =
  'you must specify at least one source image to pull and the destination to push to as SRC=DST or SRC DST [DST2 DST3 ...]';

async function textOf(file: string): Promise<string> {
  try {
    return await (file === '-'
      ? text(createReadStream('', { fd: 0, autoClose: false }))
      : readFile(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${file} cannot be read`, { cause: error });
  }
}

async function tagsOf(source: PullSpec, ends: MirrorEnds, signal: AbortSignal): Promise<readonly Tag[]> {
  try {
    return await Array.fromAsync((await ends.source(source)).tags(source.repository, { signal }));
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const advice = connectionAdvice(error);
    const reason = advice === undefined ? error.message : `${error.message}: ${advice}`;
    const message = `the tags of ${pullSpecText(source)} cannot be listed: ${reason}`;
    throw new RegistryError(error.code, message, { cause: error });
  }
}

async function imagesOf(
  written: readonly Mapping[],
  wish: MirrorWish,
  ends: MirrorEnds,
  signal: AbortSignal,
): Promise<ReadonlyMap<ImageCopy, Mapping>> {
  const images = new Map<ImageCopy, Mapping>();
  const mappings = await expanded(written, (source) => tagsOf(source, ends, signal));
  for (const mapping of mappings) images.set(await imageOf(mapping, wish, ends), mapping);
  return images;
}

/** The end of a run that never came to know its images: all that was written is left. Throws what is a mistake, and no failure. */
async function notBegun(
  error: unknown,
  written: readonly Mapping[],
  wish: MirrorWish,
  io: Io,
): Promise<number> {
  const why = io.signal.aborted ? 'told to stop before anything was copied' : listingFailure(error);
  if (!wish.dryRun) await tellFailed({ failed: [], left: written.map(pairOf) }, wish.failedFile, io);
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
    if (mapping === undefined) throw new Error('an image that nobody asked for');
    return mapping;
  };
}

async function imageOf(
  { source, destination }: Mapping,
  wish: MirrorWish,
  ends: MirrorEnds,
): Promise<ImageCopy> {
  const reference = referenceOf(source);
  if (reference === undefined) throw new MappingError('you must specify a tag or digest for SRC');
  const { filterByOs, keepManifestList, referrers, force, foreignLayers } = wish;
  const { repository, tag } = destination;
  const end = await ends.destination(destination);
  return {
    source: await ends.source(source),
    from: { repository: source.repository, reference },
    destination: wish.dryRun ? untouched(end) : end,
    to: { repository, ...(tag === undefined ? {} : { tag }) },
    ...(filterByOs === undefined ? {} : { filterByOs }),
    keepManifestList,
    referrers,
    force,
    foreignLayers,
  };
}

/** One run, told to whoever looks; its report. */
async function ran(
  { images, mappingOf, retry }: Work,
  wish: MirrorWish,
  io: Io,
  events: Partial<CopyEvents>,
): Promise<MirrorReport> {
  const { maxPerRegistry, skipMissing } = wish;
  const done = new Map<ImageCopy, CopiedImage>();
  const collected: Partial<CopyEvents> = {
    ...events,
    imageEnded(event) {
      if (event.copied !== undefined) done.set(event.image, event.copied);
      events.imageEnded?.(event);
    },
  };
  const run = copyRun({ ...retry, maxPerRoute: maxPerRegistry, events: collected, signal: io.signal });
  const left = await copyImages(images, run, copyOptions(wish));
  return mirrorReport({ report: run.report(), done, left, mappingOf, skipMissing });
}

function copyOptions({
  maxPerRegistry,
  maxRegistry,
  continueOnError,
  skipMissing,
}: MirrorWish): CopyImagesOptions {
  return {
    maxImages: maxPerRegistry,
    maxRoutes: maxRegistry,
    continueOnError: ({ kind }) => continueOnError || (skipMissing && kind === 'source-gone'),
  };
}

async function dryRun(work: Work, wish: MirrorWish, io: Io): Promise<number> {
  const plan = copyPlan();
  const lines = mirrorLines(io, { ...wish, ...shown(work), hasResults: false });
  const { retried, imageEnded } = lines.events;
  const events = { ...plan.events, ...(retried && { retried }), ...(imageEnded && { imageEnded }) };
  const report = await ran(work, { ...wish, continueOnError: true }, io, events).finally(lines.close);
  const planned = planText(plan.repositories(), work.mappingOf);
  if (wish.json) io.stdout.write(`${JSON.stringify(report)}\n`);
  io.stderr.write(`${planned}\ninfo: Planning completed in ${durationText(report.seconds)}\n`);
  const isFine = isComplete(report);
  io.stderr.write(isFine ? 'info: Dry run complete\n' : 'error: an error occurred during planning\n');
  return isFine ? 0 : failureCode(io);
}

async function realRun(work: Work, wish: MirrorWish, io: Io): Promise<number> {
  const lines = mirrorLines(io, { ...wish, ...shown(work), hasResults: !wish.json });
  const report = await ran(work, wish, io, lines.events).finally(lines.close);
  if (wish.json) io.stdout.write(`${JSON.stringify(report)}\n`);
  const isTold = await tellFailed(report, wish.failedFile, io);
  io.stderr.write(countersText(report));
  if (isComplete(report) && isTold) return 0;
  const why = io.signal.aborted ? 'told to stop before everything was copied' : 'one or more errors occurred';
  io.stderr.write(`error: ${why}\n`);
  return failureCode(io);
}

function failureCode({ signal }: Io): number {
  return signal.aborted ? stopCode(signal.reason) : 1;
}

function shown({ images, mappingOf }: Work) {
  return { images: images.length, mappingOf };
}

/**
 * A file is written on success too: what an earlier run put there would be copied again. Where it cannot be, standard error has its lines.
 * Resolves to whether they are where they should be.
 */
async function tellFailed(report: Undone, file: string | undefined, { stderr }: Io): Promise<boolean> {
  const lines = failedMappings(report);
  const refusal = file === undefined ? undefined : await refusalOf(file, lines);
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

/** Why the system would not write it; undefined once it is written. */
async function refusalOf(file: string, lines: string): Promise<string | undefined> {
  try {
    await writeFile(file, lines);
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
