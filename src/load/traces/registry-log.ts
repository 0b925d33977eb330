import { jsonOrNone } from '../../base/text/json.ts';
import { accessRecord } from './access-log.ts';
import { bytesOf, jsonIn } from './json-logs.ts';
import type { LoggedRequest, LogRecord, RecordReader } from './request.ts';

/** How the message begins that docker-registry writes at the end of a request. */
const completed = 'response completed';
/** How many requests wait for their second line. */
const mostWaiting = 1000;

/**
 * Reads the log of docker-registry (distribution). It writes each request twice, unless it is told
 * otherwise: as `response completed` with its fields, in logfmt or JSON, and then as a line of the
 * combined format. The second one is left out when the first was there.
 */
export function registryReader(): RecordReader {
  const waiting = new Map<string, number>();
  const told = (request: LoggedRequest): void => {
    const key = keyOf(request);
    const [oldest] = waiting.size < mostWaiting ? [] : waiting.keys();
    if (oldest !== undefined) waiting.delete(oldest);
    waiting.set(key, (waiting.get(key) ?? 0) + 1);
  };
  const isTold = (request: LoggedRequest): boolean => {
    const key = keyOf(request);
    const count = waiting.get(key) ?? 0;
    if (count > 1) waiting.set(key, count - 1);
    else waiting.delete(key);
    return count > 0;
  };
  return (text) => {
    const fields = text.includes('level') ? fieldsIn(text) : undefined;
    if (fields !== undefined) {
      const record = structured(fields);
      if (typeof record !== 'string') told(record);
      return record;
    }
    const record = accessRecord(text);
    return typeof record !== 'string' && isTold(record) ? 'other line' : record;
  };
}

function keyOf({ method, url, status, bytes = 0 }: LoggedRequest): string {
  return `${method} ${url} ${status} ${bytes}`;
}

function fieldsIn(text: string): Readonly<Record<string, unknown>> | undefined {
  const start = text.indexOf('time="');
  if (start >= 0 && !text.startsWith('{')) return logfmt(text, start);
  return jsonIn(text);
}

function structured(fields: Readonly<Record<string, unknown>>): LogRecord {
  const message = fields['msg'];
  if (typeof message !== 'string' || !message.startsWith(completed)) return 'other line';
  const endedAtMs = Date.parse(String(fields['time']));
  const status = Number(fields['http.response.status']);
  const [method, url] = [fields['http.request.method'], fields['http.request.uri']];
  if (typeof method !== 'string' || typeof url !== 'string' || !Number.isFinite(endedAtMs)) return 'bad';
  return {
    atMs: endedAtMs - millisecondsOf(String(fields['http.response.duration'])),
    client: String(fields['http.request.remoteaddr'] ?? 'unknown'),
    method,
    url,
    status: Number.isInteger(status) ? status : 200,
    ...bytesOf(Number(fields['http.response.written'] ?? Number.NaN)),
  };
}

/** `name=value name="a \"value\""`, from `start` on. */
function logfmt(text: string, start: number): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  let at = start;
  while (at < text.length) {
    const equals = text.indexOf('=', at);
    if (equals < 0) break;
    const name = text.slice(at, equals).trim();
    const end = endOfValue(text, equals + 1);
    fields[name] = textIn(text.slice(equals + 1, end));
    at = end + 1;
  }
  return fields;
}

function endOfValue(text: string, start: number): number {
  if (text[start] !== '"') {
    const blank = text.indexOf(' ', start);
    return blank < 0 ? text.length : blank;
  }
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function textIn(raw: string): string {
  if (!raw.startsWith('"')) return raw;
  const value = jsonOrNone(raw);
  return typeof value === 'string' ? value : raw.slice(1, -1);
}

const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  µs: 1e-3,
  μs: 1e-3,
  us: 1e-3,
  ns: 1e-6,
};

/** A duration as Go writes it, such as `1m3.5s`; 0 for what is none. */
function millisecondsOf(duration: string): number {
  const parts = duration.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/guy);
  return [...parts].reduce((sum, [, count, unit = '']) => sum + Number(count) * (unitMs[unit] ?? 0), 0);
}
