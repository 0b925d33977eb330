import type { ServerResponse } from 'node:http';
import { withTimeout } from '../../base/time/wait.ts';
import type { Bytes } from '../../oci/content.ts';

/** The client left before it had everything. Only the log says so. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** A signal that aborts when the client leaves before the response has ended, or has left. */
export function clientSignal(res: ServerResponse): AbortSignal {
  const control = new AbortController();
  const closed = (): void => {
    if (!res.writableFinished) control.abort(new ClientGone('the client closed the connection'));
  };
  if (res.destroyed) closed();
  else res.once('close', closed);
  return control.signal;
}

/**
 * The outcome of the work, or ClientGone at once when the client leaves first. The work continues,
 * since others may wait for it, and its outcome is then ignored.
 */
export function unlessGone<Value>(work: Promise<Value>, res: ServerResponse): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const closed = (): void => {
    if (!res.writableFinished) reject(new ClientGone('the client closed the connection'));
  };
  if (res.destroyed) closed();
  else res.once('close', closed);
  const stay = (): void => void res.off('close', closed);
  work.then(resolve, reject).then(stay, stay);
  return promise;
}

/** A head goes out alone after this: containerd gives up on a mirror without one after 30 s. */
export const headWithinMs = 2_000;

/** What is told of a body on its way. */
export interface BodyOptions {
  /**
   * Sends the head. Is called once the first chunk has come, or after two seconds with `isReady`
   * false: then the head should go out alone. Until that call the status can still be chosen: what
   * fails later can only cut the connection. Default: it is out.
   */
  readonly begin?: (isReady: boolean) => void;
  /** Body bytes were handed to the client's socket. */
  readonly sent: (bytes: number) => void;
}

/**
 * Sends the body at the client's pace and ends the response. Each chunk is handed to the kernel
 * before the next is asked for, so one chunk is all that a slow client can hold. A body that breaks
 * once the head is out destroys the connection, never ends it: the client must see that bytes are
 * missing. The body is released however this ends.
 */
export async function send(res: ServerResponse, body: Bytes, { begin, sent }: BodyOptions): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    const first = iterator.next();
    if (begin !== undefined) {
      const settled = first.then(() => true);
      begin(await withTimeout(settled, headWithinMs, () => false));
    }
    for (let chunk = await first; chunk.done !== true; chunk = await iterator.next()) {
      await written(res, chunk.value);
      sent(chunk.value.byteLength);
    }
    res.end();
  } catch (error) {
    if (res.headersSent) res.destroy();
    throw error;
  } finally {
    await iterator.return?.();
  }
}

function written(res: ServerResponse, chunk: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gone = (): void => reject(new ClientGone('the client closed the connection'));
  if (res.destroyed) gone();
  res.once('close', gone);
  res.write(chunk, (error) => {
    res.off('close', gone);
    if (error === null || error === undefined) resolve();
    else gone();
  });
  return promise;
}
