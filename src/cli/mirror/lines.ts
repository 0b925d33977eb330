import type { StagingTags } from '../../mirror/batch/expansion.ts';
import type { Mapping } from '../../mirror/batch/mapping.ts';
import type { CopyError } from '../../mirror/failure.ts';
import type { CopyEvents } from '../../mirror/images/copy-events.ts';
import type { ImageCopy } from '../../mirror/images/image-copy.ts';
import { type PullSpec, placeText, pullSpecText } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Io } from '../flags/io.ts';
import type { ProgressState } from '../flags/progress-line.ts';
import { binarySize, durationText } from './go-text.ts';
import { reasonText } from './report.ts';

interface MirrorLinesOptions {
  readonly mappingOf: (image: ImageCopy) => Mapping;
  readonly count: CopyCount;
  /** Whether standard output gets a line for each image. */
  readonly hasResults: boolean;
  readonly skipMissing: boolean;
  /** Whether what is pushed with an image, such as those of a list, has lines too. */
  readonly listsChildren: boolean;
}

/** A line names so many of the tags that it counts. */
const namedTags = 3;

/**
 * Results on standard output, the rest on standard error: on a terminal the progress is drawn below
 * them, elsewhere there is a line for each upload.
 */
export function createMirrorLines({ stdout, stderr }: Io, options: MirrorLinesOptions): Partial<CopyEvents> {
  const { mappingOf, count, hasResults, skipMissing, listsChildren } = options;
  const children = new Map<ImageCopy, Set<string>>();
  const isTerminal = stderr.isTTY === true;
  const say = (text: string) => void stderr.write(`${text}\n`);
  const placeOf = (image: ImageCopy) => placeText(mappingOf(image).destination);
  return {
    uploadStarted({ image, descriptor: { digest, size } }) {
      count.began(image, pullSpecText(mappingOf(image).destination), size);
      if (!isTerminal) say(`uploading: ${placeOf(image)} ${digest}${sizeText(size)}`);
    },
    blobEnded({ image, descriptor: { digest, size }, outcome }) {
      if (outcome === 'mounted' && !isTerminal) say(`mounted: ${placeOf(image)} ${digest}${sizeText(size)}`);
    },
    manifestPut({ image, descriptor: { digest } }) {
      children.set(image, (children.get(image) ?? new Set()).add(digest));
    },
    received: ({ bytes }) => count.received(bytes),
    retried({ reason, waitMs }) {
      say(`warning: ${reasonText(reason)}; trying again in ${durationText(waitMs / 1000)}`);
    },
    imageEnded({ image, copied, failure }) {
      const { source, destination } = mappingOf(image);
      count.ended(image, failure !== undefined);
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
  };
}

/** How far a run is, for its progress. */
export class CopyCount {
  /** Of the images that are under way: what they are called, and what they send, in bytes. */
  readonly #open = new Map<ImageCopy, { readonly name: string; bytes: number }>();
  #total: number | undefined;
  #done = 0;
  #failed = 0;
  #bytes = 0;
  /** What the images that have ended sent, and all that began to be sent. */
  readonly #sent = { ended: 0, begun: 0 };

  /** So many images are to be copied. */
  begins(total: number): void {
    this.#total = total;
  }

  began(image: ImageCopy, name: string, size: number): void {
    const open = this.#open.get(image) ?? { name, bytes: 0 };
    this.#open.set(image, open);
    open.bytes += Math.max(0, size);
    this.#sent.begun += Math.max(0, size);
  }

  received(bytes: number): void {
    this.#bytes += bytes;
  }

  ended(image: ImageCopy, isFailure: boolean): void {
    this.#done += 1;
    if (isFailure) this.#failed += 1;
    this.#sent.ended += this.#open.get(image)?.bytes ?? 0;
    this.#open.delete(image);
  }

  /** An image that is under way counts by the bytes that it is known to send. */
  state(): ProgressState {
    const under = this.#sent.begun - this.#sent.ended;
    const part = under === 0 ? 0 : Math.min(1, Math.max(0, this.#bytes - this.#sent.ended) / under);
    const total = this.#total;
    return {
      unit: 'images',
      done: this.#done,
      total,
      share: total ? (this.#done + part * this.#open.size) / total : undefined,
      bytes: this.#bytes,
      totalBytes: this.#sent.begun,
      ...(this.#failed === 0 ? {} : { more: `${this.#failed} failed` }),
      names: [...this.#open.values()].map(({ name }) => name),
    };
  }
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

function sizeText(size: number): string {
  return size < 0 ? '' : ` ${binarySize(size)}`;
}
