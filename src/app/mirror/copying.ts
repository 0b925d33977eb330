import type { MirrorSettings } from '../../config/config.ts';
import { copyImage } from '../../mirror/copy/copy.ts';
import { type CopyRun, createCopyRun } from '../../mirror/copy/run.ts';
import type { CopyEvents } from '../../mirror/images/copy-events.ts';
import { type CopiedImage, destinationText, sourceText } from '../../mirror/images/image-copy.ts';
import type { LogMirror } from '../../mirror/log.ts';
import type { CopyPair } from '../../mirror/loop/loop.ts';
import type { Holds } from '../../mirror/queue/holds.ts';
import { qci } from '../../mirror/references/names.ts';
import type { RegistryEndpoints } from './endpoints.ts';

/** A run knows what is where, which does not stay true for ever. */
const runMs = 10 * 60_000;

/** After so many tries, some minutes, what fails of signatures keeps no image back any more. */
const patientTries = 5;

interface CopyingOptions {
  /** Default: none is held. */
  readonly holds?: Pick<Holds, 'find'>;
  /** Default: nothing is logged. */
  readonly tell?: LogMirror;
}

/** Copies one image of the queue; many at a time share what they learn, for a while. */
export function copying(
  ends: RegistryEndpoints,
  settings: MirrorSettings,
  signal: AbortSignal,
  { holds, tell }: CopyingOptions = {},
) {
  let run: CopyRun | undefined;
  let since = 0;

  const attachmentFailed: CopyEvents['attachmentFailed'] = ({ image, tag, failure: error }) =>
    tell?.('attachmentFailed', { source: sourceText(image), target: destinationText(image), tag, error });

  function shared(): CopyRun {
    if (run === undefined || performance.now() - since > runMs) {
      run = createCopyRun({ signal, maxPerRoute: settings.maxPerRegistry, events: { attachmentFailed } });
      since = performance.now();
    }
    return run;
  }

  /** A hold may come while the image is copied. */
  const isFree = (destination: string) =>
    holds === undefined || (async () => (await holds.find(destination)) === undefined);

  return async (
    { source, destination, isPulled = false, fills = false, attempts = 0, seen }: CopyPair,
    stop: AbortSignal,
  ): Promise<CopiedImage | undefined> => {
    if (settings.dryRun) return undefined;
    const { tag } = destination.reference;
    const image = {
      source: isPulled ? ends.pulledSource(source.registry) : ends.source(source.registry),
      from: source,
      destination: ends.destination(destination.registry),
      to: { repository: destination.repository, ...(tag === undefined ? {} : { tag }) },
      attachments:
        bringsAttachments(settings, destination) && (attempts < patientTries || ('if-possible' as const)),
      overwrites: !fills && isFree(destination.text),
    };
    return await copyImage(image, shared(), { signal: stop, seen });
  };
}

function bringsAttachments(
  { attachments }: MirrorSettings,
  { registry, repository }: CopyPair['destination'],
): boolean {
  return attachments === 'all' || (attachments === 'qci' && `${registry}/${repository}` === qci);
}
