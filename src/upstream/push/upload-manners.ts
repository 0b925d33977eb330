/** What a registry has shown of its handling of uploads, shared by all uploads to it. */
export interface UploadManners {
  /** False once it has refused PATCH: a blob then goes whole with the PUT that ends its upload. */
  takesPatch: boolean;
  /** Larger bodies were answered 413, by it or by a proxy before it, bytes. */
  mostBytes: number;
}

/** Smaller pieces than this are not tried: a limit below it is no limit of uploads, bytes. */
const leastPieceBytes = 256 * 1024;

/** Nothing is known yet: everything is tried in one piece. */
export function createUploadManners(): UploadManners {
  return { takesPatch: true, mostBytes: Number.POSITIVE_INFINITY };
}

/**
 * The size to try after a piece of `length` bytes was too large: `chunkBytes` at most, and a
 * quarter of the piece. Undefined when there is no smaller one to try.
 */
export function smallerPiece(length: number, chunkBytes: number): number | undefined {
  if (length <= leastPieceBytes) return undefined;
  return Math.max(leastPieceBytes, Math.min(chunkBytes, Math.floor(length / 4)));
}
