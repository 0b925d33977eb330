import type { Look } from '../copy/look.ts';
import { slots } from '../copy/slots.ts';
import { imageStreamTagText, quayImage } from '../names.ts';
import type { MirrorConfig, MirroredImage } from './config-file.ts';

export interface ValidateOptions {
  readonly config: MirrorConfig;
  /** The configuration in force: what it has is not questioned again. Default: none, every entry is new. */
  readonly against?: MirrorConfig;
  readonly look: Look;
  /** Images looked at at a time. Default 8. */
  readonly concurrency?: number;
}

/**
 * What speaks against each new supplemental image, in the order of the file: a source on docker.io, which limits pulls; one that cannot be
 * had; a target that somebody else has made already. Rejects with the signal's reason alone.
 */
export async function objections(
  { config, against, look, concurrency = 8 }: ValidateOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const old = new Set(against?.supplemental.map(({ target }) => imageStreamTagText(target)));
  const added = config.supplemental.filter(({ target }) => !old.has(imageStreamTagText(target)));
  const turns = slots(concurrency);
  const asked = added.map((image) => turns.run('', () => objectionsTo(image, look, signal), signal));
  return (await Promise.all(asked)).flat();
}

async function objectionsTo(
  { target, source }: MirroredImage,
  look: Look,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const key = imageStreamTagText(target);
  if (source.startsWith('docker.io/')) return [`source image ${source} is from docker.io`];
  const [wanted, held] = await Promise.allSettled([
    look.stat(source, signal),
    look.stat(quayImage(target), signal),
  ]);
  signal.throwIfAborted();
  return [
    ...(wanted.status === 'rejected' || wanted.value === undefined
      ? [`source image ${source} is not accessible${reasonOf(wanted)}`]
      : []),
    ...(held.status === 'rejected'
      ? [`target ${key} cannot be looked up in quay${reasonOf(held)}`]
      : held.value === undefined
        ? []
        : [`target ${key} already exists in quay`]),
  ];
}

function reasonOf(outcome: PromiseSettledResult<unknown>): string {
  if (outcome.status === 'fulfilled') return '';
  return `: ${outcome.reason instanceof Error ? outcome.reason.message : 'it failed for an unknown reason'}`;
}
