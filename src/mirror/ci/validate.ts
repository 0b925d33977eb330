import { Semaphore } from '../../base/flow/semaphore.ts';
import { type ImageStreamTag, imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import type { ImageInspector } from '../images/image-inspector.ts';
import { type ImageReference, parseImageReference } from '../references/image-reference.ts';
import { quayImage } from '../references/names.ts';
import type { MirrorConfig, MirroredImage } from './config-file.ts';

interface ValidateOptions {
  readonly config: MirrorConfig;
  /** The configuration in force: its entries are not checked again. Default: none. */
  readonly against?: MirrorConfig;
  /** `namespace/name:tag` that ci-operator's configurations promote. Default: unknown. */
  readonly promoted?: ReadonlySet<string>;
  readonly look: ImageInspector;
  /** Images looked at at a time. Default 8. */
  readonly concurrency?: number;
}

/**
 * Objections to each new supplemental image, in the order of the file: a source on docker.io, which
 * limits pulls; an unreadable source; a target that is promoted, or exists already. Rejects with
 * the signal's reason only.
 */
export async function objections(options: ValidateOptions, signal: AbortSignal): Promise<readonly string[]> {
  const { config, against, concurrency = 8 } = options;
  const old = new Set(against?.supplemental.map(({ target }) => imageStreamTagText(target)));
  const added = config.supplemental.filter(({ target }) => !old.has(imageStreamTagText(target)));
  const turns = new Semaphore({ permits: concurrency });
  const asked = added.map((image) => turns.run(() => objectionsTo(image, options, signal), signal));
  return (await Promise.all(asked)).flat();
}

async function objectionsTo(
  { target, source }: MirroredImage,
  { promoted, look }: ValidateOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const key = imageStreamTagText(target);
  const [ofSource, ofTarget] = await Promise.all([
    sourceObjections(source, look, signal),
    targetObjections(target, look, signal),
  ]);
  const isPromoted = promoted?.has(key) === true;
  return [...ofSource, ...(isPromoted ? [`target ${key} would overwrite a promoted tag`] : []), ...ofTarget];
}

async function sourceObjections(
  source: ImageReference,
  look: ImageInspector,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (source.registry === 'docker.io') return [`source image ${source.text} is from docker.io`];
  const { isThere, reason } = await looked(look, source, signal);
  return isThere === true ? [] : [`source image ${source.text} is not accessible${reason}`];
}

async function targetObjections(
  target: ImageStreamTag,
  look: ImageInspector,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const key = imageStreamTagText(target);
  const { isThere, reason } = await looked(look, parseImageReference(quayImage(target)), signal);
  if (isThere === undefined) return [`target ${key} cannot be looked up in quay${reason}`];
  return isThere ? [`target ${key} already exists in quay`] : [];
}

/** Undefined: the registry did not say, for that reason. */
async function looked(
  look: ImageInspector,
  image: ImageReference,
  signal: AbortSignal,
): Promise<{ readonly isThere: boolean | undefined; readonly reason: string }> {
  try {
    return { isThere: (await look.stat(image, signal)) !== undefined, reason: '' };
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : 'failed for an unknown reason';
    return { isThere: undefined, reason: `: ${reason}` };
  }
}
