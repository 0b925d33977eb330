import type { Hash } from 'node:crypto';
import { Connection, slowTickMs } from './connection.ts';

/** One GET, and how it is read. */
export interface Pull {
  readonly origin: string;
  readonly path: string;
  /** Further header lines. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How much the client reads a second, in bytes. Default 0: as fast as it can. */
  readonly bytesPerSecond?: number;
  /** The client leaves after so many milliseconds, wherever it is. Default: it stays to the end. */
  readonly leaveAfterMs?: number;
}

export interface Pulled {
  /** 0 when no answer came. */
  readonly status: number;
  /** Bytes of the body. */
  readonly bytes: number;
  readonly isWhole: boolean;
  /** From the start to the first byte of the body. */
  readonly firstByteMs: number;
  /** From the start to the last byte of the body, or to the end of the connection. */
  readonly totalMs: number;
  /** The digest of the body, of a client that checks. */
  readonly digest?: string;
  /** Where a redirect leads. */
  readonly location?: string;
}

export interface PullMeans {
  /** Every read goes here and is forgotten; several clients may share it. */
  readonly buffer: Buffer;
  /** Sees the body. */
  readonly hash?: Hash;
  /** Told of each piece of the body that came. */
  readonly received?: (bytes: number) => void;
}

/**
 * The size of the buffer that suits a pull: large for a fast one, one tick's worth for a slow one.
 */
export function bufferBytes({ bytesPerSecond = 0 }: Pick<Pull, 'bytesPerSecond'>): number {
  return bytesPerSecond === 0 ? 256 * 1024 : Math.ceil((bytesPerSecond * slowTickMs) / 1000);
}

/**
 * Makes the request on a raw socket of its own: a client that costs so little that the server is
 * what is measured. Never rejects: what went wrong shows in `status` and `isWhole`.
 */
export async function pull(request: Pull, means: PullMeans): Promise<Pulled> {
  const connection = new Connection(request, means.buffer);
  const leave = setTimeout(() => connection.close(), request.leaveAfterMs ?? 2 ** 31 - 1);
  try {
    return await connection.ask({ ...request, headers: { connection: 'close', ...request.headers } }, means);
  } finally {
    clearTimeout(leave);
    connection.close();
  }
}
