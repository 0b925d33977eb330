// Room `cli/images`: commands about images that exist: image info, verify, revert. In: flags,
// references, mappings, settings. Out: text or JSON, the exit code. Imports: every room below.

import { inOrder } from '../../base/flow/each.ts';
import { tagGlob } from '../../base/text/glob.ts';
import { allTags } from '../../mirror/endpoints/reading.ts';
import { describeImages } from '../../mirror/inspect/describe.ts';
import type { ImageDescription } from '../../mirror/inspect/description.ts';
import { isCertain, whyUnread } from '../../mirror/inspect/gaps.ts';
import { type PullSpec, pullSpecText, referenceOf } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Io, type Run, stopCode } from '../flags/io.ts';
import type { MirrorEndpoints } from '../mirror/endpoints.ts';
import { infoDocument } from './info-json.ts';
import { type InfoOptions, parseInfoFlags } from './info-options.ts';
import { infoText } from './info-text.ts';
import { configuredEndpoints } from './settings.ts';

/** What was found under one name. */
interface Looked {
  readonly name: string;
  readonly images: readonly ImageDescription[];
  readonly failure?: RegistryError;
}

const namesAtOnce = 4;

/**
 * `quayside image info`: what images are, in the words of `oc image info`. Ends with 0 when all was
 * shown, 1 for what does not exist or is damaged, 3 for what a registry did not say.
 */
export function imageInfo(now: () => number = Date.now): Run {
  return async (args, io) => {
    const wish = parseInfoFlags(args);
    const ends = await configuredEndpoints(wish, 'pull', io);
    const codes = new Set<number>();
    try {
      for (const spec of wish.images)
        for (const code of await shown(spec, wish, ends, io, now)) codes.add(code);
    } catch (error) {
      if (!io.signal.aborted) throw error;
      return stopCode(io.signal.reason);
    } finally {
      await ends.close();
    }
    return [1, 3].find((code) => codes.has(code)) ?? 0;
  };
}

/** Writes what is found, each when all before it are written. Resolves to the codes of all. */
async function shown(
  spec: PullSpec,
  wish: InfoOptions,
  ends: MirrorEndpoints,
  io: Io,
  now: () => number,
): Promise<readonly number[]> {
  const codes: number[] = [];
  const look = (each: PullSpec) => looked(each, wish, ends, io.signal);
  const names = await namesOf(spec, ends, io.signal);
  if ('failure' in names) return [told(names, wish, io, now)];
  for await (const one of inOrder(names.specs, namesAtOnce, look)) codes.push(told(one, wish, io, now));
  return codes;
}

async function namesOf(
  spec: PullSpec,
  ends: MirrorEndpoints,
  signal: AbortSignal,
): Promise<{ readonly specs: readonly PullSpec[] } | (Looked & { readonly failure: RegistryError })> {
  const { glob, ...place } = spec;
  if (glob === undefined) return { specs: [spec] };
  const name = pullSpecText(spec);
  try {
    const reader = await ends.source(spec);
    const tags = await Array.fromAsync(allTags(reader, spec.repository, { signal }));
    const wanted = tagGlob(glob);
    const specs = tags.filter((tag) => wanted.test(tag)).map((tag) => ({ ...place, tag }));
    if (specs.length > 0) return { specs };
    return { name, images: [], failure: new RegistryError('MANIFEST_UNKNOWN', 'no tag fits it') };
  } catch (error) {
    return { name, images: [], failure: registryFailure(error, signal) };
  }
}

async function looked(
  spec: PullSpec,
  { filterByOs, everyImage, referrers }: InfoOptions,
  ends: MirrorEndpoints,
  signal: AbortSignal,
): Promise<Looked> {
  const name = pullSpecText(spec);
  const reference = referenceOf(spec);
  if (reference === undefined) return { name, images: [] };
  try {
    const place = { reader: await ends.source(spec), repository: spec.repository, signal };
    const choice = { everyImage, referrers, ...(filterByOs === undefined ? {} : { filterByOs }) };
    return { name, images: await describeImages(place, reference, choice) };
  } catch (error) {
    return { name, images: [], failure: registryFailure(error, signal) };
  }
}

function registryFailure(error: unknown, signal: AbortSignal): RegistryError {
  signal.throwIfAborted();
  if (error instanceof RegistryError) return error;
  throw error;
}

/** Writes one name. Resolves to its code. */
function told({ name, images, failure }: Looked, { json }: InfoOptions, io: Io, now: () => number): number {
  if (failure !== undefined) {
    io.stderr.write(`error: ${failureText(name, failure)}\n`);
    return isCertain(failure) ? 1 : 3;
  }
  const documents = images.map((image) => infoDocument(name, image));
  if (json)
    io.stdout.write(`${JSON.stringify(documents.length === 1 ? documents[0] : documents, undefined, 2)}\n`);
  else for (const image of images) io.stdout.write(infoText(name, image, now()));
  const gaps = images.flatMap((image) => image.gaps);
  for (const { what, reason, isWrong } of gaps)
    io.stderr.write(`${isWrong ? 'error' : 'warning'}: ${name}: ${what}: ${reason}\n`);
  if (gaps.some(({ isWrong }) => isWrong)) return 1;
  return gaps.length > 0 ? 3 : 0;
}

/** In the words that scripts look for in those of oc. */
function failureText(name: string, failure: RegistryError): string {
  const why = whyUnread(failure);
  if (failure.code === 'MANIFEST_UNKNOWN' || failure.code === 'NAME_UNKNOWN')
    return `image "${name}" not found: ${why}`;
  return failure.code === 'DENIED'
    ? `image "${name}" does not exist or you don't have permission to access the repository: ${why}`
    : `unable to read image ${name}: ${why}`;
}
