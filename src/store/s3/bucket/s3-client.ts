import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { defined } from '../../../base/text/defined.ts';
import type { Downloads } from '../../../upstream/download/downloads.ts';
import type { ResponseBody } from '../../../upstream/exchange.ts';
import type { StoreEvents } from '../../store.ts';
import { createBorrowedBodies } from './borrowed-bodies.ts';
import type { S3Breaker } from './s3-breaker.ts';
import { credentialFiles } from './s3-credentials.ts';
import { attemptsOf, outcomeOf, s3Failure } from './s3-errors.ts';
import { signedInTime } from './signing-time.ts';

export interface S3ClientOptions {
  readonly bucket: string;
  /** Default `us-east-1`, which most S3-compatible servers accept. */
  readonly region?: string;
  /** URL of an S3-compatible server. Default: AWS, by region. */
  readonly endpoint?: string;
  /** The bucket as the first part of the path instead of the host name. Default false. */
  readonly pathStyle?: boolean;
  /** What all keys begin with; a `/` follows it. Default: nothing. */
  readonly prefix?: string;
  /** Files with the credentials, reloaded after changes. Default: the AWS chain. */
  readonly accessKeyIdFile?: string;
  readonly secretAccessKeyFile?: string;
  readonly sessionTokenFile?: string;
  /** Connections for body reads, and as many for other calls; further calls wait. Default 64. */
  readonly maxSockets?: number;
  /** Whether a connection serves more than one call; if not, any number opens. Default true. */
  readonly keepsConnections?: boolean;
  /** How often a call that is throttled or fails is made again, each time later. Default 3. */
  readonly retries?: number;
  /**
   * Limit from a call's start to its response's head, its retries within, in milliseconds. Default
   * 3,000. Calls that S3 takes its time for have longer: see `deadlineOf`.
   */
  readonly firstByteTimeoutMs?: number;
  readonly events?: Partial<StoreEvents>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** How many bytes are sent; a call may take longer for them. Default: nothing worth counting. */
  readonly sentBytes?: number;
}

/** What the SDK's `send` takes besides the command. */
interface SendOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
}

/** A call's answer: S3 said yes, that there is no such thing, or that a condition does not hold. */
export type S3Response<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'absent' | 'refused'; readonly attempts: number };

/** One bucket of one S3 server, and how it is called. */
export interface S3Calls {
  readonly client: S3Client;
  readonly bucket: string;
  /** Begins every key: empty, or ends with `/`. */
  readonly prefix: string;
  /** Makes one call with retries, and reports it. Throws `UNAVAILABLE`, or the signal's reason. */
  call<T>(
    operation: string,
    send: (options: SendOptions) => Promise<T>,
    options?: CallOptions,
  ): Promise<S3Response<T>>;
  /** The body of an answered call holds a connection until it closes. */
  held(body: ResponseBody): void;
}

/** How GETs are sent whose readers borrow the bodies. */
interface BorrowingOptions {
  readonly downloads: Pick<Downloads, 'get'>;
  /**
   * Where the SDK finds credentials by calls of its own, such as to STS, it makes them as it is
   * told to make those to S3: these POSTs are no downloads.
   */
  readonly credentials: S3Client['config']['credentials'];
}

/**
 * Calls through one client. `breaker` may forbid them, and is told how they end. With `borrowing`
 * it takes GETs of objects only.
 */
