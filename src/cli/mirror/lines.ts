import type { StagingTags } from '../../mirror/batch/expansion.ts';
import type { Mapping } from '../../mirror/batch/mapping.ts';
import type { CopyError } from '../../mirror/failure.ts';
import type { CopyEvents } from '../../mirror/images/copy-events.ts';
import type { ImageCopy } from '../../mirror/images/image-copy.ts';
import { type PullSpec, placeText, pullSpecText } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Io, Output } from '../flags/io.ts';
import { binarySize, decimalSize, durationText } from './go-text.ts';
import { reasonText } from './report.ts';

interface MirrorLinesOptions {
  readonly mappingOf: (image: ImageCopy) => Mapping;
  readonly images: number;
  /** Whether standard output gets a line for each image. */
  readonly hasResults: boolean;
  readonly skipMissing: boolean;
  /** Whether what is pushed with an image, such as those of a list, has lines too. */
  readonly listsChildren: boolean;
}

interface MirrorLines {
  readonly events: Partial<CopyEvents>;
  /** Takes the progress away and stops drawing it. */
  close(): void;
}

/** A line names so many of the tags that it counts. */
const namedTags = 3;
const drawMs = 200;
const clearLine = '\r\u001b[K';

/** Writes a line, in the place of the progress where that is drawn. */
export function told(stderr: Output, text: string): void {
  stderr.write(`${stderr.isTTY === true ? clearLine : ''}${text}\n`);
}

/**
 * Results on standard output, the rest on standard error: on a terminal one line that is redrawn
 * below the complaints, elsewhere a line for each upload.
 */
export function createMirrorLines({ stdout, stderr }: Io, options: MirrorLinesOptions): MirrorLines {
  const { mappingOf, images, hasResults, skipMissing, listsChildren } = options;
  const children = new Map<ImageCopy, Set<string>>();
  const isTerminal = stderr.isTTY === true;
  const counters = { images: 0, blobs: 0, bytes: 0, startedAt: performance.now() };
  const say = (text: string) => told(stderr, text);
  const placeOf = (image: ImageCopy) => placeText(mappingOf(image).destination);
  const draw = () => stderr.write(`${clearLine}${progressText(counters, images)}`);
  if (isTerminal) draw();
  const timer = isTerminal ? setInterval(draw, drawMs) : undefined;
  return {
    events: {
      uploadStarted({ image, descriptor: { digest, size } }) {
        if (!isTerminal) say(`uploading: ${placeOf(image)} ${digest}${sizeText(size)}`);
      },
      blobEnded({ image, descriptor: { digest, size }, outcome }) {
        counters.blobs += 1;
        if (outcome === 'mounted' && !isTerminal)
          say(`mounted: ${placeOf(image)} ${digest}${sizeText(size)}`);
      },
      manifestPut({ image, descriptor: { digest } }) {
        children.set(image, (children.get(image) ?? new Set()).add(digest));
      },
      received({ bytes }) {
        counters.bytes += bytes;
      },
      retried({ reason, waitMs }) {
        say(`warning: ${reasonText(reason)}; trying again in ${durationText(waitMs / 1000)}`);
      },
      imageEnded({ image, copied, failure }) {
        const { source, destination } = mappingOf(image);
        counters.images += 1;
        if (failure !== undefined) say(failureText(failure, source, skipMissing));
        else if (copied?.outcome === 'filtered')
          say(`info: Filtered all images from ${pullSpecText(source)}, skipping`);
        else if (hasResults) {
          const pushed = listsChildren ? [...(children.get(image) ?? [])] : [];
          const place = placeText(destination);
          for (const digest of pushed) if (digest !== copied?.digest) stdout.write(`${digest} ${place}\n`);
          stdout.write(`${copied?.digest} ${pullSpecText(destination)}\n`);
        }
        children.delete(image);
      },
    },
    close() {
      clearInterval(timer);
      if (isTerminal) stderr.write(clearLine);
    },
  };
}

/** A throttled line begins as oc's: people search such lines for repositories. */
function failureText(failure: CopyError, source: PullSpec, skipMissing: boolean): string {
  if (skipMissing && failure.kind === 'source-gone')
    return `warning: Image ${pullSpecText(source)} does not exist and will not be mirrored`;
  const image = failure.kind === 'throttled' ? `unable to push ${placeText(source)}: ` : '';
  return `error: ${image}${complaintText(failure)}`;
}

/** What a mapping matched of the stages and backups of a flat repository, and became of it. */
export function stagingText({ mapping: { source, where }, tags, areLeftOut }: StagingTags): string {
  const place = `${where === undefined ? '' : `${where}: `}${pullSpecText(source)}`;
  const some = `${tags.slice(0, namedTags).join(', ')}${tags.length > namedTags ? ', …' : ''}`;
  const found = `${tags.length} staging and backup tags (${some})`;
  return areLeftOut
    ? `info: ${place}: left out ${found}; --staging-tags copies them too`
    : `warning: ${place} matches ${found}, which are copied: SRC:PREFIX* DST:* leaves them out`;
}

/** The failure for a person, with what the system or TLS called it, such as `ENOTFOUND`. */
export function complaintText(failure: Error): string {
  const code = codeBelow(failure);
  const isSaid = code === undefined || failure.message.includes(code);
  return `${reasonText(failure.message)}${isSaid ? '' : ` (${code})`}`;
}

function codeBelow({ cause }: Error): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const code = 'code' in cause && !(cause instanceof RegistryError) ? cause.code : undefined;
  return codeBelow(cause) ?? (typeof code === 'string' ? code : undefined);
}

interface Counters {
  readonly images: number;
  readonly blobs: number;
  readonly bytes: number;
  readonly startedAt: number;
}

function progressText({ images, blobs, bytes, startedAt }: Counters, total: number): string {
  const seconds = (performance.now() - startedAt) / 1000;
  const rate = decimalSize(bytes / Math.max(seconds, 0.001));
  return `images ${images}/${total}, blobs ${blobs}, ${decimalSize(bytes)} (${rate}/s), ${durationText(Math.floor(seconds))}`;
}

function sizeText(size: number): string {
  return size < 0 ? '' : ` ${binarySize(size)}`;
}
