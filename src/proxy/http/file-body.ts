import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { BrokenRead } from '../../cache/fills/failover-read.ts';
import type { ByteRange } from '../../oci/content.ts';
import type { ByteSink, SinkSocket, StoredFile } from '../../store/stored-file.ts';
import { type BodyOptions, headWithinMs } from './body.ts';

interface FileBodyOptions extends BodyOptions {
  readonly range: ByteRange;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

/**
 * Sends the range at the client's pace, and closes the file. Resolves to undefined once the
 * response has ended; else to how far the file went and what it broke with, and another source may
 * continue. Throws when the client has left.
 */
export async function sendFile(
  res: ServerResponse,
  file: StoredFile,
  { range, signal, begin, sent }: FileBodyOptions,
): Promise<BrokenRead | undefined> {
  let position = range.start;
  // As `send` does: a disk that hangs must not keep back the head.
  const late = begin && setTimeout(begin, headWithinMs, false);
  const sink = new ResponseSink(res, {
    begin(isReady) {
      clearTimeout(late);
      begin?.(isReady);
    },
    sent(bytes) {
      position += bytes;
      sent(bytes);
    },
  });
  try {
    await file.sendTo(sink, range, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (position <= range.end) return { position, error };
  } finally {
    clearTimeout(late);
    file.close();
  }
  res.end();
  return undefined;
}

/** A response as a sink: one callback for all of its chunks. Its length must have been stated. */
class ResponseSink implements ByteSink {
  readonly #res: ServerResponse;
  readonly #options: Required<BodyOptions>;
  #bytes = 0;
  #taken: Parameters<ByteSink['write']>[1] = () => {};

  constructor(res: ServerResponse, options: Required<BodyOptions>) {
    this.#res = res;
    this.#options = options;
  }

  write(chunk: Uint8Array, taken: Parameters<ByteSink['write']>[1]): void {
    this.#options.begin(true);
    this.#bytes = chunk.byteLength;
    this.#taken = taken;
    this.#res.write(chunk, this.#written);
  }

  /** Where the kernel may write: the head is out, and so is every chunk. */
  socket(): SinkSocket | undefined {
    const { socket } = this.#res;
    if (socket === null || socket.destroyed || socket instanceof TLSSocket) return undefined;
    if (!this.#res.headersSent) this.#options.begin(true);
    this.#res.flushHeaders();
    if (this.#res.chunkedEncoding || this.#res.writableLength > 0) return undefined;
    const fd = descriptorOf(socket);
    return fd === undefined ? undefined : { fd, passed: this.#options.sent };
  }

  readonly #written = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#options.sent(this.#bytes);
    this.#taken(error);
  };
}

/** Node shows a socket's descriptor to its own modules only; undefined for what has none. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
