import type { Descriptor } from '../../oci/content.ts';
import type { Tag } from '../../oci/reference.ts';
import type { CopyError, FailureClass } from '../failure.ts';
import type { CopiedImage, ImageCopy } from './image-copy.ts';

/** How content came to its destination: sent, mounted from another repository, or present. */
export type Landing = 'copied' | 'mounted' | 'present';

/** What a run reports while it works. */
export interface CopyEvents {
  /** Once an image, when it is not tried again. */
  imageEnded(event: {
    readonly image: ImageCopy;
    readonly copied?: CopiedImage;
    readonly failure?: CopyError;
  }): void;
  /** Bytes of a blob are about to be sent. */
  uploadStarted(event: { readonly image: ImageCopy; readonly descriptor: Descriptor }): void;
  /** A blob that this image was the first to need is there, or is given up. */
  blobEnded(event: {
    readonly image: ImageCopy;
    readonly descriptor: Descriptor;
    readonly outcome: Landing | 'failed';
  }): void;
  manifestPut(event: {
    readonly image: ImageCopy;
    readonly descriptor: Descriptor;
    readonly reference: string;
  }): void;
  /** What cosign keeps under that tag is not copied, and its image is. */
  attachmentFailed(event: {
    readonly image: ImageCopy;
    readonly tag: Tag;
    readonly failure: CopyError;
  }): void;
  /** Bytes were read from a source, to be sent. */
  received(event: { readonly bytes: number }): void;
  /** An image or a blob is tried again after a pause. */
  retried(event: {
    readonly image: ImageCopy;
    readonly kind: FailureClass;
    readonly reason: string;
    readonly waitMs: number;
  }): void;
}
