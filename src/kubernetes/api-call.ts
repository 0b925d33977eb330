import type { ConfigurationOptions, KubeConfig, RequestContext } from '@kubernetes/client-node';

/** Where the cluster's API is, and who we are there, at this moment. */
export type Login = () => Promise<KubeConfig>;

/** The library, loaded by whoever has a cluster to talk to. */
export type Library = typeof import('@kubernetes/client-node');

/** A call to an API server that brought no answer to use. Its message holds nothing that was sent. */
export class CallError extends Error {
  override readonly name = 'CallError';
  /** Absent where there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, { status, cause }: { readonly status?: number; readonly cause?: unknown }) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

export interface CallOptions {
  /** How long it may take, milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a call is made with; `options` goes into each method of the library, as its last argument. */
export interface Caller {
  readonly library: Library;
  readonly config: KubeConfig;
  readonly options: ConfigurationOptions;
}

/**
 * Makes one call by the library, which knows neither deadline nor signal and opens a connection for each call that it never
 * closes. Throws `CallError`, or the signal's reason.
 */
export async function called<Value>(
  login: Login,
  ask: (caller: Caller) => Promise<Value>,
  { timeoutMs, signal }: CallOptions,
): Promise<Value> {
  const library = await import('@kubernetes/client-node');
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  const contexts: RequestContext[] = [];
  const middleware = {
    pre(context: RequestContext) {
      context.setSignal(stop);
      contexts.push(context);
      return new library.Observable(Promise.resolve(context));
    },
    post: <Response>(response: Response) => new library.Observable(Promise.resolve(response)),
  };
  try {
    const config = await login();
    stop.throwIfAborted();
    return await ask({ library, config, options: { middleware: [middleware] } });
  } catch (error) {
    signal?.throwIfAborted();
    throw failureOf(library, error, timeout.aborted ? timeoutMs : undefined);
  } finally {
    await Promise.all(contexts.map((context) => context.getDispatcher()?.destroy()));
  }
}

/** The call's answer; undefined when the server has no such object. */
export async function found<Value>(call: Promise<Value>): Promise<Value | undefined> {
  return await unless(404, call);
}

/** The call's answer; undefined when the server refused it with this status. */
export async function unless<Value>(status: number, call: Promise<Value>): Promise<Value | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof CallError && error.status === status) return undefined;
    throw error;
  }
}

function failureOf(library: Library, error: unknown, lateMs: number | undefined): CallError {
  if (error instanceof library.ApiException) {
    const status: number = error.code;
    return new CallError(`the API server answered ${status}`, { status });
  }
  if (lateMs !== undefined) return new CallError(`the API server did not answer within ${lateMs} ms`, {});
  return new CallError('the API server cannot be reached, or its answer cannot be read', { cause: error });
}
