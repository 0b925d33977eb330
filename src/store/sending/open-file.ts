// Room `store/sending`: bytes of files of this machine, on their way to a sink. In: an open file.
// Out: its bytes, sent by the kernel where it can, else by the process. Imports: base, oci, store.

import { closeSync } from 'node:fs';
import { lengthOf } from '../../oci/range.ts';
import type { BufferPool } from '../buffers.ts';
import type { StoredFile } from '../stored-file.ts';
import { FileSending } from './file-sending.ts';
import type { KernelSend } from './kernel-send.ts';
import { KernelSending } from './kernel-sending.ts';

interface OpenFileOptions {
  /** Large buffers for fast readers. */
  readonly pool: BufferPool;
  /** Default: the process sends. */
  readonly kernel?: KernelSend | undefined;
}

/** A complete file that was opened for one reader, whose descriptor goes with it. */
export function createStoredFile(fd: number, { pool, kernel }: OpenFileOptions): StoredFile {
  return {
    async sendTo(sink, range, signal) {
      const isForKernel =
        kernel !== undefined && sink.socket !== undefined && lengthOf(range) > pool.bufferBytes;
      const start = isForKernel
        ? await new KernelSending({ kernel, fd, range, sink, signal }).run()
        : range.start;
      const rest = { start, end: range.end };
      if (lengthOf(rest) > 0) await new FileSending({ fd, range: rest, sink, pool, signal }).run();
    },
    close: () => closeSync(fd),
  };
}
