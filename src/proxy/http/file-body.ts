import type { ServerResponse } from 'node:http';
import type { ByteRange } from '../../oci/content.ts';
import type { ByteSink, StoredFile } from '../../store/stored-file.ts';
import type { BodyOptions } from './body.ts';

interface FileBodyOptions extends BodyOptions {
  readonly range: ByteRange;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

/**
 * Sends the range at the client's pace, closes the file, and resolves to the byte after the last
 * one that the kernel took. Where that is the end of the range, the response has ended. Otherwise
 * the file cannot be read, and another source may continue. Throws when the client has left.
 */
export async function sendFile(
  res: ServerResponse,
  file: StoredFile,
  { range, signal, begin, sent }: FileBodyOptions,
): Promise<number> {
  let position = range.start;
  const sink = new ResponseSink(res, {
    ...(begin && { begin }),
    sent(bytes) {
      position += bytes;
      sent(bytes);
    },
  });
  try {
    await file.sendTo(sink, range, signal);
    res.end();
  } catch {
    signal.throwIfAborted();
  } finally {
    await file.close();
  }
  return position;
}

/** A response as a sink: one callback for all of its chunks. */
class ResponseSink implements ByteSink {
  readonly #res: ServerResponse;
  readonly #options: BodyOptions;
  #bytes = 0;
  #taken: Parameters<ByteSink['write']>[1] = () => {};

  constructor(res: ServerResponse, options: BodyOptions) {
    this.#res = res;
    this.#options = options;
  }

  write(chunk: Uint8Array, taken: Parameters<ByteSink['write']>[1]): void {
    this.#options.begin?.(true);
    this.#bytes = chunk.byteLength;
    this.#taken = taken;
    this.#res.write(chunk, this.#written);
  }

  readonly #written = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#options.sent(this.#bytes);
    this.#taken(error);
  };
}