export function createS3Calls(
  options: S3ClientOptions,
  breaker: S3Breaker,
  borrowing?: BorrowingOptions,
): S3Calls {
  const { events, firstByteTimeoutMs = 3_000, maxSockets = defaultSockets } = options;
  // An upstream may have what readers wait for. The owner of a blob asks S3 once more for them.
  const silentMs = borrowing === undefined ? undefined : firstByteTimeoutMs / 4;
  const config = clientConfig(options);
  const tryMs = firstByteTimeoutMs / 2;
  const limits = { maxSockets, connectTimeoutMs: tryMs, firstByteTimeoutMs: tryMs };
  const borrowed = borrowing && {
    credentials: borrowing.credentials,
    requestHandler: createBorrowedBodies({ downloads: borrowing.downloads, ...limits }),
  };
  let bodies = 0;
  const report = (operation: string, outcome: CallReport, startedAt: number): void =>
    events?.called?.({ operation, outcome, seconds: (performance.now() - startedAt) / 1000 });

  return {
    client: signedInTime(new S3Client({ ...config, ...borrowed })),
    bucket: options.bucket,
    prefix: options.prefix ? `${options.prefix.replace(/^\/+|(?<!\/)\/+$/g, '')}/` : '',
    async call(operation, send, { signal, sentBytes = 0 } = {}) {
      signal?.throwIfAborted();
      const startedAt = performance.now();
      const deadlineMs = deadlineOf(operation, sentBytes, firstByteTimeoutMs);
      const attempt = breaker.begin(deadlineMs, signal, silentMs);
      try {
        // One attempt never takes all of the time: a kept connection may be dead without a sign.
        const value = await send({ requestTimeout: deadlineMs / 2, abortSignal: attempt.signal });
        attempt.ended('answered');
        report(operation, 'ok', startedAt);
        return { kind: 'ok', value };
      } catch (error) {
        const outcome = outcomeOf(error);
        const isAnswer = outcome === 'absent' || outcome === 'refused';
        // Where readers hold every connection, the call may never have reached S3.
        const isUnknown = signal?.aborted === true || bodies >= maxSockets;
        const failure = s3Failure(operation, attempt.signal.aborted ? attempt.signal.reason : error);
        attempt.ended(isAnswer ? 'answered' : isUnknown ? 'unknown' : 'failed', failure);
        report(operation, outcome === 'refused' ? 'absent' : outcome, startedAt);
        signal?.throwIfAborted();
        if (isAnswer) return { kind: outcome, attempts: attemptsOf(error) };
        throw failure;
      }
    },
    held(body) {
      if (body.closed) return;
      bodies += 1;
      body.once('close', () => {
        bodies -= 1;
      });
    },
  };
}

const defaultSockets = 64;
/** The least speed at which S3 is believed to take bytes, per millisecond. */
const leastSentPerMs = 32;
/** Joining the parts of a large object takes S3 up to minutes, in milliseconds. */
const completionMs = 120_000;

/** How long a call may take in all, in milliseconds. */
function deadlineOf(operation: string, sentBytes: number, firstByteTimeoutMs: number): number {
  if (operation === 'CompleteMultipartUpload') return completionMs;
  const isList = operation.startsWith('List');
  return (isList ? 5 : 1) * firstByteTimeoutMs + 2 * (sentBytes / leastSentPerMs);
}

type CallReport = Parameters<StoreEvents['called']>[0]['outcome'];

/**
 * Checksums only where S3 requires them: some servers store the SDK's default ones as content,
 * others refuse them, and presigned URLs include them. No `Expect: 100-continue`: a round trip for
 * each part. Our own agents, as the SDK makes unbounded ones. No socket timeout, for slow readers.
 */
function clientConfig(options: S3ClientOptions): S3ClientConfig {
  const { keepsConnections: keepAlive = true, maxSockets = defaultSockets } = options;
  // With a bound, Node hands a connection on to a call that waits.
  const sockets = { keepAlive, maxSockets: keepAlive ? maxSockets : Number.POSITIVE_INFINITY };
  const { firstByteTimeoutMs = 3_000 } = options;
  const credentials = filesOf(options);
  return {
    region: options.region ?? 'us-east-1',
    forcePathStyle: options.pathStyle ?? false,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    expectContinueHeader: false,
    retryMode: 'standard',
    maxAttempts: 1 + (options.retries ?? 3),
    requestHandler: {
      httpAgent: new HttpAgent(sockets),
      httpsAgent: new HttpsAgent(sockets),
      connectionTimeout: firstByteTimeoutMs / 2,
      requestTimeout: firstByteTimeoutMs / 2,
      throwOnRequestTimeout: true,
      socketTimeout: 0,
      socketAcquisitionWarningTimeout: 2 ** 31 - 1,
    },
    ...defined({ endpoint: options.endpoint, credentials }),
  };
}

function filesOf({ accessKeyIdFile, secretAccessKeyFile, sessionTokenFile }: S3ClientOptions) {
  if (accessKeyIdFile === undefined || secretAccessKeyFile === undefined) return undefined;
  const token = sessionTokenFile === undefined ? {} : { sessionTokenFile };
  return credentialFiles({ accessKeyIdFile, secretAccessKeyFile, ...token });
}
