import { Readable } from 'node:stream';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { Semaphore } from '../../../base/flow/semaphore.ts';
import { codeOf } from '../../../base/state/durable-file.ts';
import { collected } from '../../../oci/content.ts';
import type { Downloads } from '../../../upstream/download/downloads.ts';
import type { ResponseBody, UpstreamResponse } from '../../../upstream/exchange.ts';

/** How the SDK has its requests sent: its own interface for that. */
type Handler = Extract<NonNullable<S3ClientConfig['requestHandler']>, { handle(...given: never[]): unknown }>;
type Handling = Parameters<Handler['handle']>;

interface BorrowedBodiesOptions {
  readonly downloads: Pick<Downloads, 'get'>;
  /** Connections at a time; further calls wait for one. */
  readonly maxSockets: number;
  /** Until a connection stands, and until the head of an answer, milliseconds. */
  readonly connectTimeoutMs: number;
  readonly firstByteTimeoutMs: number;
}

/**
 * What the SDK takes for the body of an answer, and hands on untouched: it insists on a stream. The
 * bytes themselves are in `borrowed`.
 */
export class BorrowedBody extends Readable {
  readonly borrowed: ResponseBody;

  constructor(borrowed: ResponseBody) {
    super({ read: () => undefined });
    this.borrowed = borrowed;
  }
}

/** What S3 says of a refusal is shorter, bytes. */
const longestRefusal = 64 * 1024;
/** Who reads the object watches its pace. */
const neverMs = 2 ** 31 - 1;

/**
 * Sends GETs of the SDK as downloads, whose bodies land in memory that is used again. By
 * `node:http` each piece is new memory, and half the processor time of a read is its collection.
 */
export function createBorrowedBodies(options: BorrowedBodiesOptions): Handler {
  const { downloads, maxSockets, connectTimeoutMs } = options;
  const places = new Semaphore({ permits: maxSockets });
  const line = { tls: { rejectUnauthorized: true }, connectTimeoutMs };

  async function handle(...[request, { abortSignal } = {}]: Handling) {
    if (request.method !== 'GET') throw new Error(`${request.method} is not sent as a download`);
    // The SDK's type is that of an older signal; what comes is what `send` was given.
    const signal = abortSignal as AbortSignal | undefined;
    const free = await places.acquire(signal);
    try {
      const answer = await downloads.get({
        url: urlOf(request),
        headers: request.headers,
        line,
        firstByteTimeoutMs: options.firstByteTimeoutMs,
        progressTimeoutMs: neverMs,
        ...(signal === undefined ? {} : { signal }),
      });
      if (answer.body.closed) free();
      else answer.body.once('close', free);
      return { response: await taken(answer) };
    } catch (error) {
      free();
      signal?.throwIfAborted();
      throw retried(error);
    }
  }

  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

/** An object has readers that borrow; a refusal is read here, and frees its connection. */
async function taken({ status: statusCode, headers, body }: UpstreamResponse) {
  const isObject = statusCode >= 200 && statusCode < 300;
  return {
    statusCode,
    headers: joined(headers),
    body: isObject ? new BorrowedBody(body) : Readable.from([await collected(body, longestRefusal)]),
  };
}

function joined(headers: UpstreamResponse['headers']): Record<string, string> {
  const lines = Object.entries(headers).map(([name, value = '']) => [name, [value].flat().join(', ')]);
  return Object.fromEntries(lines);
}

function urlOf({ protocol, hostname, port, path, query = {} }: Handling[0]): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`);
  const terms = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ''].flat().map((each) => `${encoded(name)}=${encoded(String(each))}`),
  );
  url.search = terms.join('&');
  return url;
}

/** As the signature has it: RFC 3986, of which `encodeURIComponent` leaves five characters. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** By the name under which the SDK tries again: the connection failed, S3 refused nothing. */
function retried(error: unknown): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || code === undefined || !/^UND_ERR_|^HPE_|^ERR_MALFORMED/.test(code))
    return error;
  return Object.assign(new Error(error.message), { name: 'TimeoutError', code });
}
