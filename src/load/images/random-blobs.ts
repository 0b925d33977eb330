/**
 * Bytes made from a seed: a keystream that no compressor shrinks, and a tar of one such file. Never
 * held, always made again.
 */
import { createCipheriv, createHash } from 'node:crypto';
import type { Bytes, Descriptor } from '../../oci/content.ts';
import { digestOf, parseDigest } from '../../oci/digest.ts';

export type TypedDescriptor = Descriptor & { readonly mediaType: string };

export interface GeneratedBlob {
  readonly descriptor: TypedDescriptor;
  /**
   * The bytes from `start` (default 0) to the end; may be read any number of times, also at the
   * same time.
   */
  body(start?: number): Bytes;
}

const chunkBytes = 256 * 1024;
const block = 512;

/** A blob whose bytes are made anew for each reader; they are read once here for the digest. */
export async function streamedBlob(
  bytes: (start: number) => Bytes,
  size: number,
  mediaType: string,
): Promise<GeneratedBlob> {
  const hash = createHash('sha256');
  for await (const chunk of bytes(0)) hash.update(chunk);
  const digest = parseDigest(`sha256:${hash.digest('hex')}`);
  return { descriptor: { mediaType, digest, size }, body: (start = 0) => bytes(start) };
}

/** A small blob in memory. */
export function heldBlob(bytes: Uint8Array, mediaType: string): GeneratedBlob {
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength },
    body: async function* (start = 0) {
      if (start < bytes.byteLength) yield bytes.subarray(start);
    },
  };
}

interface Tar {
  readonly size: number;
  readonly bytes: (start: number) => AsyncGenerator<Uint8Array, void, undefined>;
}

/** POSIX ustar: a header block, the file padded to whole blocks, two zero blocks. */
export function tarOfOne(seed: string, fileName: string, size: number): Tar {
  const fileBytes = Math.max(block, Math.ceil(size / block) * block - 3 * block);
  const header = tarHeader(fileName, fileBytes);
  const end = Buffer.alloc(2 * block);
  return {
    size: header.byteLength + fileBytes + end.byteLength,
    bytes: async function* (start) {
      if (start < block) yield header.subarray(start);
      yield* keystream(seed, fileBytes, Math.max(0, start - block));
      yield end.subarray(Math.max(0, start - block - fileBytes));
    },
  };
}

function tarHeader(fileName: string, fileBytes: number): Buffer {
  const header = Buffer.alloc(block);
  header.write(fileName, 0, 100, 'latin1');
  header.write('0000644\x000000000\x000000000\x00', 100, 'latin1');
  header.write(`${fileBytes.toString(8).padStart(11, '0')}\x0000000000000\x00`, 124, 'latin1');
  header.write('        0', 148, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\x00 `, 148, 'latin1');
  return header;
}

/**
 * `size` bytes that no compressor shrinks; starting in the middle costs nothing, because the
 * counter is set to it.
 */
async function* keystream(
  seed: string,
  size: number,
  start: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (start >= size) return;
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  const counter = Buffer.alloc(16);
  counter.writeUIntBE(Math.floor(start / 16), 10, 6);
  const cipher = createCipheriv('aes-128-ctr', key, counter);
  cipher.update(Buffer.alloc(start % 16));
  const zeros = Buffer.alloc(chunkBytes);
  for (let at = start; at < size; at += chunkBytes) {
    yield cipher.update(zeros.subarray(0, Math.min(chunkBytes, size - at)));
  }
}

/** A small body in memory. */
export async function wholeOf(bytes: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}
