import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { expanded, type StagingTags, type Unplanned } from '../../mirror/batch/expansion.ts';
import {
  type Mapping,
  MappingError,
  type MappingFile,
  parseMappingFile,
  parseMappings,
} from '../../mirror/batch/mapping.ts';
import { untouched } from '../../mirror/batch/plan.ts';
import { allTags } from '../../mirror/endpoints/reading.ts';
import { connectionAdvice, registryText, sourceFailure } from '../../mirror/images/classify.ts';
import type { ImageCopy } from '../../mirror/images/image-copy.ts';
import { type PullSpec, pullSpecText, referenceOf } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import { UsageError } from '../flags/arguments.ts';
import type { MirrorEndpoints } from './endpoints.ts';
import { complaintText } from './lines.ts';
import type { MirrorOptions } from './options.ts';

/** What is to be copied. */
export interface PlannedImages {
  readonly images: ReadonlyMap<ImageCopy, Mapping>;
  /** Mappings that came to no image. */
  readonly unplanned: readonly UnplannedMapping[];
  /** What must not be copied as it is written, each with its place. */
  readonly faults: readonly string[];
  /** What mappings match of the stages and backups of a flat repository. */
  readonly staging: readonly StagingTags[];
}

/** A mapping that came to no image, and may come to one later, and why. */
interface UnplannedMapping {
  readonly mapping: Mapping;
  readonly kind: string;
  readonly reason: string;
  /** Nothing to complain of: the source is not there, and that is fine. */
  readonly isMissing: boolean;
}

/**
 * The mappings of the command line and of the files, as they were written: a glob, or a repository,
 * is one. Throws `UsageError`, and `MappingError` with every fault unless the run goes on after
 * errors: then those of files are among the result.
 */
export async function writtenMappings(wish: MirrorOptions): Promise<MappingFile> {
  const files = await Promise.all(wish.files.map(async (file) => parseMappingFile(file, await textOf(file))));
  const mappings = [...parseMappings(wish.words), ...files.flatMap((file) => file.mappings)];
  const faults = files.flatMap((file) => file.faults);
  if (faults.length > 0 && !(wish.continueOnError && mappings.length > 0)) throw new MappingError(faults);
  if (mappings.length === 0) throw new UsageError(nothingToDo);
  const tagged = wish.allTags ? mappings.find(({ source }) => referenceOf(source) !== undefined) : undefined;
  if (tagged !== undefined)
    throw new UsageError(`--all-tags is for repositories, not ${pullSpecText(tagged.source)}`);
  return { mappings, faults };
}

/**
 * The images that the mappings come to; lists tags. Rejects with the first mapping that comes to
 * none, unless the run goes on after errors, or skips sources that are missing.
 */
export async function planImages(
  { mappings: written, faults }: MappingFile,
  wish: MirrorOptions,
  ends: MirrorEndpoints,
  signal: AbortSignal,
): Promise<PlannedImages> {
  const { mappings, unplanned, staging } = await expanded(
    written,
    (source) => tagsOf(source, ends, signal),
    wish,
  );
  signal.throwIfAborted();
  const told = unplanned.map((one) => ({ ...unplannedMapping(one, wish), error: one.error }));
  const fatal = told.find(({ isMissing }) => !isMissing && !wish.continueOnError);
  if (fatal !== undefined) throw fatal.error;
  const { mistakes = [], failures = [] } = Object.groupBy(told, ({ kind }) =>
    kind === 'invalid' ? 'mistakes' : 'failures',
  );
  const images = new Map<ImageCopy, Mapping>();
  for (const mapping of mappings) images.set(await imageOf(mapping, wish, ends), mapping);
  return {
    images,
    unplanned: failures.map(({ error: _error, ...rest }) => rest),
    faults: [...faults, ...mistakes.map(({ reason }) => reason)],
    staging,
  };
}

function unplannedMapping(
  { mapping, error }: Unplanned,
  { skipMissing }: Pick<MirrorOptions, 'skipMissing'>,
): UnplannedMapping {
  if (error instanceof MappingError) {
    const isMissing = skipMissing && error.kind === 'source-gone';
    return { mapping, kind: error.kind, reason: error.message, isMissing };
  }
  if (!(error instanceof RegistryError)) throw error;
  const { location: registry, repository } = mapping.source;
  const { kind } = sourceFailure(error, { kind: 'manifest', reference: '', registry, repository });
  return { mapping, kind, reason: complaintText(error), isMissing: skipMissing && kind === 'source-gone' };
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

async function tagsOf(source: PullSpec, ends: MirrorEndpoints, signal: AbortSignal): Promise<readonly Tag[]> {
  try {
    return await Array.fromAsync(allTags(await ends.source(source), source.repository, { signal }));
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const advice = connectionAdvice(error);
    const said = registryText(error);
    const reason = advice === undefined ? said : `${said}: ${advice}`;
    const message = `the tags of ${pullSpecText(source)} cannot be listed: ${reason}`;
    throw new RegistryError(error.code, message, { cause: error });
  }
}

async function imageOf(
  { source, destination }: Mapping,
  wish: MirrorOptions,
  ends: MirrorEndpoints,
): Promise<ImageCopy> {
  const reference = referenceOf(source);
  if (reference === undefined) throw new MappingError(['you must specify a tag or digest for SRC']);
  const { filterByOs, keepManifestList, referrers, force, foreignLayers } = wish;
  const { repository, tag } = destination;
  const end = await ends.destination(destination);
  return {
    source: await ends.source(source),
    openByUrls: await ends.openByUrls(source),
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
