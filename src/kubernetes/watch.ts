import type { KubeConfig, RequestContext } from '@kubernetes/client-node';
import { CallError, type Library } from './api-call.ts';

export interface WatchOptions<Item> {
  /** Of the collection, with the leading slash. */
  readonly path: string;
  /** The `resourceVersion` to go on from. */
  readonly version: string;
  /** Called for each event but `ERROR`: `ADDED`, `MODIFIED`, `DELETED`, or `BOOKMARK`, whose object has a version and nothing else. */
  readonly seen: (type: string, object: Item) => void;
  readonly signal: AbortSignal;
}

/** `gone`: the version is too old, or of no use to the server; list again. `idle`: nothing came for a while, go on. `closed`: the server had enough, or the signal aborted. */
export type WatchEnd = 'gone' | 'idle' | 'closed';

/** Watches until it ends, for one of the usual reasons; all else throws `CallError`. */
export async function watched<Item>(
  library: Library,
  config: KubeConfig,
  { path, version, seen, signal }: WatchOptions<Item>,
): Promise<WatchEnd> {
  const { promise: ended, resolve: end } = Promise.withResolvers<unknown>();
  const { traced, cut } = cuttable(config);
  let isGone = false;
  const tell = (type: string, object: Item) => {
    if (signal.aborted) return;
    if (type === 'ERROR') isGone = true;
    else seen(type, object);
  };
  const stop = () => end(undefined);
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return 'closed';
    const query = { allowWatchBookmarks: true, resourceVersion: version };
    const watching = new library.Watch(traced).watch(path, query, tell, end);
    watching.catch(end);
    return endOf(await ended, isGone);
  } finally {
    signal.removeEventListener('abort', stop);
    await cut();
  }
}

function endOf(error: unknown, isGone: boolean): WatchEnd {
  const status = statusOf(error);
  if (isGone || status === 410) return 'gone';
  if (error === undefined || error === null) return 'closed';
  if (error instanceof Error && error.name === 'TimeoutError') return 'idle';
  if (status !== undefined) throw new CallError(`the API server answered ${status}`, { status });
  throw new CallError('the API server cannot be watched', { cause: error });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}

/** The library has no way to end a watch that the server did not begin to answer; its connection can be cut. */
function cuttable(config: KubeConfig) {
  const contexts: RequestContext[] = [];
  const traced: KubeConfig = Object.create(config);
  traced.applySecurityAuthentication = async (context: RequestContext) => {
    await config.applySecurityAuthentication(context);
    contexts.push(context);
  };
  return {
    traced,
    cut: async () => {
      await Promise.all(contexts.map((context) => context.getDispatcher()?.destroy()));
    },
  };
}
