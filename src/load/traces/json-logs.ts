/** Logs whose records are JSON objects: ours, and the traces that IBM published. */
import { type Fields, isObject, jsonOrNone, textOf } from '../../base/text/json.ts';
import type { LogRecord } from './request.ts';

/** A line of Quayside's own log: `msg` is `request`, `time` is that of the end. */
export function ownRecord(text: string): LogRecord {
  const line = jsonIn(text);
  if (line === undefined) return 'bad';
  if (line['msg'] !== 'request') return 'other line';
  const endedAtMs = Date.parse(textOf(line['time']) ?? '');
  const [method, url] = [textOf(line['method']), textOf(line['path'])];
  // A request that could not be parsed has neither path nor time.
  if (method === undefined || url === undefined) return 'other line';
  const status = Number(line['status']);
  if (!Number.isFinite(endedAtMs) || !Number.isInteger(status)) return 'bad';
  return {
    atMs: endedAtMs - (numberOf(line['totalMs']) ?? 0),
    client: textOf(line['client']) ?? 'unknown',
    method,
    url: percentEncoded(url),
    status,
    ...bytesOf(line['bytes']),
  };
}

/**
 * A record of the traces of IBM's registries (Anwar and others, FAST '18). Repositories, blobs and
 * clients have made-up names in them; sizes and times are real. `timestamp` is when it came.
 */
export function ibmRecord(text: string): LogRecord {
  const record = jsonIn(text);
  if (record === undefined) return 'bad';
  const atMs = Date.parse(textOf(record['timestamp']) ?? '');
  const [method, url] = [textOf(record['http.request.method']), textOf(record['http.request.uri'])];
  const status = Number(record['http.response.status']);
  if (method === undefined || url === undefined || !Number.isFinite(atMs) || !Number.isInteger(status))
    return 'bad';
  return {
    atMs,
    client: textOf(record['http.request.remoteaddr']) ?? 'unknown',
    method,
    url,
    status,
    ...bytesOf(record['http.response.written']),
  };
}

/**
 * The object in a line: from its first brace on, as container engines write a time before it, or
 * wrap the line in an object of their own.
 */
export function jsonIn(text: string): Fields | undefined {
  const start = text.indexOf('{');
  const value = start < 0 ? undefined : jsonOrNone(start === 0 ? text : text.slice(start));
  if (!isObject(value)) return undefined;
  const inner = textOf(value['log']);
  if (inner === undefined || value['stream'] === undefined) return value;
  return jsonIn(inner);
}

/** Bytes of a body, where the log has them. */
export function bytesOf(value: unknown): { readonly bytes?: number } {
  const bytes = numberOf(value);
  return bytes === undefined || bytes < 0 ? {} : { bytes };
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The path as it is sent: the log has it decoded. */
function percentEncoded(path: string): string {
  return encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23');
}
