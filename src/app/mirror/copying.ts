import type { MirrorSettings } from '../../config/config.ts';
import { copyImage } from '../../mirror/copy/copy.ts';
import { type CopyRun, createCopyRun } from '../../mirror/copy/run.ts';
import type { CopiedImage } from '../../mirror/images/image-copy.ts';
import type { CopyPair } from '../../mirror/loop/loop.ts';
import type { Holds } from '../../mirror/queue/holds.ts';
import type { RegistryEndpoints } from './endpoints.ts';

/** A run knows what is where, which does not stay true for ever. */
const runMs = 10 * 60_000;

/** Copies one image of the queue; many at a time share what they learn, for a while. */
export function copying(
  ends: RegistryEndpoints,
  settings: MirrorSettings,
  signal: AbortSignal,
  holds?: Pick<Holds, 'find'>,
) {
  let run: CopyRun | undefined;
  let since = 0;

  function shared(): CopyRun {
    if (run === undefined || performance.now() - since > runMs) {
      run = createCopyRun({ signal, maxPerRoute: settings.maxPerRegistry });
      since = performance.now();
    }
    return run;
  }

  /** A hold may come while the image is copied. */
  const isFree = (destination: string) =>
    holds === undefined || (async () => (await holds.find(destination)) === undefined);

  return async (
    { source, destination, isPulled = false, fills = false, seen }: CopyPair,
    stop: AbortSignal,
  ): Promise<CopiedImage | undefined> => {
    if (settings.dryRun) return undefined;
    const { tag } = destination.reference;
    const image = {
      source: isPulled ? ends.pulledSource(source.registry) : ends.source(source.registry),
      from: source,
      destination: ends.destination(destination.registry),
      to: { repository: destination.repository, ...(tag === undefined ? {} : { tag }) },
      overwrites: !fills && isFree(destination.text),
    };
    return await copyImage(image, shared(), { signal: stop, seen });
  };
}
