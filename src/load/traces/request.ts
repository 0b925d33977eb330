import type { Arrival } from '../work.ts';

/** One request as a log recorded it, whatever the log. */
export interface LoggedRequest {
  /** When it came, milliseconds since 1970. */
  readonly atMs: number;
  /** Whether the log has whole seconds only. */
  readonly isWholeSecond?: boolean;
  /** The address that it came from, or the name that stands for it. */
  readonly client: string;
  readonly method: string;
  /** As on the request line: the path with its query. */
  readonly url: string;
  readonly status: number;
  /** Bytes of the body of the answer. */
  readonly bytes?: number;
}

/**
 * What one record of a log is: a request, a line that is not about one, or nothing that the reader
 * of its format understands.
 */
export type LogRecord = LoggedRequest | 'other line' | 'bad';

/** Reads one record of one format. Keeps what it must remember of records before. */
export type RecordReader = (text: string) => LogRecord;

/** Why a request is left out of the load. */
export type LeftOut = 'write' | 'other path' | 'login';

/** A request that can be made again. */
export interface TraceRequest {
  /** When it came, milliseconds since 1970. */
  readonly atMs: number;
  readonly node: string;
  readonly work: Extract<Arrival['work'], { kind: 'request' }>;
  readonly isWholeSecond?: boolean;
}

const writes: ReadonlySet<string> = new Set(['PUT', 'POST', 'PATCH', 'DELETE']);
const readPaths = ['/manifests/', '/blobs/', '/referrers/'] as const;

/**
 * The request to make again, or why there is none. A 401 is how each login begins: the load has
 * its own. A 206 says how much was sent and not from where: its range begins at 0.
 */
export function replayed(logged: LoggedRequest): TraceRequest | LeftOut {
  const { method, status, bytes, atMs, client } = logged;
  if (writes.has(method)) return 'write';
  const path = logged.url.startsWith('/') ? logged.url : `/${logged.url}`;
  if ((method !== 'GET' && method !== 'HEAD') || !isRead(path)) return 'other path';
  if (path.includes('/blobs/uploads/')) return 'write';
  if (status === 401) return 'login';
  const isPart = status === 206 && method === 'GET' && bytes !== undefined && bytes > 0;
  return {
    atMs,
    node: withoutPort(client),
    work: {
      kind: 'request',
      method,
      path,
      ...(bytes === undefined || method === 'HEAD' || status >= 400 ? {} : { bytes }),
      ...(isPart ? { range: { start: 0, end: bytes - 1 } } : {}),
    },
    ...(logged.isWholeSecond === true ? { isWholeSecond: true } : {}),
  };
}

/** A request of the pull API: `GET /v2/`, manifests, blobs, tags, referrers. */
function isRead(path: string): boolean {
  if (!path.startsWith('/v2/')) return false;
  const mark = path.indexOf('?');
  const end = mark < 0 ? path : path.slice(0, mark);
  return end === '/v2/' || end.endsWith('/tags/list') || readPaths.some((part) => end.includes(part));
}

/** The address without its port: `10.0.0.1:53482`, `[fd00::1]:53482`. */
function withoutPort(client: string): string {
  const colon = client.lastIndexOf(':');
  const isPort = colon > 0 && (client.includes('.') || client[colon - 1] === ']');
  return isPort ? client.slice(0, colon) : client;
}
