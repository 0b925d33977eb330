/** The entry point of a thread that computes digests: chunks come in and go back. */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { Algorithm } from '../../oci/digest.ts';

/** To the thread. `id` is the content; its first message begins it. */
export type ToThread =
  | {
      readonly id: number;
      readonly algorithm: Algorithm;
      readonly buffer: ArrayBuffer;
      readonly length: number;
    }
  | { readonly id: number; readonly algorithm: Algorithm; readonly end: 'whole' | 'dropped' };

/** From it. */
export type FromThread = { readonly buffer: ArrayBuffer } | { readonly id: number; readonly hex: string };

const hashes = new Map<number, Hash>();

parentPort?.on('message', (message: ToThread) => {
  const hash = hashes.get(message.id) ?? createHash(message.algorithm);
  if ('buffer' in message) {
    hashes.set(message.id, hash);
    hash.update(new Uint8Array(message.buffer, 0, message.length));
    const back: FromThread = { buffer: message.buffer };
    parentPort?.postMessage(back, [message.buffer]);
    return;
  }
  hashes.delete(message.id);
  if (message.end === 'dropped') return;
  const found: FromThread = { id: message.id, hex: hash.digest('hex') };
  parentPort?.postMessage(found);
});
