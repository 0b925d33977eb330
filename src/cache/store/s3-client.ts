import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { credentialFiles } from './s3-credentials.ts';
import { attemptsOf, outcomeOf, s3Failure } from './s3-errors.ts';
import type { StoreEvents } from './store.ts';

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
  /** Files that hold the credentials, read again when they may have changed. Default: the AWS chain. */
  readonly accessKeyIdFile?: string;
  readonly secretAccessKeyFile?: string;
  readonly sessionTokenFile?: string;
  /** Most connections for bodies that are read, and as many for all else; further calls wait for one. Default 64. */
  readonly maxSockets?: number;
  /** How often a call that is throttled or fails is made again, each time later. Default 3. */
  readonly retries?: number;
  /** Limit of one attempt to connect, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** Limit from an attempt's start to its response's head, in milliseconds. Default 30,000; ten times that to upload. */
  readonly responseTimeoutMs?: number;
  /** Told of each call. */
  readonly events?: StoreEvents;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What the SDK's `send` takes besides the command. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal;
  readonly requestTimeout: number;
}

/** A call's answer: S3 said yes, that there is no such thing, or that a condition does not hold. */
export type Answer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'absent' | 'refused'; readonly attempts: number };

/** One bucket of one S3 server, and how it is called. */
export interface S3Calls {
  readonly client: S3Client;
  readonly bucket: string;
  /** Begins every key: empty, or ends with `/`. */
  readonly prefix: string;
  /**
   * Makes one call, retries inside, and reports it. Throws `UNAVAILABLE` for trouble and throttling, and the
   * signal's reason when that ended it.
   */
  call<T>(
    operation: string,
    send: (options: SendOptions) => Promise<T>,
    options?: CallOptions,
  ): Promise<Answer<T>>;
}

export function s3Calls(options: S3ClientOptions): S3Calls {
  const { events, responseTimeoutMs = 30_000 } = options;
  const report = (operation: string, outcome: Reported, startedAt: number): void =>
    events?.called({ operation, outcome, seconds: (performance.now() - startedAt) / 1000 });

  return {
    client: new S3Client(clientConfig(options)),
    bucket: options.bucket,
    prefix: options.prefix ? `${options.prefix.replace(/^\/+|(?<!\/)\/+$/g, '')}/` : '',
    async call(operation, send, { signal } = {}) {
      signal?.throwIfAborted();
      const startedAt = performance.now();
      const requestTimeout = /^(?:PutObject|UploadPart)$/.test(operation)
        ? 10 * responseTimeoutMs
        : responseTimeoutMs;
      try {
        const value = await send({
          requestTimeout,
          ...(signal === undefined ? {} : { abortSignal: signal }),
        });
        report(operation, 'ok', startedAt);
        return { kind: 'ok', value };
      } catch (error) {
        const outcome = outcomeOf(error);
        report(operation, outcome === 'refused' ? 'absent' : outcome, startedAt);
        signal?.throwIfAborted();
        if (outcome === 'absent' || outcome === 'refused')
          return { kind: outcome, attempts: attemptsOf(error) };
        throw s3Failure(operation, error);
      }
    },
  };
}

type Reported = Parameters<StoreEvents['called']>[0]['outcome'];

/**
 * Checksums only where S3 demands them: the SDK's default ones are stored as content by some servers, refused by others,
 * and stand in presigned URLs. No `Expect: 100-continue`: it is a round trip for each part. The agents are ours, as
 * the SDK makes unbounded ones for some uploads. No socket timeout: it would cut off slow readers; see s3-body.ts.
 */
function clientConfig(options: S3ClientOptions): S3ClientConfig {
  const sockets = { keepAlive: true, maxSockets: options.maxSockets ?? 64 };
  const { responseTimeoutMs = 30_000, connectTimeoutMs = 5_000 } = options;
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
      connectionTimeout: connectTimeoutMs,
      requestTimeout: responseTimeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: 0,
      socketAcquisitionWarningTimeout: 2 ** 31 - 1,
    },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function filesOf({ accessKeyIdFile, secretAccessKeyFile, sessionTokenFile }: S3ClientOptions) {
  if (accessKeyIdFile === undefined || secretAccessKeyFile === undefined) return undefined;
  const token = sessionTokenFile === undefined ? {} : { sessionTokenFile };
  return credentialFiles({ accessKeyIdFile, secretAccessKeyFile, ...token });
}
