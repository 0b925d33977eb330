import type { Bytes, Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { OpenBlob } from '../../oci/registry-reader.ts';
import type { CopyError } from '../failure.ts';
import { missingPart, otherSize, sourceFailure } from '../images/classify.ts';
import { type Copying, sourceSubject } from './copying.ts';

/** A blob being read from its source, as often and from wherever the upload needs it. */
export interface BlobReading {
  /** Bytes: by its manifest, else by the source; if unknown, it is read once to count them. */
  size(): Promise<number>;
  open(start: number): Promise<Bytes>;
  /** What went wrong at the source since it was opened last. */
  readonly failure: CopyError | undefined;
  /** Ends what is still open. */
  close(): void;
}

/** Nothing is open yet. Every failure is a CopyError that names the source. */
export function createBlobReading(descriptor: Descriptor, namedBy: Digest, copying: Copying): BlobReading {
  const { image, run, signal } = copying;
  const { source, from, openByUrls } = image;
  const isForeign = descriptor.urls !== undefined;
  const subject = sourceSubject(copying, { kind: 'blob', reference: descriptor.digest, isForeign });
  let opened: OpenBlob | undefined;
  let failure: CopyError | undefined;

  const failed = (error: unknown): CopyError => {
    signal.throwIfAborted();
    failure = sourceFailure(error, subject);
    return failure;
  };

  async function blobAt(start: number): Promise<OpenBlob> {
    opened?.close();
    opened = undefined;
    failure = undefined;
    try {
      opened = await source.openBlob(from.repository, descriptor.digest, { start, signal });
      if (isForeign) opened ??= await openByUrls?.(descriptor, { start, signal });
    } catch (error) {
      throw failed(error);
    }
    const manifest = `manifest ${namedBy}`;
    if (opened === undefined) throw failed(missingPart(subject, manifest));
    const { size } = opened;
    if (size !== undefined && descriptor.size >= 0 && size !== descriptor.size)
      throw failed(otherSize(subject, descriptor, size, manifest));
    return opened;
  }

  async function* body(blob: OpenBlob): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of blob.body) {
        run.events.received?.({ bytes: chunk.byteLength });
        yield chunk;
      }
    } catch (error) {
      throw failed(error);
    }
  }

  async function counted(): Promise<number> {
    const blob = await blobAt(0);
    if (blob.size !== undefined) return blob.size;
    let size = 0;
    for await (const chunk of body(blob)) size += chunk.byteLength;
    return size;
  }

  return {
    size: async () => (descriptor.size >= 0 ? descriptor.size : counted()),
    open: async (start) => body(await blobAt(start)),
    get failure() {
      return failure;
    },
    close: () => opened?.close(),
  };
}
