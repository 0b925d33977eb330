import { mayPass } from '../../base/time/retry.ts';
import type { Digest } from '../../oci/digest.ts';
import { CopyError } from '../failure.ts';
import { type CopySubject, destinationFailure, sourceFailure } from '../images/classify.ts';
import type { Landing } from '../images/copy-events.ts';
import type { ImageCopy } from '../images/image-copy.ts';
import type { CopyRun } from './run.ts';
import type { ContentPlace } from './shared-content.ts';

/** An image about which something is asked. */
export interface Asking {
  readonly image: ImageCopy;
  readonly run: CopyRun;
  readonly signal: AbortSignal;
}

/** One image under way: aborted by the run, its caller, or its first permanent failure. */
export interface Copying extends Asking {
  /** What is begun of this image need not be finished. */
  readonly giveUp: () => void;
  /** Something was written. */
  readonly changed: () => void;
}

/** What a question is about: `reference` is a digest or a tag. */
export type Topic = Pick<CopySubject, 'kind' | 'reference' | 'isSchema1' | 'isForeign'>;

/** One question to the source, when there is room for it. Throws CopyError. */
export function askSource<T>(
  copying: Asking,
  topic: Topic,
  question: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return asked(copying, question, (error) => sourceFailure(error, sourceSubject(copying, topic)));
}

/** One question or order to the destination, when there is room for it. Throws CopyError. */
export function askDestination<T>(
  copying: Copying,
  topic: Topic,
  question: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return asked(copying, question, (error) => destinationFailure(error, destinationSubject(copying, topic)));
}

/** The topic at the source, for people. */
export function sourceSubject({ image }: Asking, topic: Topic): CopySubject {
  return { ...topic, registry: image.source.name, repository: image.from.repository };
}

/** The topic at the destination, for people. */
export function destinationSubject({ image }: Copying, topic: Topic): CopySubject {
  return { ...topic, registry: image.destination.name, repository: image.to.repository };
}

/** A piece of content at the image's destination. */
export function placeOf({ image }: Copying, kind: ContentPlace['kind'], digest: Digest): ContentPlace {
  return { kind, registry: image.destination.name, repository: image.to.repository, digest };
}

/** Sees to it that the content is at its place, once a run, whichever image needs it first. */
export function once(
  copying: Copying,
  place: ContentPlace,
  mustSend: boolean,
  work: () => Promise<Landing>,
): Promise<void> {
  const { image, run, signal } = copying;
  const origin = `${image.source.name}/${image.from.repository}`;
  return run.shared.once(place, { origin, mustSend, signal }, work);
}

/** Awaits all; throws the first failure. A permanent failure aborts the rest. */
export async function together(works: readonly Promise<void>[], copying: Copying): Promise<void> {
  const failures: unknown[] = [];
  const failed = (error: unknown): void => {
    failures.push(error);
    if (error instanceof CopyError && !mayPass(error)) copying.giveUp();
  };
  await Promise.all(works.map((work) => work.catch(failed)));
  if (failures.length > 0) throw failures.find((error) => error instanceof CopyError) ?? failures[0];
}

function asked<T>(
  { image, run, signal }: Asking,
  question: (signal: AbortSignal) => Promise<T>,
  failure: (error: unknown) => CopyError,
): Promise<T> {
  const work = async (): Promise<T> => {
    try {
      return await question(signal);
    } catch (error) {
      signal.throwIfAborted();
      throw failure(error);
    }
  };
  return run.step(image, work, signal);
}
